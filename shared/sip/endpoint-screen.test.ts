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
