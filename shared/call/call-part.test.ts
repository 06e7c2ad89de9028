/** Calls taken apart and calls that go on to somebody else. */
import { describe, expect, test } from 'vitest';
import { established, rig, routed, sdp, target } from '#test/support/call-rig.ts';
import { CALLER, restoredCall } from './call.ts';
import { partable } from './call-part.ts';

describe('a call that is taken over', () => {
  test('each side gets a new offer of its endpoint, one at a time', () => {
    const call = established();
    expect(call.feed({ on: 'renew', party: CALLER })).toEqual(['media offer A sendrecv', 'reoffer caller']);
    expect(call.feed({ on: 'renew', party: CALLER })).toEqual(['renewed']);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp() })).toEqual(['refuse-offer caller 491']);
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp() })).toEqual([
      'media accept A',
      'renewed',
    ]);
    expect(call.feed({ on: 'renew', party: 'b1', leg: 'C' })).toEqual(['media offer C sendrecv', 'reoffer b1']);
    expect(call.feed({ on: 'reoffered', party: 'b1', ok: false, status: 488 })).toEqual(['renewed']);
    expect(call.state.legs.has('B')).toBe(false);
  });

  test('who was on hold may talk again: the one that held it is its peer no more', () => {
    const call = established();
    call.feed({ on: 'offer', party: 'b1', sdp: sdp('sendonly') });
    expect(call.state.sides.get(CALLER)?.wanted).toBe('sendonly');
    call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp('recvonly') });
    expect(call.feed({ on: 'renew', party: CALLER })).toEqual(['media offer A sendrecv', 'reoffer caller']);
    expect(call.state.sides.get(CALLER)).toMatchObject({ wanted: 'sendrecv', told: 'sendrecv' });
  });

  test('told anew where we are, a side stays held, and is not torn from an offer that is under way', () => {
    const call = established();
    call.feed({ on: 'offer', party: 'b1', sdp: sdp('sendonly') });
    expect(call.feed({ on: 'renew', party: CALLER, same: true })).toEqual(['renewed']);
    call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp('recvonly') });
    expect(call.feed({ on: 'renew', party: CALLER, same: true })).toEqual(['media offer A sendonly', 'reoffer caller']);
    expect(call.state.sides.get(CALLER)).toMatchObject({ wanted: 'sendonly', told: 'sendonly' });
  });

  test('a fax is not renewed as it is: an offer of sound would end it', () => {
    const call = established();
    call.state.fax = true;
    expect(call.feed({ on: 'renew', party: CALLER, same: true })).toEqual(['renewed']);
  });

  test('is parted into two channels: the end of one is not the other’s, and endpoints belong to somebody else', () => {
    const call = established();
    expect(partable(call.state)).toBe(true);
    expect(call.feed({ on: 'part' })).toEqual([]);
    expect(partable(call.state)).toBe(false);
    expect(call.feed({ on: 'ended', party: 'b1', why: 'bye' })).toEqual([]);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp('sendonly') })).toEqual([
      'media answer A',
      'accept-offer caller',
    ]);
    expect(call.feed({ on: 'ended', party: CALLER, why: 'bye' })).toEqual([
      'report A ended hangup',
      'over true hangup',
    ]);
    const far = rig({
      state: restoredCall({ callee: { leg: 'B', branch: 'b1', to: 'x' }, relay: true, owned: false }),
    });
    expect(far.feed({ on: 'close', reason: 'api' })).toEqual(['hangup b1 api', 'report B ended api', 'over true api']);
  });

  test('is not parted while an offer is under way', () => {
    const call = established();
    call.feed({ on: 'renew', party: 'b1' });
    expect(partable(call.state)).toBe(false);
    call.feed({ on: 'part' });
    expect(call.state.winner).toBe('b1');
  });

  test('one whose description passed untouched is relayed, or put back', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed({ ...(routed(target('B', 'b1')) as object), relay: false } as never);
    call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
    expect(call.feed({ on: 'renew', party: CALLER })).toEqual(['renewed']);
    call.feed({ on: 'relay', relay: true });
    expect(call.feed({ on: 'renew', party: CALLER })).toEqual(['media offer A sendrecv', 'reoffer caller']);
    call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp() });
    call.feed({ on: 'relay', relay: false });
    expect(call.feed({ on: 'restore', party: CALLER, sdp: sdp() })).toEqual(['reoffer caller']);
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp() })).toEqual([]);
  });
});

describe('a call that goes on to somebody else', () => {
  const again = { ...(routed(target('B', 'b1')) as object), again: true } as never;
  function ringing() {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(again);
    return call;
  }

  test.each([
    [
      'busy',
      (call: ReturnType<typeof rig>) => call.feed({ on: 'failed', branch: 'b1', status: 486 }),
      'callee_busy',
      [],
    ],
    ['no answer', (call: ReturnType<typeof rig>) => call.pass(30_000), 'no_answer', ['hangup b1 no_answer']],
  ])('%s: another rings, and the first one’s end is told then', (_name, lose, reason, hangups) => {
    const call = ringing();
    expect(lose(call)).toEqual(['reroute']);
    expect(call.feed({ on: 'rerouted', target: target('C', 'c1'), ringFor: 20_000, again: false })).toEqual([
      ...hangups,
      `report B ended ${reason}`,
      'media offer C',
      'invite c1',
      'release B',
    ]);
    call.feed({ on: 'answered', branch: 'c1', sdp: sdp() });
    expect(call.log).toContain('connect A C');
    expect(call.log.at(-1)).toBe('up');
    expect(call.feed({ on: 'ended', party: 'c1', why: 'bye' })).toContain('over true hangup');
    expect(call.log.filter((line) => line.startsWith('report B ended'))).toHaveLength(1);
  });

  test('without another way it ends as it was left, also when nobody says so', () => {
    for (const end of ['refused', 'late'] as const) {
      const call = ringing();
      call.feed({ on: 'failed', branch: 'b1', status: 486 });
      const out =
        end === 'late' ? call.pass(6000) : call.feed({ on: 'refused', status: 480, reason: 'callee_offline' });
      expect(out).toContain('reject 486 callee_busy');
      expect(out).toContain('over false callee_busy');
    }
  });

  test('a caller that gives up meanwhile: the new leg was named, so it gets its report', () => {
    const call = ringing();
    call.feed({ on: 'failed', branch: 'b1', status: 486 });
    expect(call.feed({ on: 'ended', party: CALLER, why: 'cancel' })).toContain('over false cancelled');
    const late = ringing();
    late.feed({ on: 'failed', branch: 'b1', status: 486 });
    late.feed({ on: 'ended', party: CALLER, why: 'cancel' });
    expect(late.feed({ on: 'rerouted', target: target('C', 'c1'), ringFor: 1, again: false })).toEqual([]);
  });

  describe('a phone that sends it on', () => {
    const moved = 'sip:c@a.test';
    const sent = (...branches: string[]) => {
      const call = rig();
      call.feed({ on: 'invite', sdp: sdp() });
      call.feed(routed(target('B', ...branches)));
      return { call, out: call.feed({ on: 'failed', branch: 'b1', status: 302, moved }) };
    };

    test('is heard though the line has no other way', () => {
      const { call, out } = sent('b1');
      expect(out).toEqual(['reroute']);
      expect(call.feed({ on: 'rerouted', target: target('C', 'c1'), ringFor: 1_000, again: false })).toContain(
        'report B ended moved',
      );
      // What the first one said is over: nobody is asked again.
      expect(call.feed({ on: 'failed', branch: 'c1', status: 486 })).toContain('reject 486 callee_busy');
    });

    test('waits for the others of its line', () => {
      const { call, out } = sent('b1', 'b2');
      expect(out).toEqual([]);
      expect(call.feed({ on: 'failed', branch: 'b2', status: 486 })).toEqual(['reroute']);
    });

    test.each([
      [{ status: 480, reason: 'callee_offline' }, 'reject 480 callee_offline'],
      [{ status: 302, reason: 'moved', moved }, 'reject 302 moved'],
    ])('and where it is not followed, %j', (no, told) => {
      const { call } = sent('b1');
      expect(call.feed({ on: 'refused', ...no })).toContain(told);
    });
  });

  test('who declines does so for its line: the call may go on to others', () => {
    const call = ringing();
    expect(call.feed({ on: 'failed', branch: 'b1', status: 603 })).toEqual(['reroute']);
    expect(call.feed({ on: 'refused', status: 480, reason: 'callee_offline' })).toContain('reject 603 callee_declined');
  });

  test('a call that may not go on ends at once', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed(routed(target('B', 'b1')));
    expect(call.feed({ on: 'failed', branch: 'b1', status: 486 })).toContain('reject 486 callee_busy');
  });
});
