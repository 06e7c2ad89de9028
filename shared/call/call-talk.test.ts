import { describe, expect, test } from 'vitest';
import { established, rig, sdp, target } from '#test/support/call-rig.ts';
import { CALLER, restoredCall } from './call.ts';

describe('an established call', () => {
  test('hold is answered by the own endpoint, told to the other side once, and resumed', () => {
    const call = established();
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp('sendonly') })).toEqual([
      'media answer A',
      'accept-offer caller',
      'media offer B sendonly',
      'reoffer b1',
    ]);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp('sendrecv') })).toEqual([
      'media answer A',
      'accept-offer caller',
    ]);
    expect(call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp('recvonly') })).toEqual([
      'media accept B',
      'media offer B sendrecv',
      'reoffer b1',
    ]);
    expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp() })).toEqual(['refuse-offer b1 491']);
    expect(call.feed({ on: 'reoffered', party: 'b1', ok: false, status: 488 })).toEqual([]);
  });

  test('a side may ask for an offer of ours', () => {
    const call = established();
    expect(call.feed({ on: 'offer', party: 'b1' })).toEqual(['media offer B', 'accept-offer b1']);
    expect(call.feed({ on: 'confirmed', party: 'b1', sdp: sdp() })).toEqual(['media accept B']);
    expect(call.feed({ on: 'confirmed', party: 'b1', sdp: sdp() })).toEqual([]);
  });

  test('the other side hears what the answer to our offer makes of the hold', () => {
    const call = established();
    call.feed({ on: 'offer', party: CALLER, sdp: sdp('sendonly') });
    call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp('recvonly') });
    expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['media offer A', 'accept-offer caller']);
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual([
      'media accept A',
      'media offer B sendrecv',
      'reoffer b1',
    ]);
    call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp() });
    // Who is held and asks for an offer stays held.
    call.feed({ on: 'offer', party: 'b1', sdp: sdp('sendonly') });
    call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp('recvonly') });
    expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['media offer A sendonly', 'accept-offer caller']);
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp('recvonly') })).toEqual(['media accept A']);
  });

  test('an offer that media refuses leaves the call as it was', () => {
    const call = established();
    const quiet = rig({ media: false, state: call.state });
    quiet.feed({ on: 'offer', party: 'b1', sdp: sdp() });
    const [op] = [...call.state.asks.keys()];
    expect(quiet.feed({ on: 'media', op: op ?? 0, failed: 488 })).toEqual(['refuse-offer b1 488']);
    expect(call.state.at).toBe('up');
  });

  test.each([
    ['bye', 'hangup'],
    ['no-ack', 'timeout'],
    ['transport', 'lost'],
  ])('the callee leaves by %s', (why, reason) => {
    const call = established();
    expect(call.feed({ on: 'ended', party: 'b1', why })[0]).toBe(`hangup caller ${reason}`);
  });

  test('a restored call goes on and ends', () => {
    const state = restoredCall<string>({
      callerLeg: 'A',
      callee: { leg: 'B', branch: 'b1', to: 'x' },
      relay: true,
      owned: true,
    });
    const call = rig({ state });
    expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp('inactive') })).toEqual([
      'media answer B',
      'accept-offer b1',
      'media offer A inactive',
      'reoffer caller',
    ]);
    expect(call.feed({ on: 'ended', party: 'b1', why: 'bye' })).toEqual([
      'hangup caller hangup',
      'report B ended hangup',
      'report A ended hangup',
      'release B',
      'release A',
      'over true hangup',
    ]);
  });
});

describe('without relay', () => {
  const pass = (branches: string[]) => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed({ on: 'routed', callerLeg: 'A', targets: [target('B', ...branches)], ringFor: 1000, relay: false });
    return call;
  };
  test('SDP goes through, offers are exchanged end to end', () => {
    const call = pass(['b1']);
    expect(call.log).toEqual(['route', 'invite b1']);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: sdp() })).toContain('progress 183 sdp');
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() })).toEqual(['report B answered', 'answer', 'up']);
    expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp('sendonly') })).toEqual(['reoffer caller']);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp() })).toEqual(['refuse-offer caller 491']);
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp('recvonly') })).toEqual([
      'accept-offer b1',
    ]);
    expect(call.feed({ on: 'ended', party: 'b1', why: 'bye' })).not.toContain('release A');
  });

  describe('an offer that a side asks for', () => {
    const up = () => {
      const call = pass(['b1']);
      call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
      return call;
    };
    test('is what the other side said last; an answer that is no news goes no further', () => {
      const call = up();
      expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['accept-offer caller']);
      // Meanwhile nobody else may offer.
      expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp() })).toEqual(['refuse-offer b1 491']);
      expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual([]);
      expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp('sendonly') })).toEqual(['reoffer caller']);
    });

    test('an answer that says something new is told to the other side, whose answer ends it', () => {
      const call = up();
      call.feed({ on: 'offer', party: CALLER, sdp: sdp('sendonly') });
      call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp('recvonly') });
      expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['accept-offer caller sendrecv']);
      expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual(['reoffer b1']);
      expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp() })).toEqual(['refuse-offer caller 491']);
      expect(call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp() })).toEqual([]);
      expect(call.feed({ on: 'offer', party: 'b1', sdp: sdp() })).toEqual(['reoffer caller']);
      expect(call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: sdp() })).toEqual([
        'accept-offer b1',
      ]);
    });

    test('without an answer in the ACK the call is over', () => {
      const call = up();
      call.feed({ on: 'offer', party: 'b1' });
      expect(call.feed({ on: 'confirmed', party: 'b1' })).toContain('over true no_codec');
    });
  });

  test('early sound of forked contacts is not passed: their answers differ', () => {
    const call = pass(['b1', 'b2']);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: sdp() })).toEqual([
      'report B ringing',
      'progress 183',
    ]);
  });
});

describe('channels that are instructed', () => {
  test('a line is rung for an endpoint of somebody else, who keeps it', () => {
    const call = rig();
    expect(call.feed({ on: 'open', target: target('B', 'b1'), ringFor: 30_000 })).toEqual([
      'media offer B',
      'invite b1',
    ]);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 180 })).toEqual(['report B ringing']);
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() })).toEqual([
      'media accept B',
      'report B answered',
      'up',
    ]);
    expect(call.feed({ on: 'close', reason: 'api' })).toEqual(['hangup b1 api', 'report B ended api', 'over true api']);
  });

  test('a held caller waits for its instruction and is answered by it', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    expect(call.feed({ on: 'held', callerLeg: 'A', limit: 5_000 })).toEqual([]);
    expect(call.feed({ on: 'admit' })).toEqual(['media answer A', 'report A answered', 'answer', 'up']);
    expect(call.feed({ on: 'ended', party: CALLER, why: 'bye' })).toEqual([
      'report A ended hangup',
      'over true hangup',
    ]);
  });

  test('a held caller is not kept for ever', () => {
    const call = rig();
    call.feed({ on: 'invite', sdp: sdp() });
    call.feed({ on: 'held', callerLeg: 'A', limit: 5_000 });
    expect(call.pass(5_000)).toEqual(['reject 480 timeout', 'report A ended timeout', 'over false timeout']);
  });
});
