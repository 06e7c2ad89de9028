/** Calls that would go round for ever: a trunk that sends them back, as they are or as new ones (RFC 3261 section 16.3, RFC 5393). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CIRCLE_LIMIT } from '#cloud/farm/softswitch/circles.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { newResponse, type SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import { write } from '#shared/sip/write.ts';
import { headerIn } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

const HOST = '10.5.0.1';
const CLOUD = { host: '10.0.0.2', port: 5060 };
const far = '+442071838750';
const caller = '+4930111222';

let operator: Operator;
let a: Line;
beforeEach(async () => {
  operator = await Operator.start(71);
  // No cap on its calls stands in the way.
  a = await operator.line(await operator.home('home_1'), 1, { class: 'unmetered' });
});
afterEach(() => operator.stop());

/** What a trunk does with a call that goes out to it: gives the INVITE that it sends back. */
type Turn = (invite: SipMessage, round: number) => SipMessage;

/** The INVITE goes on as a proxy sends it, with one more Via and one hop less. */
const proxied: Turn = (invite, round) => {
  const on = invite.clone();
  on.uri = `sip:${a.number}@${CLOUD.host}`;
  on.set('Max-Forwards', String((invite.maxForwards ?? 70) - 1));
  on.prepend('Via', `SIP/2.0/UDP ${HOST}:5060;branch=z9hG4bKproxy${round}`);
  return on;
};

/** It becomes a call of the carrier's own: another Call-ID, tag and branch; with `hops` the Max-Forwards is kept and counted. */
const anew =
  (hops: boolean): Turn =>
  (invite, round) => {
    const on = invite.clone();
    on.uri = `sip:${a.number}@${CLOUD.host}`;
    on.set('Via', `SIP/2.0/UDP ${HOST}:5060;branch=z9hG4bKanew${round}`);
    on.set('Call-ID', `round-${round}`);
    on.set('From', `<sip:${caller}@${HOST}>;tag=r${round}`);
    on.set('Max-Forwards', String(hops ? (invite.maxForwards ?? 70) - 1 : 70));
    for (const name of ['P-Asserted-Identity', 'Diversion', 'History-Info', 'Record-Route']) on.remove(name);
    return on;
  };

/** A trunk at which every call turns, and what it saw. */
async function turning(turn: Turn) {
  const invites: SipMessage[] = [];
  const statuses: number[] = [];
  /** By the Call-ID of the call sent back: the INVITE that it came from. */
  const from = new Map<string, SipMessage>();
  const send = (message: SipMessage) => socket.send(fromLatin1(write(message)), CLOUD);
  const socket = await operator.world.settle(
    operator.world.host('carrier', [HOST]).net.udp({ host: HOST, port: 5060 }, (data) => {
      const read = parse(latin1(data));
      if (!read.ok) throw new Error(read.reason);
      const { message } = read;
      if (message.kind === 'response') answered(message);
      else if (message.method === 'INVITE') came(message);
      else if (message.method !== 'ACK') send(newResponse(message, 200));
    }),
  );
  function came(invite: SipMessage): void {
    if (invites.some((one) => one.topVia?.params.get('branch') === invite.topVia?.params.get('branch'))) return;
    invites.push(invite);
    send(newResponse(invite, 100));
    const on = turn(invite, invites.length);
    from.set(on.topVia?.params.get('branch') ?? '', invite);
    send(on);
  }
  function answered(response: SipMessage): void {
    const invite = from.get(response.topVia?.params.get('branch') ?? '');
    if (response.status < 200 || response.method !== 'INVITE') return;
    statuses.push(response.status);
    if (invite === undefined) return;
    const refusal = newResponse(invite, response.status);
    refusal.set('To', `${invite.header('To')};tag=t`);
    send(refusal);
  }
  const settings = { name: 'Carrier', host: HOST, port: 5060, mode: 'address', probeEvery: 0 } as const;
  await operator.ask('trunk.create', settings);
  const features = { forward: { always: far } };
  await operator.ask('line.features.set', { home: 'home_1', line: a.id, features });
  /** Somebody outside calls the line that forwards. */
  const call = (more: readonly (readonly [string, string])[] = []) => {
    const lines = [
      `INVITE sip:${a.number}@${CLOUD.host} SIP/2.0`,
      `Via: SIP/2.0/UDP ${HOST}:5060;branch=z9hG4bKfirst`,
      ...more.map(([name, value]) => `${name}: ${value}`),
      `From: <sip:${caller}@${HOST}>;tag=f`,
      `To: <sip:${a.number}@${CLOUD.host}>`,
      'Call-ID: first',
      'CSeq: 1 INVITE',
      `Contact: <sip:${HOST}>`,
      'Content-Type: application/sdp',
      '',
      'v=0\r\no=- 1 1 IN IP4 10.5.0.1\r\ns=-\r\nc=IN IP4 10.5.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n',
    ];
    socket.send(fromLatin1(lines.join('\r\n')), CLOUD);
  };
  return { call, invites, statuses };
}

const left = async () => (await operator.ask('trunk.list', {})).items.map(({ calls }) => calls);

describe('a call that a line sends on to the outside and that comes back', () => {
  test('as it is: the same call, refused at once', async () => {
    const { call, invites, statuses } = await turning(proxied);
    call();
    await operator.world.run(60_000);
    expect([invites.length, statuses[0]]).toEqual([1, 482]);
    expect(await left()).toEqual([0]);
  });

  test('as a new one each time: ends after a few rounds, and the line can be called again', async () => {
    const { call, invites, statuses } = await turning(anew(false));
    call();
    await operator.world.run(60_000);
    expect(invites.length).toBe(CIRCLE_LIMIT);
    expect(statuses[0]).toBe(482);
    expect(await left()).toEqual([0]);
    call();
    await operator.world.run(60_000);
    expect(invites.length).toBe(2 * CIRCLE_LIMIT);
  });

  test('with the hops that it had: they run out', async () => {
    const { call, invites, statuses } = await turning(anew(true));
    call([['Max-Forwards', '6']]);
    await operator.world.run(60_000);
    expect(invites.map(({ maxForwards }) => maxForwards)).toEqual([5, 3, 1]);
    expect(statuses[0]).toBe(483);
    expect(await left()).toEqual([0]);
  });
});

describe('a call that may be forked only so wide', () => {
  async function phones(count: number) {
    const seen: string[] = [];
    for (let n = 0; n < count; n++) {
      const trace = (direction: 'in' | 'out', text: string) =>
        void (direction === 'in' && text.startsWith('INVITE') && seen.push(text));
      await operator.ready(a, { host: `10.1.7.${n + 1}`, trace });
    }
    const { call, statuses } = await turning(proxied);
    await operator.ask('line.features.set', { home: 'home_1', line: a.id, features: {} });
    return { seen, call, statuses };
  }

  test('gives each phone its share', async () => {
    const { seen, call } = await phones(3);
    call([
      ['Max-Breadth', '7'],
      ['Max-Forwards', '20'],
    ]);
    await operator.world.run(2_000);
    expect(seen.map((text) => [headerIn(text, 'Max-Breadth'), headerIn(text, 'Max-Forwards')])).toEqual(
      new Array(3).fill(['2', '19']),
    );
  });

  test('rings nobody where there are more: 440', async () => {
    const { seen, call, statuses } = await phones(3);
    call([['Max-Breadth', '2']]);
    await operator.world.run(2_000);
    expect([seen, statuses[0]]).toEqual([[], 440]);
  });

  test('says nothing of it where neither side does', async () => {
    const { seen, call } = await phones(1);
    call();
    await operator.world.run(2_000);
    expect(seen.map((text) => headerIn(text, 'Max-Breadth'))).toEqual([undefined]);
  });
});
