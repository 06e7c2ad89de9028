/** Malformed final responses: what is taken of them, by header, method and status (RFC 3261 sections 8.1.3.2, 16.7, 18.3; RFC 4475 section 3.1.2). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging } from '#test/support/sip-duo.ts';
import { newRequest, newResponse, type SipMessage } from './message.ts';
import { parse } from './parse.ts';
import { MalformedSuccess, plainFinal } from './plain-final.ts';
import { validate } from './validate.ts';
import { write } from './write.ts';

let duo = new Duo();
afterEach(() => {
  duo.run();
  for (const { endpoint } of [duo.a, duo.b]) expect(endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
});

/** What is wrong beside what a response is known by. */
const FAULTS: readonly (readonly [name: string, damage: (text: string) => string])[] = [
  ['a Contact that is none', (text) => added(text, 'Contact: <sip:b@10.0.0.2')],
  ['a Contact with an empty tag', (text) => added(text, 'Contact: <sip:b@10.0.0.2>;tag=""')],
  ['a Record-Route without brackets', (text) => added(text, 'Record-Route: sip:10.0.0.9;lr')],
  ['a header without a colon', (text) => added(text, 'Warning 399 example "busy"')],
  ['a header whose name is none', (text) => added(text, 'W@rning: 399')],
  ['a Retry-After twice', (text) => added(text, 'Retry-After: 1\r\nRetry-After: 2')],
  ['a Content-Type that is none', (text) => added(text, 'Content-Type: text')],
  ['an Allow that is no list of tokens', (text) => added(text, 'Allow: INVITE, <ACK>')],
  ['an Expires that is no number', (text) => added(text, 'Expires: soon')],
  ['a P-Asserted-Identity that is none', (text) => added(text, 'P-Asserted-Identity: <b@')],
  ['a NUL in a header', (text) => added(text, 'X-Note: a\0b')],
  ['more headers than are read', (text) => added(text, Array(260).fill('X-Note: a').join('\r\n'))],
  ['a line that ends by LF alone', (text) => added(text, 'X-Note: a\nX-Other: b')],
  ['a Content-Length that is none', (text) => text.replace(/Content-Length: \d+/, 'Content-Length: -1')],
  ['a body shorter than its length', (text) => text.replace(/Content-Length: \d+/, 'Content-Length: 999')],
  ['no end of its headers', (text) => text.slice(0, text.indexOf('Content-Length'))],
];

/** What leaves nothing to know it by. */
const UNKNOWABLE: readonly (readonly [name: string, damage: (text: string) => string])[] = [
  ['a Via of another branch', (text) => text.replace(/branch=\w+/, 'branch=z9hG4bKother')],
  ['a Via that is none', (text) => text.replace(/^Via: .*$/m, 'Via: SIP/2.0/UDP')],
  ['another Via behind it', (text) => added(text, 'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother')],
  ['no Via', (text) => text.replace(/^Via: .*\r\n/m, '')],
  ['a From that is none', (text) => text.replace(/^From: .*$/m, 'From: <sip:a')],
  ['a To that is none', (text) => text.replace(/^To: .*$/m, 'To: <sip:b')],
  ['two To', (text) => added(text, 'To: <sip:b@example.com>;tag=other')],
  ['no Call-ID', (text) => text.replace(/^Call-ID: .*\r\n/m, '')],
  [
    'a CSeq beyond 31 bits (RFC 4475 section 3.1.2.5)',
    (text) => text.replace(/^CSeq: \d+/m, 'CSeq: 36893488147419103232'),
  ],
];

/** With a further line before Content-Length. */
const added = (text: string, line: string): string => text.replace('Content-Length', () => `${line}\r\nContent-Length`);

/** The wire form of a response to what a sent last, made by `damage`. */
function answerTo(line: string, status: number, damage: (text: string) => string): string {
  const request = duo.a.lastSent(line);
  const tag = request.toTag === undefined ? 'b1' : undefined;
  return damage(write(newResponse(request, status, undefined, [['X-Kept', 'yes']], tag)));
}

/** A call of a that nobody but this test answers. */
function called(more = {}): string {
  duo = new Duo();
  duo.fate = () => [];
  return duo.call({ sdp: 'offer', ...more });
}

const STATUSES = [300, 404, 486, 503, 603];

describe('a refusal of an INVITE', () => {
  it.each(FAULTS)('with %s ends it at once, and is acknowledged', (_name, damage) => {
    for (const status of STATUSES) {
      called();
      const text = answerTo('INVITE', status, damage);
      duo.deliver(duo.a, text);
      expect(duo.a.last('failed').status).toBe(status);
      expect(duo.a.lines).toEqual(['INVITE', 'ACK']);
      const ack = duo.a.lastSent('ACK');
      expect([ack.toTag, ack.topVia?.branch]).toEqual(['b1', duo.a.lastSent('INVITE').topVia?.branch]);
      // Nothing of what is told of it is malformed.
      const told = duo.a.last('failed').message as SipMessage;
      expect([validate(told), write(told).includes('\0'), told.header('X-Kept')]).toEqual([undefined, false, 'yes']);
      duo.deliver(duo.a, text);
      expect(duo.a.lines).toEqual(['INVITE', 'ACK', 'ACK']);
      duo.run();
    }
  });

  it.each(UNKNOWABLE)('with %s is dropped', (_name, damage) => {
    called();
    duo.deliver(duo.a, answerTo('INVITE', 486, damage));
    expect([duo.a.names, duo.a.lines]).toEqual([[], ['INVITE']]);
    duo.run();
    expect(duo.a.last('failed').status).toBe(408);
  });

  it('with a challenge beside what is malformed is answered with credentials', () => {
    const ha1 = { md5: 'h', sha256: 'h' };
    called({ credentials: { username: 'a', realm: 'r', ha1 } });
    const challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nAllow: <ACK>';
    duo.deliver(
      duo.a,
      answerTo('INVITE', 401, (text) => added(text, challenge)),
    );
    expect(duo.a.lines).toEqual(['INVITE', 'ACK', 'INVITE']);
    expect(duo.a.lastSent('INVITE').header('Authorization')).toContain('nonce="n"');
    duo.deliver(
      duo.a,
      answerTo('INVITE', 486, (text) => text),
    );
  });

  it('of a provisional kind is dropped: the next one says more', () => {
    called();
    duo.deliver(
      duo.a,
      answerTo('INVITE', 180, (text) => added(text, 'Expires: soon')),
    );
    expect(duo.a.names).toEqual([]);
    duo.deliver(
      duo.a,
      answerTo('INVITE', 486, (text) => text),
    );
  });
});

describe('a 2xx to an INVITE', () => {
  it.each(FAULTS)('with %s is acknowledged and ended, and the call fails with 502', (_name, damage) => {
    for (const more of [{}, { sdp: undefined }, { held: true }]) {
      called(more);
      const text = answerTo('INVITE', 200, damage);
      duo.deliver(duo.a, text);
      expect(duo.a.told).toEqual([{ do: 'failed', call: expect.any(String), status: 502 }]);
      expect(duo.a.lines).toEqual(['INVITE', 'ACK', 'BYE']);
      // There is no Contact to be read: the remote target is what was called.
      for (const line of ['ACK', 'BYE']) expect(duo.a.lastSent(line).uri).toBe('sip:b@example.com');
      expect(duo.a.lastSent('BYE').toTag).toBe('b1');
      duo.deliver(duo.a, text);
      expect(duo.a.lines).toEqual(['INVITE', 'ACK', 'BYE', 'ACK']);
      duo.deliver(
        duo.a,
        answerTo('BYE', 200, (one) => one),
      );
      duo.run();
      expect(duo.a.names).toEqual(['failed']);
    }
  });

  it('whose Contact and route can be read: ACK and BYE go there', () => {
    called();
    const more = 'Contact: <sip:b@10.0.0.2:5070>\r\nRecord-Route: <sip:10.0.0.9;lr>\r\nExpires: soon';
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text, more)),
    );
    for (const line of ['ACK', 'BYE']) {
      const { uri, routes } = duo.a.lastSent(line);
      expect([uri, routes.map((one) => one.uri)]).toEqual(['sip:b@10.0.0.2:5070', ['sip:10.0.0.9;lr']]);
    }
    duo.deliver(
      duo.a,
      answerTo('BYE', 200, (text) => text),
    );
  });

  it('of a call that was hung up meanwhile is ended without another word', () => {
    const call = called();
    duo.a.act((endpoint, now, out) => endpoint.hangup(call, '', now, out));
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text, 'Expires: soon')),
    );
    expect([duo.a.names, duo.a.lines]).toEqual([[], ['INVITE', 'ACK', 'BYE']]);
    duo.deliver(
      duo.a,
      answerTo('BYE', 200, (text) => text),
    );
  });

  it('of another fork after a sound one ends that fork alone', () => {
    called();
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text, 'Contact: <sip:b@10.0.0.2>')),
    );
    expect(duo.a.names).toEqual(['answered']);
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text.replace('tag=b1', 'tag=b2'), 'Expires: soon')),
    );
    expect([duo.a.names, duo.a.lines]).toEqual([['answered'], ['INVITE', 'ACK', 'ACK', 'BYE']]);
    expect(duo.a.lastSent('BYE').toTag).toBe('b2');
    const { call } = duo.a.last('answered');
    duo.a.act((endpoint, now, out) => endpoint.hangup(call, '', now, out));
    duo.deliver(
      duo.a,
      answerTo('BYE', 200, (text) => text),
    );
  });

  it('of another fork after a malformed one ends that fork too', () => {
    called();
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text, 'Expires: soon')),
    );
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => text.replace('tag=b1', 'tag=b2')),
    );
    expect([duo.a.names, duo.a.lines]).toEqual([['failed'], ['INVITE', 'ACK', 'BYE', 'ACK', 'BYE']]);
  });

  it('that changes a session ends the call: nobody knows what holds', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    const call = duo.call();
    duo.run(100);
    duo.fate = () => [];
    duo.a.act((endpoint, now, out) => endpoint.reoffer(call, 'more', now, out));
    const text = answerTo('INVITE', 200, (one) => added(one, 'Expires: soon'));
    const before = duo.a.lines.length;
    duo.deliver(duo.a, text);
    expect(duo.a.lines.slice(before)).toEqual(['ACK', 'BYE']);
    expect(duo.a.last('ended').why).toBe('timeout');
    duo.deliver(duo.a, text);
    expect(duo.a.lines.slice(before)).toEqual(['ACK', 'BYE', 'ACK']);
    duo.b.act((endpoint, now, out) => endpoint.hangup(duo.b.last('incoming').call, '', now, out));
  });
});

describe('a final response to another request', () => {
  const asked = (method: string): void => {
    duo = new Duo();
    duo.fate = () => [];
    const from = [
      ['From', '<sip:a@example.com>'],
      ['To', '<sip:b@example.com>'],
    ] as const;
    const request = newRequest(method, 'sip:b@example.com', from);
    duo.a.act((endpoint, now, out) => endpoint.request(request, duo.a.flow, now, out));
  };

  const ASKED = ['OPTIONS', 'MESSAGE', 'REGISTER', 'SUBSCRIBE', 'PUBLISH', 'NOTIFY', 'INFO', 'REFER'];

  it.each(ASKED)('refuses %s at once', (method) => {
    for (const [, damage] of FAULTS) {
      for (const status of STATUSES) {
        asked(method);
        duo.deliver(duo.a, answerTo(method, status, damage));
        expect(duo.a.last('response').message.status).toBe(status);
        duo.run();
      }
    }
  });

  it.each(['OPTIONS', 'MESSAGE', 'NOTIFY', 'INFO'])('a 2xx to %s is taken', (method) => {
    for (const [, damage] of FAULTS) {
      asked(method);
      duo.deliver(duo.a, answerTo(method, 200, damage));
      expect(duo.a.last('response').message.status).toBe(200);
      duo.run();
    }
  });

  // What was granted stands in the headers of these, or in the body.
  it.each(['REGISTER', 'SUBSCRIBE', 'PUBLISH', 'REFER'])('a 2xx to %s fails at once, as silence would', (method) => {
    for (const [, damage] of FAULTS) {
      asked(method);
      duo.deliver(duo.a, answerTo(method, 200, damage));
      expect(duo.a.names).toEqual(['response']);
      const { status, contacts, body } = duo.a.last('response').message;
      expect([status, contacts, body]).toEqual([408, [], '']);
      duo.run();
      expect(duo.a.names).toEqual(['response']);
    }
  });

  it('of which nothing can be known is not waited for less: it may be of another request', () => {
    for (const [, damage] of UNKNOWABLE) {
      asked('REGISTER');
      duo.deliver(duo.a, answerTo('REGISTER', 200, damage));
      expect(duo.a.names).toEqual([]);
      duo.run();
      expect(duo.a.names).toEqual(['no-response']);
    }
  });

  it('to a refresh by UPDATE ends the call at once: nobody knows what was agreed', () => {
    duo = new Duo({ a: { sessionExpires: 100 }, b: { sessionExpires: 1800 } });
    duo.b.decide = obliging;
    duo.call();
    duo.run(100);
    duo.fate = () => [];
    duo.run(49_950);
    duo.deliver(
      duo.a,
      answerTo('UPDATE', 200, (text) => added(text, 'Contact: <sip:b@10.0.0.2')),
    );
    expect(duo.a.lines.slice(-2)).toEqual(['UPDATE', 'BYE']);
    expect(duo.a.names.at(-1)).toBe('ended');
    duo.b.act((endpoint, now, out) => endpoint.hangup(duo.b.last('incoming').call, '', now, out));
  });

  it('to a PRACK is waited for no longer, and the call goes on', () => {
    duo = new Duo({ a: { reliable: true }, b: { reliable: true } });
    duo.call();
    duo.run(10);
    const { call } = duo.b.last('incoming');
    duo.b.act((endpoint, now, out) => endpoint.progress(call, 183, { sdp: 'early' }, now, out));
    duo.fate = (text) => (text.includes('PRACK') ? [] : [1]);
    duo.run(10);
    duo.deliver(
      duo.a,
      answerTo('PRACK', 200, (text) => added(text, 'Expires: soon')),
    );
    duo.run(5_000);
    expect(duo.a.lines).toEqual(['INVITE', 'PRACK']);
    duo.b.act((endpoint, now, out) => endpoint.reject(call, 486, {}, now, out));
    duo.run();
    expect(duo.a.names).toEqual(['progress', 'failed']);
  });

  it('ends CANCEL and BYE: they are not sent again', () => {
    const call = called();
    duo.deliver(
      duo.a,
      answerTo('INVITE', 180, (text) => text),
    );
    duo.a.act((endpoint, now, out) => endpoint.hangup(call, '', now, out));
    duo.deliver(
      duo.a,
      answerTo('CANCEL', 200, (text) => added(text, 'Expires: soon')),
    );
    duo.deliver(
      duo.a,
      answerTo('INVITE', 200, (text) => added(text, 'Expires: soon')),
    );
    duo.deliver(
      duo.a,
      answerTo('BYE', 200, (text) => added(text, 'Expires: soon')),
    );
    duo.run();
    expect(duo.a.lines).toEqual(['INVITE', 'CANCEL', 'ACK', 'BYE']);
  });
});

describe('what is taken', () => {
  const judged = (text: string) => plainFinal(parse(text).message as SipMessage);
  const base =
    'SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: 1\r\n';

  it('leaves out every line of a header of which one is malformed, and nothing else', () => {
    const more = 'Contact: <sip:x@a>\r\nContact: <sip:y\r\nAllow: ACK\r\nX-Mine: 1\r\n';
    const taken = judged(`${base}CSeq: 1 INVITE\r\n${more}\r\n`);
    expect(taken?.fields.map(({ name }) => name)).toEqual(['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Allow', 'X-Mine']);
    expect([taken?.status, taken?.reason]).toEqual([486, 'Busy']);
  });

  it('keeps a body whose type can be read, and no other', () => {
    const body = (type: string) =>
      judged(`${base}CSeq: 1 INVITE\r\nExpires: x\r\nContent-Type: ${type}\r\nContent-Length: 2\r\n\r\nhi`)?.body;
    expect([body('text/plain'), body('text')]).toEqual(['hi', '']);
  });

  it('says of a 2xx to an INVITE, and of no other, that it was malformed', () => {
    const of = (method: string) => judged(`${base.replace('486', '200')}CSeq: 1 ${method}\r\nExpires: x\r\n\r\n`);
    expect([of('INVITE'), of('BYE')].map((one) => one instanceof MalformedSuccess)).toEqual([true, false]);
  });

  it('is none of a request', () => {
    expect(judged(`${base.replace('SIP/2.0 486 Busy', 'INVITE sip:b@b SIP/2.0')}CSeq: 1 INVITE\r\n\r\n`)).toBe(
      undefined,
    );
  });
});
