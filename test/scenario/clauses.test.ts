/** Single clauses of the RFCs at the whole softswitch: what a carrier's or a phone maker's tester looks at, message by message. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import type { Credentials, EndpointOutput, Flow } from '#shared/sip/types.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

const OFFER = 'v=0\r\no=- 1 1 IN IP4 10.3.0.1\r\ns=-\r\nc=IN IP4 10.3.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';

type Heard = Extract<EndpointOutput, { do: 'incoming' }>;

/** A phone of a line, all of whose messages are seen. */
class Party {
  readonly agent: Agent;
  readonly came: SipMessage[] = [];
  readonly line: Line;
  readonly host: string;
  flow!: Flow;
  /** What a call gets. */
  answer: (call: Heard) => void = () => {};

  /** What becomes of its datagrams on the way out. */
  spoil: (text: string) => string = (text) => text;

  private constructor(line: Line, host: string) {
    this.line = line;
    this.host = host;
    const world = operator.world.host(`party-${host}`, [host]);
    const udp: typeof world.net.udp = async (options, onMessage) => {
      const socket = await world.net.udp(options, onMessage);
      const send: typeof socket.send = (data, to) => socket.send(fromLatin1(this.spoil(latin1(data))), to);
      return { local: socket.local, send, close: () => socket.close() };
    };
    const net: typeof world.net = {
      ...{ udp, addresses: () => world.net.addresses(), connect: (options) => world.net.connect(options) },
      listen: (options, onStream) => world.net.listen(options, onStream),
    };
    this.agent = agent(
      { ...world, net },
      {
        trace: (way, _flow, text) => {
          const { message } = parse(text);
          if (way === 'in' && message !== undefined) this.came.push(message);
        },
        onOutput: (output) => {
          if (output.do === 'incoming') this.answer(output);
          const { endpoint, transport } = this.agent;
          transport.act((now, out) => {
            if (output.do === 'in-dialog') endpoint.reply(output.transaction, 200, {}, now, out);
            if (output.do === 'offer') endpoint.acceptOffer(output.call, OFFER, now, out);
          });
        },
      },
    );
  }

  static async open(line: Line, host: string, protocol: 'udp' | 'tls' = 'udp'): Promise<Party> {
    const party = new Party(line, host);
    const { sipUdp, sips } = operator.config.bound;
    const to = (protocol === 'tls' ? sips : sipUdp) ?? { host: '', port: 0 };
    const { transport } = party.agent;
    if (protocol === 'udp') await operator.world.settle(transport.bind({ udp: { host, port: 5060 } }));
    const tls = { ca: operator.config.authority.certificate, serverName: DOMAIN };
    party.flow = await operator.world.settle(
      transport.flowTo(protocol === 'tls' ? { protocol, ...to, tls } : { protocol, ...to }),
    );
    return party;
  }

  get credentials(): Credentials {
    const { username, password } = this.line;
    const hash = sipHash(operator.cloud.crypto);
    const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, username, DOMAIN, password, hash);
    return { username, realm: DOMAIN, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } };
  }

  get own(): string {
    return `sip:${this.line.username}@${DOMAIN}`;
  }

  /** The final answer to a request outside calls. */
  async ask(method: string, uri: string, more: readonly (readonly [string, string])[] = []): Promise<SipMessage> {
    const { endpoint, transport } = this.agent;
    const request = newRequest(method, uri, [['From', `<${this.own}>`], ['To', `<${this.own}>`], ...more]);
    const before = this.came.length;
    transport.act((now, out) => endpoint.request(request, this.flow, now, out, this.credentials));
    await operator.world.run(2_000);
    return this.final(method, before);
  }

  register(...contacts: readonly string[]): Promise<SipMessage> {
    return this.ask(
      'REGISTER',
      `sip:${DOMAIN}`,
      contacts.map((uri) => ['Contact', `<${uri}>`]),
    );
  }

  /** Calls, and gives the handle and the final answer that came within five seconds. */
  async call(
    uri: string,
    contact = `sip:a@${this.host}`,
    headers: readonly (readonly [string, string])[] = [],
  ): Promise<{ handle: string; final: SipMessage }> {
    const before = this.came.length;
    const handle = this.agent.transport.act((now, out) =>
      this.agent.endpoint.invite(
        {
          ...{ uri, from: `<${this.own}>`, to: `<${uri}>`, contact, headers, sdp: OFFER },
          ...{ flow: this.flow, credentials: this.credentials },
        },
        now,
        out,
      ),
    );
    await operator.world.run(5_000);
    return { handle, final: this.final('INVITE', before) };
  }

  final(method: string, from = 0): SipMessage {
    const found = this.came
      .slice(from)
      .findLast((one) => one.kind === 'response' && one.status >= 200 && one.method === method);
    if (found === undefined) throw new Error(`no final answer to ${method}`);
    return found;
  }

  invites(): string[] {
    return this.came.filter(({ kind, method }) => kind === 'request' && method === 'INVITE').map(({ uri }) => uri);
  }
}

let operator: Operator;
let a: Party;
let b: Party;
const toB = () => `sip:${b.line.username}@${DOMAIN}`;

beforeEach(async () => {
  operator = await Operator.start(3261);
  const home = await operator.home('home_1');
  a = await Party.open(await operator.line(home, 1, { class: 'unmetered' }), '10.3.0.1');
  b = await Party.open(await operator.line(home, 2), '10.3.0.2');
});
afterEach(() => operator.stop());

const takes = (party: Party) => (call: Heard) =>
  void party.agent.transport.act((now, out) =>
    party.agent.endpoint.answer(call.call, { sdp: OFFER, contact: `sip:b@${party.host}` }, now, out),
  );

describe('the registrar', () => {
  it('says what time it is (RFC 3261 section 10.3)', async () => {
    const { wall } = operator.cloud.clock;
    const from = Math.floor(wall() / 1000) * 1000;
    const date = (await b.register('sip:b@10.3.0.2')).header('Date') ?? '';
    expect(date).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Date.parse(date)).toBeGreaterThanOrEqual(from);
    expect(Date.parse(date)).toBeLessThanOrEqual(wall());
  });

  it('keeps any Contact, and rings those alone that an INVITE can go to (sections 20.10, 26.2.2)', async () => {
    const ok = await b.register('mailto:b@example.com', 'sips:b@10.3.0.2', 'SIP:b@10.3.0.2', 'tel:+15550109999');
    expect(ok.contacts.map(({ uri }) => uri)).toHaveLength(4);
    b.answer = takes(b);
    const { handle, final } = await a.call(toB());
    expect([final.status, b.invites()]).toEqual([200, ['SIP:b@10.3.0.2']]);
    a.agent.transport.act((now, out) => a.agent.endpoint.hangup(handle, '', now, out));
    await operator.world.run(1_000);
    await b.ask('REGISTER', `sip:${DOMAIN}`, [['Contact', '<SIP:b@10.3.0.2>;expires=0']]);
    expect((await a.call(toB())).final.status).toBe(480);
  });
});

describe('SIPS', () => {
  it('where the first hop is in the clear is refused, so that it is tried as SIP (sections 8.1.3.5, 26.2.2)', async () => {
    await b.register('sip:b@10.3.0.2');
    expect((await a.call(`sips:${b.line.username}@${DOMAIN}`)).final.status).toBe(416);
    expect(b.invites()).toEqual([]);
  });

  it('over TLS leads to a phone that is registered so, and both are told SIPS Contacts (sections 8.1.1.8, 12.1.1)', async () => {
    const [safe, phone] = [await Party.open(a.line, '10.3.0.3', 'tls'), await Party.open(b.line, '10.3.0.4', 'tls')];
    await phone.register('sips:b@10.3.0.4');
    phone.answer = takes(phone);
    const { handle, final } = await safe.call(`sips:${b.line.username}@${DOMAIN}`, 'sips:a@10.3.0.3');
    expect([final.status, final.contacts[0]?.uri]).toEqual([200, 'sips:hl@10.0.0.2:5061']);
    const invite = phone.came.find(({ method, kind }) => method === 'INVITE' && kind === 'request');
    expect([invite?.uri, invite?.contacts[0]?.uri]).toEqual(['sips:b@10.3.0.4', 'sips:hl@10.0.0.2:5061']);
    safe.agent.transport.act((now, out) => safe.agent.endpoint.hangup(handle, '', now, out));
    await operator.world.run(1_000);
    expect(phone.came.some(({ method }) => method === 'BYE')).toBe(true);
  });
});

describe('a call that is refused', () => {
  it.each([
    [404, 404, 1],
    [486, 486, 17],
    [600, 600, 17],
    [480, 480, 20],
    [603, 603, 21],
    [433, 433, 24],
    [488, 488, 88],
    [503, 500, 41],
    // What speaks of our own INVITE is not the caller's affair: its header fields (section 21.4) do not come to it either.
    [405, 480, 31],
    [415, 488, 31],
    [420, 480, 31],
    [421, 480, 31],
    [494, 480, 31],
  ])('with %i: the caller hears %i, and cause %i of Q.850 (RFC 3326)', async (status, heard, cause) => {
    await b.register('sip:b@10.3.0.2');
    b.answer = ({ call }) =>
      void b.agent.transport.act((now, out) => b.agent.endpoint.reject(call, status, {}, now, out));
    const { final } = await a.call(toB());
    expect([final.status, final.header('Warning') !== undefined]).toEqual([heard, heard === 488]);
    if (cause !== 31) expect(final.header('Reason')).toContain(`Q.850;cause=${cause};`);
  });
});

describe('why a side ends (RFC 3326 section 2)', () => {
  const reasons = (method: string) =>
    b.came.filter((one) => one.kind === 'request' && one.method === method).flatMap((one) => one.headerAll('Reason'));
  const hangUp = async (handle: string, reason: string) => {
    a.agent.transport.act((now, out) => a.agent.endpoint.hangup(handle, reason, now, out));
    await operator.world.run(1_000);
  };

  it.each([
    ['SIP;cause=200;text="+15550101001 has it"', ['SIP;cause=200;text="Call completed elsewhere"']],
    ['sip ; cause=600, Q.850;cause=26;text="x", SIP;cause=200', ['SIP;cause=600', 'Q.850;cause=26']],
    ['Preemption;cause=1;text="UA Preemption"', ['Preemption;cause=1']],
    ['X-Other;cause=1, SIP;cause=99, Q.850;cause=x', ['SIP;cause=487;text="Cancelled"']],
    ['', ['SIP;cause=487;text="Cancelled"']],
  ])('a CANCEL that says %s is one with %j for who rings', async (said, heard) => {
    await b.register('sip:b@10.3.0.2');
    b.answer = ({ call }) =>
      void b.agent.transport.act((now, out) => b.agent.endpoint.progress(call, 180, {}, now, out));
    const { endpoint, transport } = a.agent;
    const options = { uri: toB(), from: `<${a.own}>`, to: `<${toB()}>`, contact: 'sip:a@10.3.0.1', sdp: OFFER };
    const handle = transport.act((now, out) =>
      endpoint.invite({ ...options, flow: a.flow, credentials: a.credentials }, now, out),
    );
    await operator.world.run(2_000);
    await hangUp(handle, said);
    expect(reasons('CANCEL')).toEqual(heard);
  });

  it.each([
    ['Q.850;cause=31', ['Q.850;cause=31']],
    ['', ['Q.850;cause=16;text="Normal call clearing"']],
  ])('a BYE that says %s is one with %j for the other side', async (said, heard) => {
    await b.register('sip:b@10.3.0.2');
    b.answer = takes(b);
    await hangUp((await a.call(toB())).handle, said);
    expect(reasons('BYE')).toEqual(heard);
  });
});

describe('a final answer of a phone of which not all can be read (RFC 3261 sections 16.7, 13.2.2.4)', () => {
  const spoilt = (status: number, line: string) => {
    b.spoil = (text) =>
      text.startsWith(`SIP/2.0 ${status}`) && /^CSeq: \d+ INVITE/m.test(text)
        ? text.replace(/^Contact: .*\r\n/m, '').replace('Content-Length', `${line}\r\nContent-Length`)
        : text;
  };
  /** What b got in this call, beside its own registration. */
  const asked = () => b.came.filter(({ kind }) => kind === 'request').map(({ method }) => method);

  it('a refusal comes to the caller at once', async () => {
    await b.register('sip:b@10.3.0.2');
    spoilt(486, 'P-Asserted-Identity: <b@');
    b.answer = ({ call }) => void b.agent.transport.act((now, out) => b.agent.endpoint.reject(call, 486, {}, now, out));
    const { final } = await a.call(toB());
    expect(final.status).toBe(486);
    expect(asked()).toEqual(['INVITE', 'ACK']);
  });

  it('an answer is acknowledged and ended, and the caller hears 502', async () => {
    await b.register('sip:b@10.3.0.2');
    spoilt(200, 'Contact: <sip:b@10.3.0.2');
    b.answer = takes(b);
    const { final } = await a.call(toB());
    expect(final.status).toBe(502);
    expect(final.header('Reason')).toContain('Q.850;cause=41;');
    expect(asked()).toEqual(['INVITE', 'ACK', 'BYE']);
    expect(b.agent.endpoint.counts().calls).toBe(0);
  });
});

it('what becomes of a second REFER in a call is told under its number (RFC 3515 section 2.4.6)', async () => {
  await b.register('sip:b@10.3.0.2');
  b.answer = takes(b);
  const { handle } = await a.call(toB());
  const { endpoint, transport } = a.agent;
  const told = (): (string | undefined)[] =>
    a.came.filter(({ kind, method }) => kind === 'request' && method === 'NOTIFY').map((one) => one.header('Event'));
  const headers = [['Refer-To', `<sip:nobody@${DOMAIN}>`]] as const;
  transport.act((now, out) => endpoint.requestInDialog(handle, 'REFER', { headers }, now, out));
  await operator.world.run(3_000);
  expect(told()).toEqual(['refer', 'refer']);
  transport.act((now, out) => endpoint.requestInDialog(handle, 'REFER', { headers }, now, out));
  await operator.world.run(3_000);
  const { n } = a.final('REFER').cseq;
  expect(told().slice(2)).toEqual([`refer;id=${n}`, `refer;id=${n}`]);
  // A call that is not there is no reason to end this one (RFC 5057 section 5.1).
  const gone = [['Refer-To', `<sip:x@${DOMAIN}?Replaces=gone%3Bto-tag%3Da%3Bfrom-tag%3Db>`]] as const;
  transport.act((now, out) => endpoint.requestInDialog(handle, 'REFER', { headers: gone }, now, out));
  await operator.world.run(1_000);
  expect(a.final('REFER').status).toBe(603);
  expect(endpoint.counts().calls).toBe(1);
  // Nor is a subscription shared with a call (RFC 6665 section 4.5.2).
  transport.act((now, out) =>
    endpoint.requestInDialog(handle, 'SUBSCRIBE', { headers: [['Event', 'dialog']] }, now, out),
  );
  await operator.world.run(1_000);
  expect(a.final('SUBSCRIBE').status).toBe(403);
  transport.act((now, out) => endpoint.hangup(handle, '', now, out));
  await operator.world.run(1_000);
});

it('whose number is withheld is not told by the description of its sound either (RFC 3323 section 4.1)', async () => {
  await b.register('sip:b@10.3.0.2');
  b.answer = takes(b);
  const invited = () => b.came.filter(({ kind, method }) => kind === 'request' && method === 'INVITE').at(-1)?.body;
  await a.call(toB());
  expect(invited()).toContain(`o=- 1 1 IN IP4 ${a.host}`);
  await a.call(toB(), `sip:a@${a.host}`, [['Privacy', 'id']]);
  expect(invited()).toContain('m=audio');
  expect(invited()).not.toContain(a.host);
});

describe('a message of whoever is not to be named (RFC 3323 section 4.2, RFC 5079 section 3)', () => {
  it.each([
    ['id', 433],
    ['x-more;critical', 500],
    // Nobody takes messages here.
    ['none', 503],
  ])('%s: %i', async (privacy, status) => {
    expect((await a.ask('MESSAGE', toB(), [['Privacy', privacy]])).status).toBe(status);
  });

  it('is none inside of a call either, where the caller withholds its number; the callee may write', async () => {
    await b.register('sip:b@10.3.0.2');
    let theirs = '';
    b.answer = (call) => {
      theirs = call.call;
      takes(b)(call);
    };
    const { handle } = await a.call(toB(), `sip:a@${a.host}`, [['Privacy', 'id']]);
    for (const [party, side, status] of [
      [a, handle, 433],
      [b, theirs, 503],
    ] as const) {
      const { endpoint, transport } = party.agent;
      const text = { body: 'x', contentType: 'text/plain' };
      transport.act((now, out) => endpoint.requestInDialog(side, 'MESSAGE', text, now, out));
      await operator.world.run(2_000);
      expect(party.final('MESSAGE').status).toBe(status);
    }
  });
});

describe('requests that belong to no call', () => {
  it.each([
    ['PRACK', 481, undefined],
    ['REFER', 403, undefined],
    ['PUBLISH', 405, 'PRACK'],
    ['GRAB', 501, 'PRACK'],
  ])('%s: %i', async (method, status, allowed) => {
    const answer = await a.ask(method, toB(), [['Refer-To', '<sip:+15550101003@operator.test>']]);
    expect([answer.status, answer.headerAll('Allow').at(-1)]).toEqual([status, allowed]);
  });

  it('an INFO that nobody takes yet is told what it may carry (section 8.2.3)', async () => {
    await b.register('sip:b@10.3.0.2');
    b.answer = ({ call }) =>
      void b.agent.transport.act((now, out) => b.agent.endpoint.progress(call, 180, {}, now, out));
    const { endpoint, transport } = a.agent;
    const options = { uri: toB(), from: `<${a.own}>`, to: `<${toB()}>`, contact: 'sip:a@10.3.0.1', sdp: OFFER };
    const handle = transport.act((now, out) =>
      endpoint.invite({ ...options, flow: a.flow, credentials: a.credentials }, now, out),
    );
    await operator.world.run(2_000);
    const info = { body: 'x', contentType: 'text/odd' };
    transport.act((now, out) => endpoint.requestInDialog(handle, 'INFO', info, now, out));
    await operator.world.run(2_000);
    const answer = a.final('INFO');
    expect([answer.status, answer.headerAll('Accept')]).toEqual([415, ['application/dtmf-relay', 'application/dtmf']]);
    transport.act((now, out) => endpoint.hangup(handle, '', now, out));
    await operator.world.run(1_000);
  });
});
