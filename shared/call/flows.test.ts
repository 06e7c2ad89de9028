import { describe, expect, test } from 'vitest';
import { rig, routed, sdp } from '#test/support/call-rig.ts';
import { FLOW_SILENCE } from './flows.ts';

/** A call to a phone with three flows, ringing over the first, beside another phone. */
function ringing() {
  const call = rig();
  call.feed({ on: 'invite', sdp: sdp() });
  const phone = { branch: 'b1', to: 'flow 1', others: ['flow 2', 'flow 3'] };
  call.feed(routed({ leg: 'B', branches: [phone, { branch: 'b2', to: 'other' }] }));
  return call;
}

const at = (call: ReturnType<typeof rig>) => call.state.branches.get('b1')?.to;

describe('a phone with several flows (RFC 5626 section 5.3)', () => {
  test('is invited over one at a time, over the next where one is gone', () => {
    const call = ringing();
    expect(at(call)).toBe('flow 1');
    expect(call.feed({ on: 'failed', branch: 'b1', status: 430 })).toEqual(['invite b1']);
    expect(at(call)).toBe('flow 2');
    expect(call.feed({ on: 'failed', branch: 'b1', status: 408, silent: true })).toEqual(['invite b1']);
    expect(at(call)).toBe('flow 3');
    expect(call.feed({ on: 'failed', branch: 'b1', status: 503, silent: true })).toEqual([]);
    expect(call.feed({ on: 'failed', branch: 'b2', status: 486 })).toContain('reject 486 callee_busy');
  });

  test('that answers for itself is heard: no other flow is tried', () => {
    for (const status of [408, 486, 503, 603]) {
      const call = ringing();
      expect(call.feed({ on: 'failed', branch: 'b1', status })).not.toContain('invite b1');
    }
  });

  test('that rang was reached, even if it falls silent then', () => {
    const call = ringing();
    call.feed({ on: 'progress', branch: 'b1', status: 180 });
    expect(call.feed({ on: 'failed', branch: 'b1', status: 408, silent: true })).toEqual([]);
  });

  test('is not tried again once the caller gave up or another answered', () => {
    const call = ringing();
    call.feed({ on: 'answered', branch: 'b2', sdp: sdp() });
    expect(call.feed({ on: 'failed', branch: 'b1', status: 430 })).toEqual([]);
  });
});

test('a flow that says nothing for 5 s is given up for the next; the last one has its whole time', () => {
  const call = ringing();
  expect(call.pass(FLOW_SILENCE - 1)).toEqual([]);
  expect(call.pass(1)).toEqual(['hangup b1 no_answer', 'invite b1']);
  expect(call.pass(FLOW_SILENCE)).toEqual(['hangup b1 no_answer', 'invite b1']);
  expect(at(call)).toBe('flow 3');
  expect(call.pass(FLOW_SILENCE)).toEqual([]);
  const heard = ringing();
  heard.feed({ on: 'progress', branch: 'b1', status: 100 });
  expect(heard.pass(FLOW_SILENCE)).toEqual([]);
});
