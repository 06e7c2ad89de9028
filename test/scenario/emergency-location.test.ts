/** Calls for help whose location, service or body is not the usual one: they get through, with all that is known of where the caller is. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REFERENCE_LIMIT } from '#cloud/farm/softswitch/emergency/conveyed.ts';
import { sql } from '#cloud/store/store.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { type BodyPart, readMultipart, writeMultipart } from '#shared/sip/multipart.ts';
import { parse } from '#shared/sip/parse.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

const OFFER = 'v=0\r\no=- 1 1 IN IP4 10.1.0.11\r\ns=-\r\nc=IN IP4 10.1.0.11\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
const SDP: BodyPart = { type: 'application/sdp', body: OFFER };
const OWN: BodyPart = { type: 'application/pidf+xml', id: 'own@phone', body: '<presence>from the phone</presence>' };
const REFERENCE = '<https://lis.example/ref/1>';

/** Those who help: what they are asked, and how they answer. */
interface Desk {
  readonly trunk: string;
  readonly asked: SipMessage[];
  /** The status with which an INVITE is refused; default: it is answered. */
  refuses: (invite: SipMessage) => number | undefined;
}

let operator: Operator;
let desk: Desk;
let line: Line;

beforeEach(async () => {
  operator = await Operator.start(6442);
  line = await operator.line(await operator.home('home_1'), 1);
  await operator.ready(line, { host: '10.1.0.11' });
  desk = await opened('10.6.0.1');
  await policy({ country: 'DE', routes: [{ trunk: desk.trunk }] });
});
afterEach(() => operator.stop());

async function opened(host: string): Promise<Desk> {
  const asked: SipMessage[] = [];
  const made: Agent = agent(operator.world.host(`desk-${host}`, [host]), {
    onOutput: (output) => {
      if (output.do !== 'incoming') return;
      asked.push(output.message);
      const status = one.refuses(output.message);
      made.transport.act((now, out) => {
        const headers = status === 424 ? ([['Geolocation-Error', '100']] as const) : [];
        if (status !== undefined) return made.endpoint.reject(output.call, status, { headers }, now, out);
        made.endpoint.answer(output.call, { sdp: OFFER, contact: `sip:desk@${host}` }, now, out);
      });
    },
  });
  await operator.world.settle(made.transport.bind({ udp: { host, port: 5060 } }));
  const { id: trunk } = await operator.ask('trunk.create', {
    ...{ name: host, host, port: 5060, mode: 'address', probeEvery: 0 },
  });
  const one: Desk = { trunk, asked, refuses: () => undefined };
  return one;
}

async function put(statement: string, ...params: (string | number)[]): Promise<void> {
  await operator.store.commit([sql(statement, ...params)]);
  operator.bus.publish('trunks.changed', {});
  await operator.world.run(50);
}
const policy = (wanted: object) =>
  put(
    "INSERT INTO outside_setting (name, body, changed_at) VALUES ('policy', ?, 0) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
    JSON.stringify(wanted),
  );
const place = () =>
  put(
    'INSERT INTO home_location (home, body, changed_at) VALUES (?, ?, ?)',
    ...['home_1', JSON.stringify({ country: 'DE', city: 'Köln' }), 0],
  );

let calls = 0;

/** An INVITE from the address of the phone, written by hand; gives the final status. */
async function dial(
  uri: string,
  { type, body }: { type: string; body: string } = { type: 'application/sdp', body: OFFER },
  headers: readonly string[] = [],
): Promise<number | undefined> {
  const n = ++calls;
  const host = '10.1.0.11';
  const answers: number[] = [];
  const socket = await operator.world.settle(
    operator.world.host(`by-hand-${n}`, [host]).net.udp({ host, port: 6000 + n }, (data) => {
      const status = parse(latin1(data)).message?.status ?? 0;
      if (status >= 200) answers.push(status);
    }),
  );
  const text = [
    `INVITE ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host}:${6000 + n};branch=z9hG4bKh${n};rport`,
    'Max-Forwards: 70',
    `From: <sip:u1@${DOMAIN}>;tag=h${n}`,
    `To: <${uri}>`,
    `Call-ID: by-hand-${n}`,
    'CSeq: 1 INVITE',
    `Contact: <sip:u1@${host}:${6000 + n}>`,
    ...headers,
    `Content-Type: ${type}`,
    `Content-Length: ${body.length}`,
    ...['', body],
  ].join('\r\n');
  socket.send(fromLatin1(text), operator.config.bound.sipUdp ?? { host: '', port: 0 });
  await operator.world.run(8_000);
  await operator.world.settle(socket.close());
  return answers[0];
}

const located = (...values: string[]) => [`Geolocation: ${values.join(', ')}`];
const valuesOf = (invite?: SipMessage) => invite?.headerAll('Geolocation') ?? [];
const partsOf = (invite?: SipMessage) => readMultipart(invite?.header('Content-Type') ?? '', invite?.body ?? '') ?? [];
/** The part that a value of Geolocation names. */
const named = (invite: SipMessage | undefined, value = '') =>
  partsOf(invite).find(({ id }) => value === `<cid:${id}>`)?.body;

describe('where the caller is (RFC 6442 section 4.1)', () => {
  it('a reference of the phone’s goes on', async () => {
    expect(await dial('sip:112@x', undefined, located(`${REFERENCE};x=1`))).toBe(200);
    const [invite] = desk.asked;
    expect(valuesOf(invite)).toEqual([`${REFERENCE};x=1`]);
    expect(invite?.header('Geolocation-Routing')).toBe('yes');
    expect(invite?.headerAll('Supported')).toContain('geolocation-http');
    expect(invite?.header('Content-Type')).toBe('application/sdp');
  });

  it('the home’s stands behind what the phone says, by value and by reference', async () => {
    await place();
    const headers = located(`<cid:${OWN.id}>`, REFERENCE);
    expect(await dial('sip:112@x', writeMultipart([SDP, OWN], 'b'), headers)).toBe(200);
    const [invite] = desk.asked;
    const values = valuesOf(invite);
    expect(values).toHaveLength(3);
    expect(values[1]).toBe(REFERENCE);
    expect(named(invite, values[0])).toBe(OWN.body);
    expect(named(invite, values[2])).toContain('<ca:country>DE</ca:country>');
  });

  it('a location that no header field names goes on all the same; a name that leads nowhere does not', async () => {
    await dial('sip:112@x', writeMultipart([SDP, OWN], 'b'), located('<cid:nobody@phone>'));
    const [invite] = desk.asked;
    expect(valuesOf(invite).map((value) => named(invite, value))).toEqual([OWN.body]);
  });

  it('a reference that is too long stays behind, and help comes', async () => {
    const long = `${REFERENCE.slice(0, -1)}/`.padEnd(REFERENCE_LIMIT - 1, 'x');
    expect(await dial('sip:112@x', undefined, located(`${long}x>`, `${long}>`))).toBe(200);
    expect(valuesOf(desk.asked[0])).toEqual([`${long}>`]);
  });

  it('of more than a call has use for, the first ones go on', async () => {
    await place();
    await dial('sip:112@x', undefined, located(...Array.from({ length: 9 }, (_, i) => `<https://lis.example/${i}>`)));
    const values = valuesOf(desk.asked[0]);
    expect(values.slice(0, 4)).toEqual([0, 1, 2, 3].map((i) => `<https://lis.example/${i}>`));
    expect(values).toHaveLength(5);
  });
});

describe('a location that is not wanted: 424 (section 4.3)', () => {
  it('the same desk is asked once more without it, and the phone hears nothing of that', async () => {
    await place();
    desk.refuses = (invite) => (valuesOf(invite).length > 0 ? 424 : undefined);
    expect(await dial('sip:112@x', writeMultipart([SDP, OWN], 'b'), located(REFERENCE))).toBe(200);
    expect(desk.asked.map((invite) => valuesOf(invite).length)).toEqual([3, 0]);
    const again = desk.asked[1];
    expect(again?.header('Geolocation-Routing')).toBeUndefined();
    expect(again?.header('Content-Type')).toBe('application/sdp');
    expect(again?.header('Priority')).toBe('emergency');
  });

  it('who refuses then too is left for the next way, and nobody hears 424', async () => {
    await place();
    desk.refuses = () => 424;
    const other = await opened('10.6.0.2');
    other.refuses = () => 424;
    await policy({ routes: [{ trunk: desk.trunk }, { trunk: other.trunk }] });
    expect(await dial('sip:112@x')).toBe(480);
    expect([desk, other].map(({ asked }) => asked.length)).toEqual([2, 2]);
  });

  it('any other refusal is no reason to say less', async () => {
    await place();
    desk.refuses = () => 486;
    await dial('sip:112@x');
    expect(desk.asked).toHaveLength(1);
  });
});

describe('what is asked for (RFC 5031)', () => {
  it.each([
    ['urn:service:sos.police', 'urn:service:sos.police'],
    // What is below a service is one of its kind.
    ['urn:service:sos.police.traffic', 'urn:service:sos.police.traffic'],
    ['URN:Service:SOS.Police', 'urn:service:sos.police'],
  ])('%s goes to the desk for the police', async (uri, called) => {
    const other = await opened('10.6.0.2');
    const routes = [
      { trunk: desk.trunk, services: ['urn:service:sos.fire'] },
      { trunk: other.trunk, services: ['urn:service:sos.police'] },
    ];
    await policy({ routes });
    expect(await dial(uri)).toBe(200);
    expect([desk.asked.length, other.asked[0]?.uri]).toEqual([0, called]);
  });

  it.each(['urn:service:sos', 'urn:service:sos.mountain'])('%s goes to any desk rather than to none', async (uri) => {
    await policy({ routes: [{ trunk: desk.trunk, services: ['urn:service:sos.fire'] }] });
    expect(await dial(uri)).toBe(200);
    expect(desk.asked[0]?.uri).toBe(uri);
  });

  it.each([
    ['more names than are read', `urn:service:sos${'.a'.repeat(9)}`, `urn:service:sos${'.a'.repeat(9)}`],
    ['a name that is none', 'urn:service:sos.police.x_y', 'urn:service:sos.police'],
    ['an end that is open', 'urn:service:sos.', 'urn:service:sos'],
  ])('%s: the nearest service that there is', async (_name, uri, called) => {
    expect(await dial(uri)).toBe(200);
    expect(desk.asked[0]?.uri).toBe(called);
  });
});

describe('a body that is not as it should be (RFC 5621)', () => {
  const whole = writeMultipart([SDP, OWN], 'b');
  it.each([
    ['a part without an end to its header lines', whole.body.replace('\r\n\r\n<presence>', '<presence>')],
    ['a part inside whose boundary begins alike', whole.body.replace(OWN.body, '\r\n--bb\r\n\r\nx\r\n--bb--')],
  ])('%s', async (_name, body) => {
    expect(await dial('sip:112@x', { type: whole.type, body })).toBe(200);
    expect(partsOf(desk.asked[0]).length + Number(desk.asked[0]?.body.includes('m=audio'))).toBeGreaterThan(0);
  });

  it('a location alone, without a session description', async () => {
    expect(await dial('sip:112@x', { type: OWN.type, body: OWN.body })).toBe(200);
    const [invite] = desk.asked;
    expect(valuesOf(invite).map((value) => named(invite, value))).toEqual([OWN.body]);
  });
});

it('whatever else stands in the request, help comes, with the number to call back', async () => {
  const odd: readonly (readonly [string, string])[] = [
    ['a place in a call that is not there', 'Replaces: nobody@x;to-tag=1;from-tag=2'],
    ['a call to join that is not there', 'Join: nobody@x;to-tag=1;from-tag=2'],
    ['privacy, and rather no call', 'Privacy: id;critical;odd'],
    ['times of its session that are long over', 'Session-Expires: 90'],
    ['times for an answer', 'Expires: 1'],
    ['somebody who is believed to send it', 'P-Asserted-Identity: <sip:+15559990000@x>'],
    ['forwarding that never was', 'Diversion: <sip:+15559990000@x>;reason=unconditional'],
    ['a date of long ago', 'Date: Thu, 01 Jan 1970 00:00:00 GMT'],
    ['a credential of nobody', 'Authorization: Digest username="x", realm="x", nonce="0", uri="x", response="0"'],
    ['an error about a location that nobody sent', 'Geolocation-Error: 999;code="x"'],
    ['a location that is none', 'Geolocation: nonsense, <>, <cid:>'],
    ['a breadth of one', 'Max-Breadth: 1'],
  ];
  for (const [name, header] of odd) {
    expect(await dial('sip:112@x', undefined, [header]), name).toBe(200);
    const invite = desk.asked.at(-1);
    expect(invite?.header('P-Asserted-Identity'), name).toBe(`<sip:${line.number}@10.6.0.1>`);
    expect([invite?.header('Privacy'), valuesOf(invite)], name).toEqual([undefined, []]);
  }
  expect(desk.asked).toHaveLength(odd.length);
});
