/** One past each limit of the endpoint. */
import { describe, expect, it } from 'vitest';
import { Duo, lineOf, obliging } from '#test/support/sip-duo.ts';
import { FORK_LIMIT } from './answered-invite.ts';
import { ENDPOINT_LIMITS } from './endpoint.ts';
import { MESSAGE_LIMIT } from './parse.ts';
import type { EndpointOutput } from './types.ts';

const text = (method: string, n: number): string =>
  `${method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK${n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=${n}\r\nTo: <sip:b@x>\r\nCall-ID: ${n}\r\nCSeq: 1 ${method}\r\n${method === 'INVITE' ? 'Contact: <sip:a@10.0.0.1>\r\n' : ''}Content-Length: 0\r\n\r\n`;

/** What b does with `n` requests of that method; only the last answer is kept. */
function load(duo: Duo, method: string, n: number): { first: string[]; last: string[] } {
  const lines = (out: EndpointOutput[]) =>
    out.flatMap((output) =>
      output.do === 'send'
        ? [`${output.message.status} ${output.message.header('Retry-After') ?? ''}`.trim()]
        : [output.do],
    );
  let first: string[] = [];
  let out: EndpointOutput[] = [];
  for (let i = 0; i < n; i++) {
    out = [];
    duo.b.endpoint.receive(text(method, i), duo.b.flow, duo.now, out);
    if (i === n - 2) first = lines(out);
  }
  return { first, last: lines(out) };
}

describe('limits', () => {
  it('are what the page of limits says', () => {
    expect(ENDPOINT_LIMITS).toEqual({ calls: 50_000, transactions: 200_000 });
  });

  it('one call more than there may be gets 503', () => {
    expect(load(new Duo({ b: { limits: { calls: 5 } } }), 'INVITE', 6)).toEqual({
      first: ['100', 'incoming'],
      last: ['503 10'],
    });
  });

  it('one transaction more than there may be gets 503 and is not remembered', () => {
    const duo = new Duo({ b: { limits: { transactions: 5 } } });
    expect(load(duo, 'OPTIONS', 6)).toEqual({ first: ['request'], last: ['503 10'] });
    expect(duo.b.endpoint.counts().transactions).toBe(5);
  });

  it.each([180, 200])('one fork more than there may be (%s) is dropped', (status) => {
    const duo = new Duo();
    const call = duo.call();
    duo.fate = () => [];
    const invite = duo.a.lastSent('INVITE');
    for (let i = 0; i <= FORK_LIMIT; i++) {
      duo.deliver(
        duo.a,
        `SIP/2.0 ${status} X\r\nVia: ${invite.header('Via')}\r\nFrom: ${invite.header('From')}\r\nTo: <sip:b@x>;tag=${i}\r\nCall-ID: ${invite.callId}\r\nCSeq: 1 INVITE\r\nContact: <sip:b@10.0.0.9>\r\nContent-Length: 0\r\n\r\n`,
      );
    }
    if (status === 180) expect(duo.a.names).toHaveLength(FORK_LIMIT);
    else expect(duo.a.lines.filter((line) => line === 'ACK')).toHaveLength(FORK_LIMIT);
    duo.a.act((e, now, out) => e.hangup(call, '', now, out));
    duo.run();
    expect(duo.a.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });

  it('a re-INVITE that only ever gets 100 is cancelled after three minutes', () => {
    const duo = new Duo();
    duo.b.decide = obliging;
    const call = duo.call();
    duo.run(100);
    duo.fate = (wire, from) => (from === duo.b && lineOf(wire) !== '100 INVITE' ? [] : [1]);
    duo.a.act((e, now, out) => e.reoffer(call, 'x', now, out));
    duo.run(179_000);
    expect(duo.a.lines).not.toContain('CANCEL');
    duo.run(2000);
    expect(duo.a.lines).toContain('CANCEL');
    duo.run(40_000);
    expect(duo.a.last('ended').why).toBe('timeout');
    duo.run();
    expect(duo.a.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });
});

it('a refusal that would be too large for any peer is not sent', () => {
  const duo = new Duo();
  duo.fate = () => [];
  const answers = (octets: number) => {
    const out: EndpointOutput[] = [];
    const large = text('OPTIONS', 1).replace(';branch', `;a=${'b'.repeat(octets)};branch`);
    duo.b.endpoint.receive(large.replace('CSeq: 1', 'CSeq: x'), duo.b.flow, duo.now, out);
    return out.length;
  };
  const most = MESSAGE_LIMIT - text('OPTIONS', 1).length - ';a='.length;
  expect([answers(60_000), answers(most)]).toEqual([1, 0]);
});

describe('a copy of a request', () => {
  it('that is much smaller than it gets no answer, which would go to whoever it names', () => {
    const duo = new Duo();
    duo.fate = () => [];
    duo.b.decide = obliging;
    const padded = (method: string, octets: number) =>
      text(method, 1).replace(';branch', `;a=${'b'.repeat(octets)};branch`);
    const answers = (one: string) => {
      const before = duo.b.lines.length;
      duo.deliver(duo.b, one);
      return duo.b.lines.slice(before);
    };
    for (const method of ['OPTIONS', 'MESSAGE']) {
      const large = padded(method, 2_000);
      expect(answers(large)).toEqual([`200 ${method}`]);
      expect(answers(large)).toEqual([`200 ${method}`]);
      expect(answers(padded(method, 2_000 - Math.floor(large.length / 2)))).toEqual([`200 ${method}`]);
      expect(answers(padded(method, 1_999 - Math.ceil(large.length / 2)))).toEqual([]);
    }
  });
});
