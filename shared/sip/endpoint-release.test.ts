/** Requests that another process serves: an INVITE of which this one lets go, and what belongs to it. */
import { describe, expect, it } from 'vitest';
import { Duo } from '#test/support/sip-duo.ts';
import type { EndpointOutput } from './types.ts';

const request = (method: string, branch: number, to = ''): string =>
  `${method} sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK${branch}\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>${to}\r\nCall-ID: one\r\nCSeq: ${branch} ${method}\r\nContact: <sip:a@10.0.0.1>\r\nContent-Length: 0\r\n\r\n`;

function hears(duo: Duo, text: string): EndpointOutput[] {
  const out: EndpointOutput[] = [];
  duo.b.endpoint.receive(text, duo.b.flow, duo.now, out);
  return out;
}
const said = (out: readonly EndpointOutput[]) => out.map((one) => (one.do === 'send' ? one.message.status : one.do));
const callOf = (out: readonly EndpointOutput[]) =>
  out.flatMap((one) => (one.do === 'incoming' ? one.call : []))[0] ?? '';

describe('an INVITE of which the user lets go', () => {
  it('leaves nothing, says nothing, and is given back', () => {
    const duo = new Duo({});
    const call = callOf(hears(duo, request('INVITE', 1)));
    expect(duo.b.endpoint.release(call, duo.now)?.method).toBe('INVITE');
    expect(duo.b.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
    expect(duo.b.endpoint.release(call, duo.now)).toBeUndefined();
  });

  it('is not let go of once it was answered', () => {
    const duo = new Duo({});
    const call = callOf(hears(duo, request('INVITE', 1)));
    duo.b.endpoint.reject(call, 486, {}, duo.now, []);
    expect(duo.b.endpoint.release(call, duo.now)).toBeUndefined();
  });
});

describe('what another process serves', () => {
  it('is left alone, copies and CANCEL too; what is inside a dialog, or being served here, is not asked about', () => {
    const asked: string[] = [];
    let away = false;
    const elsewhere = ({ method }: { readonly method: string }) => asked.push(method) > 0 && away;
    const duo = new Duo({ b: { elsewhere } });
    expect(said(hears(duo, request('INVITE', 1)))).toContain('incoming');
    expect(said(hears(duo, request('INVITE', 1)))).not.toContain('incoming');
    hears(duo, request('BYE', 2, ';tag=none'));
    expect(asked).toEqual(['INVITE']);
    away = true;
    expect([hears(duo, request('INVITE', 3)), hears(duo, request('CANCEL', 3))]).toEqual([[], []]);
    expect(asked).toEqual(['INVITE', 'INVITE', 'CANCEL']);
  });
});
