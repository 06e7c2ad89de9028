import { describe, expect, it } from 'vitest';
import { established, rig, sdp } from '#test/support/call-rig.ts';
import { CALLER } from './call.ts';

const fax = sdp().replace(/m=audio.*\r\n/, 'm=image 4000 udptl t38\r\n');
const offer = (party: string, what: string) => ({ on: 'offer', party, sdp: what }) as const;
const answered = (party: string, ok: boolean, what?: string) =>
  ({ on: 'reoffered', party, ok, status: ok ? 200 : 488, ...(what === undefined ? {} : { sdp: what }) }) as const;

describe('a call by relay', () => {
  it('passes an offer of fax on, and answers it as the other side does', () => {
    const call = established();
    expect(call.feed(offer('b1', fax))).toEqual(['media offer A', 'reoffer caller']);
    expect(call.feed(answered(CALLER, true, fax))).toEqual(['media accept A', 'media answer B', 'accept-offer b1']);
    expect(call.state.fax).toBe(true);
  });

  it('goes back to sound together', () => {
    const call = established();
    call.feed(offer('b1', fax));
    call.feed(answered(CALLER, true, fax));
    expect(call.feed(offer(CALLER, sdp()))).toEqual(['media offer B', 'reoffer b1']);
    expect(call.feed(answered('b1', true, sdp()))).toEqual(['media accept B', 'media answer A', 'accept-offer caller']);
    expect(call.state.fax).toBe(false);
    // From now on an offer is its side's own matter again.
    expect(call.feed(offer(CALLER, sdp()))).toEqual(['media answer A', 'accept-offer caller']);
  });

  it.each([
    ['refuses', answered(CALLER, false), 488],
    ['answers with sound alone', answered(CALLER, true, sdp()), 488],
    ['answers without a word', answered(CALLER, true), 488],
  ])('stays with sound where the other side %s', (_name, answer, status) => {
    const call = established();
    call.feed(offer('b1', fax));
    expect(call.feed(answer)).toEqual([`refuse-offer b1 ${status}`]);
    expect([call.state.fax, call.state.at]).toEqual([undefined, 'up']);
    expect(call.feed(offer(CALLER, sdp()))).toEqual(['media answer A', 'accept-offer caller']);
  });

  it('refuses a second offer meanwhile', () => {
    const call = established();
    call.feed(offer('b1', fax));
    expect(call.feed(offer(CALLER, fax))).toEqual(['refuse-offer caller 491']);
    expect(call.feed(answered(CALLER, true, fax))).toContain('accept-offer b1');
  });

  it('waits while the other side has an offer of ours to answer', () => {
    const call = established();
    const side = call.state.sides.get(CALLER);
    if (side !== undefined) side.busy = true;
    expect(call.feed(offer('b1', fax))).toEqual(['refuse-offer b1 491']);
  });

  it('stays with sound where media fails, and both sides may offer again', () => {
    const call = established();
    const quiet = rig({ media: false, state: call.state });
    quiet.feed(offer('b1', fax));
    const [op = 0] = [...call.state.asks.keys()];
    expect(quiet.feed({ on: 'media', op, failed: 503 })).toEqual(['refuse-offer b1 503']);
    expect(call.feed(offer(CALLER, sdp()))).toEqual(['media answer A', 'accept-offer caller']);
  });

  it('that ends on the way ends', () => {
    const call = established();
    call.feed(offer('b1', fax));
    expect(call.feed({ on: 'ended', party: CALLER, why: 'bye' })).toContain('hangup b1 hangup');
    expect(call.feed(answered(CALLER, true, fax))).toEqual([]);
  });
});

it('a call that passes descriptions through passes this one as well', () => {
  const call = established();
  call.state.relay = false;
  expect(call.feed(offer('b1', fax))).toEqual(['reoffer caller']);
  expect(call.feed(answered(CALLER, true, fax))).toEqual(['accept-offer b1']);
});
