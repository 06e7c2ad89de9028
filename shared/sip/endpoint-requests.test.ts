/** What the endpoint makes of single requests: sections 8.2 and 17.2.3 of RFC 3261, RFC 3581, digest, routes, flows. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, read, type Side } from '#test/support/sip-duo.ts';
import { challenge } from './digest.ts';
import { newRequest } from './message.ts';
import type { Credentials, Flow } from './types.ts';

let duo = new Duo();
afterEach(() => {
  duo.run();
  for (const { endpoint } of [duo.a, duo.b]) {
    expect([endpoint.counts(), endpoint.waiting]).toEqual([{ transactions: 0, calls: 0 }, 0]);
  }
});

let branch = 0;
interface Raw {
  readonly method?: string;
  readonly uri?: string;
  readonly via?: string;
  readonly more?: string;
  readonly body?: string;
  readonly callId?: string;
}

/** A request outside dialogs, written by hand. */
function raw(parts: Raw = {}): string {
  const { method = 'INVITE', uri = 'sip:b@example.com', more = '', body = '', callId = `id${++branch}` } = parts;
  const via = parts.via ?? `SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKr${++branch}`;
  const contact = method === 'INVITE' ? 'Contact: <sip:a@10.0.0.1>\r\n' : '';
  return `${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=ft\r\nTo: <sip:b@example.com>\r\nCall-ID: ${callId}\r\nCSeq: 7 ${method}\r\n${contact}${more}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** b gets the text; what it sends is lost. */
function give(text: string): string[] {
  duo.fate = () => [];
  const before = duo.b.lines.length;
  duo.deliver(duo.b, text);
  return duo.b.lines.slice(before);
}

describe('refusals', () => {
  const cases: [string, Raw, number, string?][] = [
    ['a method nobody knows', { method: 'GRAB' }, 501],
    ['a known method that is not served', { method: 'PUBLISH' }, 405, 'Allow'],
    ['a strange URI scheme', { uri: 'nobody:b' }, 416],
    ['an unknown Require', { more: 'Require: 100rel, join\r\n' }, 420, 'Unsupported'],
    ['an unknown Proxy-Require', { more: 'Proxy-Require: magic\r\n' }, 420, 'Unsupported'],
    ['an INVITE body that is no session', { more: 'Content-Type: text/html\r\n', body: '<p>' }, 415, 'Accept'],
    [
      'an encoded body',
      { more: 'Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n', body: 'x' },
      415,
      'Accept-Encoding',
    ],
    ['BYE outside a dialog', { method: 'BYE' }, 481],
    ['UPDATE outside a dialog', { method: 'UPDATE' }, 481],
    ['INFO outside a dialog', { method: 'INFO' }, 481],
  ];
  it.each(cases)('%s', (_name, parts, status, header) => {
    duo = new Duo();
    expect(give(raw(parts))).toEqual([`${status} ${parts.method ?? 'INVITE'}`]);
    const response = duo.b.lastSent(String(status));
    expect(response.to.params.has('tag')).toBe(true);
    if (header) expect(response.header(header)).toBeDefined();
    if (status === 420) expect(response.header('Unsupported')).not.toContain('join');
    expect(duo.b.told).toEqual([]);
  });

  it('Require: join and replaces are known; an optional body of any type is let through', () => {
    duo = new Duo();
    give(raw({ more: 'Require: join\r\nSupported: replaces\r\n' }));
    give(raw({ more: 'Content-Type: text/html\r\nContent-Disposition: alert;handling=optional\r\n', body: '<p>' }));
    expect(duo.b.names).toEqual(['incoming', 'incoming']);
    for (const output of duo.b.told) {
      if (output.do === 'incoming') duo.b.act((e, now, out) => e.reject(output.call, 486, {}, now, out));
    }
  });

  it('Max-Forwards 0: a back-to-back agent refuses with 483, an end takes it', () => {
    const text = raw({ method: 'MESSAGE' }).replace('Max-Forwards: 70', 'Max-Forwards: 0');
    duo = new Duo({ b: { backToBack: true } });
    expect(give(text)).toEqual(['483 MESSAGE']);
    duo = new Duo();
    give(text);
    expect(duo.b.names).toEqual(['request']);
  });

  it('junk is dropped, a malformed request refused without a transaction, the same way each time', () => {
    duo = new Duo();
    expect(give('hello\r\n\r\n')).toEqual([]);
    expect(give('SIP/2.0 200 OK\r\n\r\n')).toEqual([]);
    const bad = raw().replace('CSeq: 7 INVITE', 'CSeq: 7 BYE');
    duo.b.decide = () => {};
    expect(give(bad)).toHaveLength(1);
    give(bad);
    expect(duo.b.sent[0]).toBe(duo.b.sent[1]);
    expect(duo.b.lastSent('400').status).toBe(400);
    expect(give(raw().replace(' SIP/2.0\r\nVia', ' SIP/7.0\r\nVia'))).toEqual(['505 INVITE']);
    expect(give(raw({ method: 'ACK' }))).toEqual([]);
  });

  it('the same INVITE along two ways: 482 for the second; a retransmission is no second', () => {
    duo = new Duo();
    const text = raw({ callId: 'same' });
    give(text);
    expect(give(text)).toEqual(['100 INVITE']);
    expect(give(raw({ callId: 'same' }))).toEqual(['482 INVITE']);
    expect(duo.b.names).toEqual(['incoming']);
    duo.b.act((e, now, out) => e.reject(duo.b.last('incoming').call, 486, {}, now, out));
  });

  it('a caller of RFC 2543 without the magic branch is matched by its other names', () => {
    duo = new Duo();
    const text = raw({ via: 'SIP/2.0/UDP 10.0.0.1:5060;branch=1', callId: 'old' });
    give(text);
    duo.b.act((e, now, out) => e.reject(duo.b.last('incoming').call, 486, {}, now, out));
    expect(give(text)).toEqual(['486 INVITE']);
    give(text.replace('INVITE sip', 'ACK sip').replace('7 INVITE', '7 ACK'));
    const before = duo.b.sent.length;
    duo.run(4000);
    expect(duo.b.sent).toHaveLength(before);
  });

  it('the same branch from another sent-by is another transaction', () => {
    duo = new Duo();
    for (const host of ['10.0.0.1', '10.0.0.7', '10.0.0.7:5062'])
      give(raw({ via: `SIP/2.0/UDP ${host};branch=z9hG4bKsame` }));
    expect(duo.b.names).toEqual(['incoming', 'incoming', 'incoming']);
    for (const output of duo.b.told) {
      if (output.do === 'incoming') duo.b.act((e, now, out) => e.reject(output.call, 486, {}, now, out));
    }
  });

  it('a user without an answer: its transaction ends, a late reply is nothing', () => {
    duo = new Duo();
    give(raw({ method: 'OPTIONS' }));
    duo.run();
    expect(duo.b.endpoint.counts().transactions).toBe(0);
    duo.b.act((e, now, out) => e.reply(duo.b.last('request').transaction, 200, {}, now, out));
    expect(duo.b.lines).toEqual(['100 OPTIONS']);
  });
});

describe('the way back', () => {
  const sent = (via: string, source: { host: string; port: number }) => {
    duo = new Duo();
    const flow: Flow = { ...duo.b.flow, remote: source };
    const out: Parameters<typeof duo.b.endpoint.receive>[3] = [];
    duo.b.endpoint.receive(raw({ method: 'GRAB', via }), flow, duo.now, out);
    const [first] = out;
    if (first?.do !== 'send') throw new Error('nothing sent');
    return { to: first.flow.remote, via: first.message.headerAll('Via')[0] };
  };

  it('rport: to the source port, with received and rport told', () => {
    expect(sent('SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bK1;rport', { host: '203.0.113.9', port: 41000 })).toEqual({
      to: { host: '203.0.113.9', port: 41000 },
      via: 'SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bK1;received=203.0.113.9;rport=41000',
    });
  });

  it('without rport: to the port of sent-by, received where the host differs', () => {
    expect(sent('SIP/2.0/UDP phone.example.com:5070;branch=z9hG4bK1', { host: '10.0.0.1', port: 41000 })).toEqual({
      to: { host: '10.0.0.1', port: 5070 },
      via: 'SIP/2.0/UDP phone.example.com:5070;branch=z9hG4bK1;received=10.0.0.1',
    });
    expect(sent('SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1', { host: '10.0.0.1', port: 41000 })).toEqual({
      to: { host: '10.0.0.1', port: 5060 },
      via: 'SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1',
    });
  });

  it('a forged received is not believed; of IPv6 it has no brackets (RFC 5118 section 4.5)', () => {
    const v6 = sent('SIP/2.0/UDP [2001:db8::9]:5060;received=1.2.3.4;branch=z9hG4bK1;rport', {
      host: '2001:db8::7',
      port: 6000,
    });
    expect(v6.via).toBe('SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK1;received=2001:db8::7;rport=6000');
  });
});

describe('routes', () => {
  const dialogOf = (recordRoute: string) => {
    duo = new Duo();
    duo.b.decide = obliging;
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, raw({ more: `${recordRoute}Content-Type: application/sdp\r\n`, body: 'x' }));
    const ok = duo.b.lastSent('200');
    const ack = raw({ method: 'ACK', callId: ok.callId }).replace(/To: .*\r\n/, `To: ${ok.header('To')}\r\n`);
    duo.deliver(duo.b, ack);
    duo.b.act((e, now, out) => e.hangup(duo.b.last('incoming').call, '', now, out));
    return { ok, bye: duo.b.lastSent('BYE') };
  };

  it('Record-Route is copied to the 2xx and becomes the callee’s route in the same order', () => {
    const { ok, bye } = dialogOf('Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\n');
    expect(ok.headerAll('Record-Route')).toEqual(['<sip:p2;lr>', '<sip:p1;lr>']);
    expect(bye.headerAll('Route')).toEqual(['<sip:p2;lr>', '<sip:p1;lr>']);
    expect(bye.uri).toBe('sip:a@10.0.0.1');
  });

  it('a strict router takes the Request-URI, the target goes to the end', () => {
    const { bye } = dialogOf('Record-Route: <sip:strict.example.com>, <sip:p1;lr>\r\n');
    expect(bye.uri).toBe('sip:strict.example.com');
    expect(bye.headerAll('Route')).toEqual(['<sip:p1;lr>', '<sip:a@10.0.0.1>']);
  });

  it('the caller’s route is the reverse', () => {
    duo = new Duo();
    duo.fate = () => [];
    const call = duo.call({ sdp: 'x', route: ['<sip:out;lr>'] });
    const invite = duo.a.lastSent('INVITE');
    expect(invite.headerAll('Route')).toEqual(['<sip:out;lr>']);
    duo.deliver(
      duo.a,
      `SIP/2.0 200 OK\r\nVia: ${invite.header('Via')}\r\nFrom: ${invite.header('From')}\r\nTo: ${invite.header('To')};tag=t\r\nCall-ID: ${invite.callId}\r\nCSeq: 1 INVITE\r\nContact: <sip:b@10.0.0.9>\r\nRecord-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(duo.a.lastSent('ACK').headerAll('Route')).toEqual(['<sip:p1;lr>', '<sip:p2;lr>']);
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
  });
});

describe('digest', () => {
  const credentials: Credentials = { username: 'alice', realm: 'home', ha1: { md5: 'm', sha256: 's' } };
  const demanding =
    (realm: string, always = false) =>
    (output: Side['told'][number], side: Side) => {
      const wanted = challenge({ realm, nonce: 'n1', algorithms: ['SHA-256', 'MD5'] }).map(
        (value) => ['Proxy-Authenticate', value] as const,
      );
      side.act((e, now, out) => {
        if (output.do === 'incoming' && (always || !output.message.header('Proxy-Authorization'))) {
          e.reject(output.call, 407, { headers: wanted }, now, out);
        } else if (output.do === 'request' && (always || !output.message.header('Proxy-Authorization'))) {
          e.reply(output.transaction, 407, { headers: wanted }, now, out);
        } else obliging(output, side);
      });
    };

  it('an INVITE is sent again once with the answer, in the same Call-ID with the next number', () => {
    duo = new Duo();
    duo.b.decide = demanding('home');
    const call = duo.call({ sdp: 'x', credentials });
    duo.run(100);
    expect(duo.a.names).toEqual(['progress', 'answered']);
    const again = duo.a.lastSent('INVITE');
    expect(again.header('Proxy-Authorization')).toContain('algorithm=SHA-256');
    expect(again.cseq.n).toBe(2);
    expect(again.callId).toBe(read(duo.a.sent[0] ?? '').callId);
    expect(duo.a.lastSent('ACK').cseq.n).toBe(2);
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    expect(duo.a.lastSent('BYE').cseq.n).toBe(3);
  });

  it('refused again, or asked by a stranger, it is not repeated', () => {
    duo = new Duo();
    duo.b.decide = demanding('home', true);
    duo.call({ sdp: 'x', credentials });
    duo.run(100);
    expect(duo.a.last('failed').status).toBe(407);
    expect(duo.a.lines.filter((line) => line === 'INVITE')).toHaveLength(2);
    duo = new Duo();
    duo.b.decide = demanding('elsewhere');
    duo.call({ sdp: 'x', credentials });
    duo.run(100);
    expect(duo.a.lines.filter((line) => line === 'INVITE')).toHaveLength(1);
  });

  it('a request outside dialogs gets its headers, and with credentials its answer', () => {
    duo = new Duo();
    duo.b.decide = demanding('home');
    const register = newRequest('REGISTER', 'sip:home', [
      ['From', '<sip:alice@home>'],
      ['To', '<sip:alice@home>'],
    ]);
    const handle = duo.a.act((e, now, out) => e.request(register, duo.a.flow, now, out, credentials));
    duo.run(100);
    expect(duo.a.told).toHaveLength(1);
    expect(duo.a.last('response')).toMatchObject({ transaction: handle, message: { status: 200 } });
    const sent = duo.a.lastSent('REGISTER');
    expect(sent.cseq.n).toBe(2);
    expect(sent.from.params.get('tag')).toBe(read(duo.a.sent[0] ?? '').from.params.get('tag'));
    expect(sent.header('Max-Forwards')).toBe('70');
  });
});

describe('flows', () => {
  const tcp = () => {
    duo = new Duo({ protocol: 'tcp' });
    duo.b.decide = obliging;
    return duo.call();
  };
  const other = (side: Side): Flow => ({ ...side.flow, id: `${side.flow.id}2` });

  it('an established call outlives its connection if another is found in time', () => {
    const call = tcp();
    duo.run(100);
    duo.a.act((e, now, out) => e.flowClosed(duo.a.flow, now, out));
    duo.run(30_000);
    duo.a.endpoint.moveCall(call, other(duo.a));
    duo.run(60_000);
    expect(duo.a.names).not.toContain('ended');
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    duo.run(100);
    expect(duo.b.last('ended').why).toBe('bye');
  });

  it('a probe leaves a call alone that the other side knows', () => {
    const call = tcp();
    duo.run(100);
    expect(duo.a.endpoint.moveCall(call, duo.a.flow)).toBe(false);
    duo.a.act((e, now, out) => e.probe(call, now, out));
    duo.run(60_000);
    expect([duo.a.names, duo.b.names]).not.toContainEqual(expect.arrayContaining(['ended']));
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    duo.run(100);
  });

  it('a probe ends a call that the other side does not know, and one whose other side is silent', () => {
    const forgotten = tcp();
    duo.run(100);
    const theirs = duo.b.last('incoming').call;
    // b hangs up, and a never hears of it.
    const { fate } = duo;
    duo.fate = () => [];
    duo.b.act((e, now, out) => e.hangup(theirs, '', now, out));
    duo.run(40_000);
    duo.fate = fate;
    expect(duo.a.names).not.toContain('ended');
    duo.a.act((e, now, out) => e.probe(forgotten, now, out));
    duo.run(100);
    expect(duo.a.last('ended').why).toBe('timeout');
    duo.run();

    const silent = tcp();
    duo.run(100);
    duo.fate = () => [];
    duo.a.act((e, now, out) => e.probe(silent, now, out));
    duo.run(33_000);
    expect(duo.a.last('ended').why).toBe('timeout');
    duo.b.act((e, now, out) => e.hangup(duo.b.last('incoming').call, '', now, out));
    duo.run();
  });

  it('otherwise it ends after the grace; an early call ends at once', () => {
    const call = tcp();
    duo.run(100);
    duo.b.act((e, now, out) => e.flowClosed(duo.b.flow, now, out));
    duo.run(59_900);
    expect(duo.b.names).not.toContain('ended');
    duo.run(200);
    expect(duo.b.last('ended').why).toBe('transport');
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    duo.run();
    tcp();
    duo.b.decide = () => {};
    duo.run(100);
    for (const side of [duo.a, duo.b]) side.act((e, now, out) => e.flowClosed(side.flow, now, out));
    expect(duo.b.last('ended').why).toBe('transport');
    expect(duo.a.last('failed').status).toBe(503);
  });

  it('a request inside the dialog over a new connection brings the call there', () => {
    const call = tcp();
    duo.run(100);
    duo.b.act((e, now, out) => e.flowClosed(duo.b.flow, now, out));
    duo.a.act((e, now, out) => e.requestInDialog(call, 'INFO', {}, now, out));
    const text = duo.a.sent.at(-1) ?? '';
    duo.fate = () => [];
    duo.b.act((e, now, out) => e.receive(text, other(duo.b), now, out));
    duo.fate = () => [1];
    duo.run(60_000);
    expect(duo.b.names).not.toContain('ended');
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
  });

  it('a snapshot carries a call over a restart', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    const call = duo.call();
    duo.run(100);
    const snapshot = duo.a.endpoint.snapshot(call);
    expect(snapshot).toMatchObject({ initiator: true, localSeq: 1, remoteTarget: 'sip:b@10.0.0.2:5060' });
    const first = duo.a;
    const fresh = new Duo({ seed: 5 });
    const restored = fresh.a.endpoint.restore(JSON.parse(JSON.stringify(snapshot)), fresh.a.flow);
    fresh.a.act((e, now, out) => e.hangup(restored, '', now, out));
    const bye = fresh.a.lastSent('BYE');
    expect(bye.from.params.get('tag')).toBe(first.lastSent('ACK').from.params.get('tag'));
    duo.deliver(duo.b, fresh.a.sent[0] ?? '');
    expect(duo.b.last('ended').why).toBe('bye');
    fresh.fate = () => [];
    fresh.run();
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
  });
});
