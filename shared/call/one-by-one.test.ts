import { describe, expect, test } from 'vitest';
import { type In, rig, routed, sdp, target } from '#test/support/call-rig.ts';

/** A call to the outside by three ways, ringing by the first. */
function calling(always = false, ...more: In[]) {
  const call = rig();
  call.feed({ on: 'invite', sdp: sdp() });
  const oneByOne = { tryFor: 5_000, ...(always ? { always } : {}) };
  const ways = { ...target('B', 'w1', 'w2', 'w3'), oneByOne };
  call.feed(routed(ways));
  for (const input of more) call.feed(input);
  return call;
}
const invites = ({ log }: ReturnType<typeof calling>) => log.filter((line) => line.startsWith('invite'));

describe('ways to one callee', () => {
  test('are tried one after the other', () => {
    const call = calling();
    expect(invites(call)).toEqual(['invite w1']);
    expect(call.feed({ on: 'failed', branch: 'w1', status: 503 })).toEqual(['invite w2']);
    expect(call.feed({ on: 'failed', branch: 'w2', status: 408 })).toEqual(['invite w3']);
    // Of several failures the caller hears the best.
    expect(call.feed({ on: 'failed', branch: 'w3', status: 500 })).toContain('reject 408 internal');
    expect(call.log.filter((line) => line.startsWith('report B ended'))).toHaveLength(1);
  });

  test.each([486, 404, 480, 603])('a callee that answers %i has answered', (status) => {
    const call = calling();
    call.feed({ on: 'failed', branch: 'w1', status });
    expect(invites(call)).toEqual(['invite w1']);
    expect(call.log.at(-1)).toMatch(/^over false/);
  });

  test.each([486, 404, 603, 503])('where help is needed %i ends one way only', (status) => {
    const call = calling(true);
    expect(call.feed({ on: 'failed', branch: 'w1', status })).toEqual(['invite w2']);
  });

  test('one that says nothing at all is left; one that says anything is not', () => {
    const silent = calling();
    expect(silent.pass(4_999)).toEqual([]);
    expect(silent.pass(1)).toEqual(['hangup w1 no_answer', 'invite w2']);
    // Each has its own time.
    expect(silent.pass(4_999)).toEqual([]);
    expect(silent.pass(1)).toEqual(['hangup w2 no_answer', 'invite w3']);
    const alive = calling(false, { on: 'progress', branch: 'w1', status: 100 });
    expect(alive.pass(10_000)).toEqual([]);
  });

  test('the last one may say nothing for longer, where nobody else is left to be tried', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    const ways = { ...target('B', 'w1', 'w2'), oneByOne: { tryFor: 2_500, lastFor: 10_000, always: true } };
    call.feed(routed(ways));
    expect(call.pass(2_500)).toEqual(['hangup w1 no_answer', 'invite w2']);
    expect(call.pass(9_999)).toEqual([]);
    expect(call.pass(1)).toContain('reject 408 no_answer');
  });

  test('an answer of one that was left is not taken', () => {
    const call = calling();
    call.pass(5_000);
    expect(call.feed({ on: 'answered', branch: 'w1', sdp: sdp() })).toEqual([]);
    expect(call.feed({ on: 'answered', branch: 'w2', sdp: sdp() })).toContain('answer');
  });

  test('early sound of a way that failed does not stand for the next', () => {
    const call = calling(false, { on: 'progress', branch: 'w1', status: 183, sdp: sdp() });
    call.feed({ on: 'failed', branch: 'w1', status: 503 });
    expect(call.feed({ on: 'progress', branch: 'w2', status: 183, sdp: sdp() })).toContain('media accept B');
  });

  test('a caller that gives up ends the way of now, and no other is tried', () => {
    const call = calling();
    const told = call.feed({ on: 'ended', party: 'caller', why: 'cancel' });
    expect(told).toContain('hangup w1 cancelled');
    expect(call.pass(10_000)).toEqual([]);
    expect(invites(call)).toEqual(['invite w1']);
  });

  test('nobody to ask: the reason that was given', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    const nobody = { ...target('B'), otherwise: 403, because: 'destination_barred' };
    const told = call.feed(routed(nobody));
    expect(told).toContain('reject 403 destination_barred');
  });
});
