/** Single clauses of RFC 3261 that bind an endpoint: credentials of the ACK, SIPS contacts, what refusals have to carry. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, read, type Side, type Told } from '#test/support/sip-duo.ts';
import { challenge } from './digest.ts';
import { newRequest } from './message.ts';
import type { Credentials } from './types.ts';

let duo = new Duo();
afterEach(() => {
  for (const side of [duo.a, duo.b])
    for (const output of side.told)
      if (output.do === 'answered' || output.do === 'incoming')
        side.act((e, now, out) => e.hangup(output.call, '', now, out));
  duo.run();
  for (const { endpoint } of [duo.a, duo.b]) {
    expect([endpoint.counts(), endpoint.waiting]).toEqual([{ transactions: 0, calls: 0 }, 0]);
  }
});

const credentials: Credentials = { username: 'alice', realm: 'home', ha1: { md5: 'm', sha256: 's' } };

/** Refuses an INVITE with each of these challenges that it does not answer yet, then obliges. */
const demanding =
  (...steps: readonly (readonly [status: 401 | 407, stale?: true])[]) =>
  (output: Told, side: Side): void => {
    const asked = side.lines.filter((line) => line.startsWith('4')).length;
    const [status, stale = false] = steps[asked] ?? [];
    if (output.do !== 'incoming' || status === undefined) {
      obliging(output, side);
      return;
    }
    const name = status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    const [value = ''] = challenge({ realm: 'home', nonce: `n${asked}`, stale, algorithms: ['MD5'] });
    side.act((e, now, out) => e.reject(output.call, status, { headers: [[name, value]] }, now, out));
  };

describe('who asks for credentials', () => {
  it.each([
    ['a proxy', [[407]], ['Proxy-Authorization']],
    ['a proxy, then a server (section 22.3)', [[407], [401]], ['Proxy-Authorization', 'Authorization']],
    ['a server, whose nonce grows stale', [[401], [401, true]], ['Authorization']],
    ['nobody', [], []],
  ] as const)('%s gets those of the INVITE in the ACK too (section 13.2.2.4)', (_who, steps, names) => {
    duo = new Duo();
    duo.b.decide = demanding(...steps);
    duo.call({ sdp: 'x', credentials });
    duo.run(100);
    expect(duo.a.names).toContain('answered');
    const [invite, ack] = [duo.a.lastSent('INVITE'), duo.a.lastSent('ACK')];
    for (const name of ['Authorization', 'Proxy-Authorization']) {
      expect(invite.header(name) !== undefined).toBe(names.some((one) => one === name));
      expect(ack.header(name)).toBe(invite.header(name));
    }
  });

  it.each([
    ['the same one asks twice', [[407], [407]]],
    ['a nonce is stale twice', [[407], [407, true], [407, true]]],
  ] as const)('%s: the call fails (section 22.1)', (_what, steps) => {
    duo = new Duo();
    duo.b.decide = demanding(...steps);
    duo.call({ sdp: 'x', credentials });
    duo.run(100);
    expect(duo.a.last('failed').status).toBe(407);
    expect(duo.a.lines.filter((line) => line === 'INVITE')).toHaveLength(steps.length);
  });

  it('in a call: the ACK of a re-INVITE, and of a fork that is not wanted', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    const call = duo.call({ sdp: 'x', credentials });
    duo.run(100);
    const [value = ''] = challenge({ realm: 'home', nonce: 'n', algorithms: ['MD5'] });
    duo.fate = (text) => (text.startsWith('INVITE') && !text.includes('Proxy-Authorization') ? [] : [1]);
    duo.a.act((e, now, out) => e.reoffer(call, 'new', now, out));
    const invite = duo.a.lastSent('INVITE');
    const lines = ['Via', 'From', 'To', 'Call-ID', 'CSeq']
      .map((name) => `${name}: ${invite.header(name)}\r\n`)
      .join('');
    duo.deliver(duo.a, `SIP/2.0 407 Who\r\n${lines}Proxy-Authenticate: ${value}\r\nContent-Length: 0\r\n\r\n`);
    duo.run(100);
    expect(duo.a.lastSent('ACK').cseq.n).toBe(invite.cseq.n + 1);
    expect(duo.a.lastSent('ACK').header('Proxy-Authorization')).toContain('nonce="n"');
  });

  it('a fork that answers late is acknowledged with them', () => {
    duo = new Duo();
    duo.b.decide = demanding([407]);
    duo.call({ sdp: 'x', credentials });
    duo.run(100);
    const ok = duo.b.sent.findLast((text) => text.startsWith('SIP/2.0 200')) ?? '';
    duo.deliver(duo.a, ok.replace(/(\r\nTo: [^\r]*;tag=)[^\r;]*/, '$1other'));
    const ack = duo.a.lastSent('ACK');
    expect(ack.toTag).toBe('other');
    expect(ack.header('Proxy-Authorization')).toBe(duo.a.lastSent('INVITE').header('Proxy-Authorization'));
  });
});

describe('SIPS', () => {
  it.each([
    ['tls', 'sips:b@example.com', [], '<sips:a@10.0.0.1:5060>', '<sips:b@10.0.0.2:5060>'],
    ['wss', 'sips:b@example.com', [], '<sips:a@10.0.0.1:5060;transport=ws>', '<sips:b@10.0.0.2:5060;transport=ws>'],
    ['tls', 'sip:b@example.com', [], '<sip:a@10.0.0.1:5060;transport=tls>', '<sip:b@10.0.0.2:5060;transport=tls>'],
    ['udp', 'sips:b@example.com', [], '<sip:a@10.0.0.1:5060>', '<sip:b@10.0.0.2:5060>'],
    [
      'tls',
      'sip:b@example.com',
      [['Record-Route', '<sips:p.example;lr>, <sip:q.example;lr>']],
      '<sip:a@10.0.0.1:5060;transport=tls>',
      '<sips:b@10.0.0.2:5060>',
    ],
    [
      'tls',
      'sip:b@example.com',
      [['Record-Route', '<sip:p.example;lr>, <sips:q.example;lr>']],
      '<sip:a@10.0.0.1:5060;transport=tls>',
      '<sip:b@10.0.0.2:5060;transport=tls>',
    ],
  ] as const)(
    'over %s, an INVITE to %s with %j: Contact %s and %s (sections 8.1.1.8, 12.1.1)',
    (protocol, uri, headers, ours, theirs) => {
      duo = new Duo({ protocol });
      duo.b.decide = obliging;
      const call = duo.call({ uri, sdp: 'x', headers });
      duo.run(100);
      expect(duo.a.lastSent('INVITE').header('Contact')).toBe(ours);
      expect(duo.b.lastSent('200').header('Contact')).toBe(theirs);
      duo.b.act((e, now, out) => e.reoffer(duo.b.last('incoming').call, 'new', now, out));
      // A target refresh says the same (section 12.2.1.1).
      expect(duo.b.lastSent('INVITE').header('Contact')).toBe(theirs);
      duo.a.decide = obliging;
      duo.run(100);
      expect(duo.a.lastSent('200 INVITE').header('Contact')).toBe(ours);
      duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    },
  );

  it('a caller whose Contact is SIPS is answered by one', () => {
    duo = new Duo({ protocol: 'tls' });
    duo.b.decide = obliging;
    duo.call({ contact: 'sips:a@10.0.0.1:5060', sdp: 'x' });
    duo.run(100);
    expect(duo.b.lastSent('200').header('Contact')).toBe('<sips:b@10.0.0.2:5060>');
  });
});

let branch = 0;
/** A request outside dialogs. */
const raw = (method: string, more = '', via = `z9hG4bKc${++branch}`, callId = `c${branch}`): string =>
  `${method} sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=${via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=f\r\nTo: <sip:b@example.com>\r\nCall-ID: ${callId}\r\nCSeq: 1 ${method}\r\n${more}Content-Length: 0\r\n\r\n`;

/** b gets the text; its answers do not arrive. */
function give(text: string): void {
  duo.fate = () => [];
  duo.deliver(duo.b, text);
}

describe('what refusals and answers carry', () => {
  it.each([
    ['501, with what is served (RFC 4475 section 3.1.1.2)', 'GRAB', '', '501', 'Allow', 'OPTIONS'],
    ['405 the same (section 8.2.1)', 'PUBLISH', '', '405', 'Allow', 'OPTIONS'],
    ['406 says why', 'INVITE', 'Accept: text/plain\r\n', '406', 'Warning', '399 '],
    ['PRACK outside a dialog: 481 (RFC 3262 section 3)', 'PRACK', 'RAck: 1 1 INVITE\r\n', '481', 'To', ';tag='],
  ])('%s', (_what, method, more, status, header, part) => {
    duo = new Duo({ b: { reliable: true } });
    give(raw(method, more));
    expect(duo.b.lastSent(status).header(header)).toContain(part);
  });

  it('a user that refuses a method needs not say what is served', () => {
    duo = new Duo();
    give(raw('MESSAGE'));
    const { transaction } = duo.b.last('request');
    duo.b.act((e, now, out) => e.reply(transaction, 405, {}, now, out));
    expect(duo.b.lastSent('405').headerAll('Allow')).toContain('OPTIONS');
  });

  it.each([488, 606])('%i to an INVITE, and in a call, says why (sections 13.3.1.3, 14.2)', (status) => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.reject(output.call, status, {}, now, out));
    };
    duo.call({ sdp: 'x' });
    duo.run(100);
    expect(duo.b.lastSent(String(status)).header('Warning')).toBe('305 hl "Incompatible media format"');
    duo.b.decide = (output, side) => {
      if (output.do === 'offer') side.act((e, now, out) => e.refuseOffer(output.call, status, now, out));
      else obliging(output, side);
    };
    const call = duo.call({ sdp: 'x' });
    duo.run(100);
    duo.a.act((e, now, out) => e.reoffer(call, 'new', now, out));
    duo.run(100);
    expect(duo.b.lastSent(`${status} INVITE`).cseq.n).toBe(2);
    expect(duo.b.lastSent(`${status} INVITE`).headerAll('Warning')).toHaveLength(1);
  });

  it.each([
    ['tcp', ['identity'], ['en']],
    ['udp', [], []],
  ] as const)(
    'OPTIONS over %s: Allow, Accept, and over streams the rest (section 11.2)',
    (protocol, encodings, languages) => {
      duo = new Duo({ protocol });
      duo.b.decide = obliging;
      give(raw('OPTIONS'));
      const ok = duo.b.lastSent('200');
      expect([ok.headerAll('Accept-Encoding'), ok.headerAll('Accept-Language')]).toEqual([encodings, languages]);
      expect([ok.headerAll('Accept'), ok.headerAll('Allow').includes('BYE')]).toEqual([['application/sdp'], true]);
    },
  );
});

it('a CANCEL of what is no INVITE is answered 200 and changes nothing (section 9.2)', () => {
  duo = new Duo();
  give(raw('MESSAGE', '', 'z9hG4bKm', 'm'));
  give(raw('CANCEL', '', 'z9hG4bKm', 'm'));
  give(raw('CANCEL', '', 'z9hG4bKn', 'm'));
  expect(duo.b.lines).toEqual(['200 CANCEL', '481 CANCEL']);
  const { transaction } = duo.b.last('request');
  duo.b.act((e, now, out) => e.reply(transaction, 200, {}, now, out));
  expect(duo.b.lines.at(-1)).toBe('200 MESSAGE');
});

it('a version is read in any case, and written in capitals (section 7.1)', () => {
  duo = new Duo();
  const options = newRequest('OPTIONS', 'sip:b@example.com', [
    ['From', '<sip:a@example.com>'],
    ['To', '<sip:b@example.com>'],
  ]);
  duo.b.decide = obliging;
  duo.fate = (text, from) => {
    if (from === duo.b) duo.deliver(duo.a, text.replace('SIP/2.0 200', 'sip/2.0 200'));
    return from === duo.a ? [1] : [];
  };
  duo.a.act((e, now, out) => e.request(options, duo.a.flow, now, out));
  duo.run(100);
  expect(duo.a.last('response').message.status).toBe(200);
});

it('what a URI would have a request carry goes into none (section 19.1.5)', () => {
  duo = new Duo();
  duo.b.decide = obliging;
  duo.call({ uri: 'sip:b@10.0.0.2;method=BYE;x=y?Route=%3Csip:evil%3E', sdp: 'x' });
  duo.run(100);
  expect(read(duo.a.sent[0] ?? '').uri).toBe('sip:b@10.0.0.2;x=y');
  expect(duo.a.names).toContain('answered');
});
