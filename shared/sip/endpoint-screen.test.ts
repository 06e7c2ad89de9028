/** Requests that are refused before anything is kept of them (RFC 3261 section 8.2.7). */
import { describe, expect, it } from 'vitest';
import { Duo } from '#test/support/sip-duo.ts';
import type { Refusal } from './checks.ts';
import type { SipMessage } from './message.ts';
import type { EndpointOutput } from './types.ts';

const challenge: Refusal = { status: 401, headers: [['WWW-Authenticate', 'Digest realm="x", nonce="n"']] };
const unsigned = (message: SipMessage): Refusal | undefined =>
  message.header('Authorization') === undefined ? challenge : undefined;

const request = (method: string, n: number, more = '', to = ''): string =>
  `${method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK${n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>${to}\r\nCall-ID: one\r\nCSeq: ${n} ${method}\r\nContact: <sip:a@10.0.0.1>\r\n${more}Content-Length: 0\r\n\r\n`;

const newDuo = () => new Duo({ b: { screen: unsigned } });

/** What b says to a message, and what its user hears. */
function hears(duo: Duo, text: string): string[] {
  const out: EndpointOutput[] = [];
  duo.b.endpoint.receive(text, duo.b.flow, duo.now, out);
  return out.map((one) =>
    one.do === 'send' ? `${one.message.status} ${one.message.to.params.get('tag') ?? '-'}` : one.do,
  );
}

describe('a screened request', () => {
  it.each(['INVITE', 'REGISTER', 'MESSAGE'])(
    '%s is answered once, by the same tag each time, and forgotten',
    (method) => {
      const duo = newDuo();
      const first = hears(duo, request(method, 1));
      expect(first).toEqual([expect.stringMatching(/^401 [0-9a-f]{8}$/)]);
      expect(hears(duo, request(method, 1))).toEqual(first);
      expect(duo.b.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
      expect(duo.b.endpoint.due()).toBe(Number.POSITIVE_INFINITY);
    },
  );

  it('needs no ACK, and leaves nothing that a CANCEL could mean', () => {
    const duo = newDuo();
    const tag = hears(duo, request('INVITE', 1))[0]?.slice(4);
    expect(hears(duo, request('ACK', 1, '', `;tag=${tag}`))).toEqual([]);
    expect(hears(duo, request('CANCEL', 1))).toEqual([expect.stringMatching(/^481/)]);
  });

  it('that is signed is served like any other, its first copy having been refused', () => {
    const duo = newDuo();
    hears(duo, request('INVITE', 1));
    expect(hears(duo, request('INVITE', 2, 'Authorization: Digest a=b\r\n'))).toEqual(['100 -', 'incoming']);
    expect(duo.b.endpoint.counts()).toEqual({ transactions: 1, calls: 1 });
  });

  it('is one that begins something: inside a dialog nobody is asked, and what cannot be served is refused for that', () => {
    const duo = newDuo();
    expect(hears(duo, request('INFO', 1, '', ';tag=none'))).toEqual([expect.stringMatching(/^481/)]);
    expect(hears(duo, request('NONSENSE', 2))).toEqual([expect.stringMatching(/^501/)]);
    expect(hears(duo, request('INVITE', 3, 'Require: wonders\r\n'))).toEqual([expect.stringMatching(/^420/)]);
  });
});

/** All that b sends within the 32 s in which a refusal may be repeated. */
function sends(duo: Duo, text: string): string[] {
  const before = duo.b.sent.length;
  duo.fate = () => [];
  duo.deliver(duo.b, text);
  duo.run(duo.now + 40_000);
  return duo.b.lines.slice(before);
}

describe('who has proved nothing is sent no more than it sent (section 26.3.2.4)', () => {
  it.each([
    ['an option that nobody has', 'Require: wonders\r\n', '', '420'],
    ['no hop left', 'Max-Forwards: 0\r\n', '', '483'],
    ['a dialog that nobody has', '', ';tag=none', '481'],
  ])('%s: one answer to one INVITE, and to each copy', (_name, more, to, status) => {
    const duo = new Duo({ b: { backToBack: true } });
    const whole = request('INVITE', 1, more, to);
    const text = more.startsWith('Max') ? whole.replace('Max-Forwards: 70\r\n', '') : whole;
    expect(sends(duo, text)).toEqual([expect.stringMatching(`^${status} `)]);
    expect(sends(duo, text)).toEqual([expect.stringMatching(`^${status} `)]);
    expect(duo.b.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });

  it('a quiet INVITE gets no 100, and its refusal once, and again for a copy', () => {
    const duo = new Duo({ b: { quiet: () => true } });
    duo.b.decide = (told) => {
      if (told.do === 'incoming') duo.b.act((e, now, out) => e.reject(told.call, 401, {}, now, out));
    };
    expect(sends(duo, request('INVITE', 1))).toEqual(['401 INVITE']);
    duo.fate = () => [];
    duo.deliver(duo.b, request('INVITE', 2));
    const before = duo.b.sent.length;
    duo.deliver(duo.b, request('INVITE', 2));
    expect(duo.b.lines.slice(before)).toEqual(['401 INVITE']);
  });

  it('a quiet INVITE that is cancelled is refused once', () => {
    const duo = new Duo({ b: { quiet: () => true } });
    duo.fate = () => [];
    duo.deliver(duo.b, request('INVITE', 1));
    expect(sends(duo, request('CANCEL', 1))).toEqual(['200 CANCEL', '487 INVITE']);
  });

  it('once its sender is known it goes on like any other', () => {
    const duo = new Duo({ b: { quiet: () => true } });
    duo.fate = () => [];
    duo.deliver(duo.b, request('INVITE', 1));
    expect(duo.b.lines).toEqual([]);
    const { call } = duo.b.last('incoming');
    for (let i = 0; i < 2; i++) duo.b.act((e, now, out) => e.known(call, now, out));
    expect(duo.b.lines).toEqual(['100 INVITE']);
    duo.b.act((e, now, out) => e.reject(call, 486, {}, now, out));
    duo.run(duo.now + 40_000);
    expect(duo.b.lines.filter((line) => line.startsWith('486')).length).toBeGreaterThan(5);
  });
});
