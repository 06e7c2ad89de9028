/** Requests that another process serves: an INVITE of which this one lets go, and what belongs to it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Duo } from '#test/support/sip-duo.ts';
import { RINGING_GRACE } from './call-dialog.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointOutput, Flow } from './types.ts';

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

describe('an INVITE whose connection closed, and which waits for another', () => {
  const flow = (id: string): Flow => ({
    ...{ id, protocol: 'tcp', peer: { kind: 'none' } },
    ...{ local: { host: '10.0.0.2', port: 5060 }, remote: { host: '10.0.0.1', port: 40_000 } },
  });
  let duo: Duo;
  let call: string;
  /** Everything that `b` does with that. */
  const act = (run: (endpoint: Endpoint, out: EndpointOutput[]) => void): EndpointOutput[] => {
    const out: EndpointOutput[] = [];
    run(duo.b.endpoint, out);
    return out;
  };
  const later = (ms: number): EndpointOutput[] => {
    duo.now += ms;
    return act((endpoint, out) => endpoint.tick(duo.now, out));
  };

  beforeEach(() => {
    duo = new Duo({ b: { regains: ({ id }) => id === 'first' } });
    const out = act((endpoint, list) => endpoint.receive(request('INVITE', 1), flow('first'), duo.now, list));
    call = callOf(out);
    expect(said(act((endpoint, list) => endpoint.flowClosed(flow('first'), duo.now, list)))).toEqual([]);
    expect(duo.b.endpoint.backTo(call)).toEqual({ host: '10.0.0.1', port: 5060 });
  });

  it('leaves nothing where none is found, and its call ends', () => {
    expect(said(later(RINGING_GRACE - 1))).toEqual([]);
    expect(said(later(1))).toEqual(['ended']);
    expect(duo.b.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });

  it.each([
    ['reject', 486, (endpoint: Endpoint, out: EndpointOutput[]) => endpoint.reject(call, 486, {}, duo.now, out)],
    ['hang up', 603, (endpoint: Endpoint, out: EndpointOutput[]) => endpoint.hangup(call, '', duo.now, out)],
  ] as const)('a refusal (%s) waits for it, is sent there once, and nothing is left', (_how, status, refuse) => {
    expect(said(act(refuse))).toEqual([]);
    duo.b.endpoint.moveCall(call, flow('second'));
    expect(duo.b.endpoint.backTo(call)).toBeUndefined();
    const out = later(20);
    expect(out.map((one) => (one.do === 'send' ? [one.flow.id, one.message.status] : one.do))).toEqual([
      ['second', status],
    ]);
    expect(said(later(40_000))).not.toContain('send');
    expect(duo.b.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });

  it('a 2xx that was lost goes there at once', () => {
    act((endpoint, out) => endpoint.answer(call, { sdp: 'answer', contact: 'sip:b@10.0.0.2' }, duo.now, out));
    duo.b.endpoint.moveCall(call, flow('second'));
    const [sent] = later(20);
    expect(sent?.do === 'send' && [sent.flow.id, sent.message.status]).toEqual(['second', 200]);
  });
});
