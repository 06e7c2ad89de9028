import { describe, expect, test } from 'vitest';
import { rig, routed, sdp, target } from '#test/support/call-rig.ts';
import { CALLER, restoredCall } from './call.ts';

/** A call that rings, the caller hearing the first contact. */
function early(relay: boolean, ...more: string[]) {
  const call = rig();
  call.feed({ on: 'invite', sdp: sdp() });
  call.feed({ ...routed(target('B', 'b1', ...more)), relay } as Parameters<typeof call.feed>[0]);
  call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: 'said by b1' });
  call.log.length = 0;
  return call;
}

describe('an offer before the answer', () => {
  test.each([CALLER, 'b1'])(
    'by relay is answered by the own endpoint of %s, and its hold told on once the call is up',
    (party) => {
      const call = early(true);
      const [own, other] = party === CALLER ? ['A', 'B'] : ['B', 'A'];
      expect(call.feed({ on: 'offer', party, sdp: sdp('sendonly') })).toEqual([
        `media answer ${own}`,
        `accept-offer ${party}`,
      ]);
      expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() }).slice(-4)).toEqual([
        'answer',
        'up',
        `media offer ${other} sendonly`,
        `reoffer ${party === CALLER ? 'b1' : CALLER}`,
      ]);
    },
  );

  test.each(['at once', 'once the call is up'])(
    'by relay of the caller while the answer is recorded: media answers %s',
    (when) => {
      const call = early(true);
      const slow = rig({ media: false, record: false, state: call.state });
      slow.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
      const answered = () => {
        const [op = 0] = slow.state.asks.keys();
        return slow.feed({ on: 'media', op, sdp: sdp() });
      };
      answered();
      expect(slow.feed({ on: 'offer', party: CALLER, sdp: sdp('sendonly') })).toEqual(['media answer A']);
      if (when === 'at once') {
        expect(answered()).toEqual(['accept-offer caller']);
        expect(slow.feed({ on: 'recorded' })).toEqual(['answer', 'up', 'media offer B sendonly']);
      } else {
        expect(slow.feed({ on: 'recorded' })).toEqual(['answer', 'up']);
        expect(answered()).toEqual(['accept-offer caller', 'media offer B sendonly']);
      }
    },
  );

  test('by relay that media refuses leaves the call as it was', () => {
    const call = early(true);
    const quiet = rig({ media: false, state: call.state });
    quiet.feed({ on: 'offer', party: 'b1', sdp: sdp() });
    const [op] = [...call.state.asks.keys()];
    expect(quiet.feed({ on: 'media', op: op ?? 0, failed: 488 })).toEqual(['refuse-offer b1 488']);
  });

  test.each([
    [CALLER, 'b1'],
    ['b1', CALLER],
  ])('passes untouched from %s to %s, and so does what it says', (from, to) => {
    const call = early(false);
    expect(call.feed({ on: 'offer', party: from, sdp: 'offer' })).toEqual([`reoffer ${to}`]);
    expect(call.feed({ on: 'offer', party: to, sdp: 'other' })).toEqual([`refuse-offer ${to} 491`]);
    expect(call.feed({ on: 'reoffered', party: to, ok: true, status: 200, sdp: 'answer' })).toEqual([
      `accept-offer ${from}`,
    ]);
    const said = from === CALLER ? 'answer' : 'offer';
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: said })).toEqual(['report B answered', 'answer', 'up']);
    expect(call.state.callerLeg?.sdp).toBe(said);
  });

  test('that crosses the answer is settled afterwards', () => {
    const call = early(false);
    call.feed({ on: 'offer', party: CALLER, sdp: 'offer' });
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: 'said by b1' })).toEqual([
      'report B answered',
      'answer',
      'up',
    ]);
    expect(call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: 'anew' })).toEqual([
      'accept-offer caller',
    ]);
    expect(call.state.callerLeg?.sdp).toBe('anew');
  });

  test('that the other side refuses is refused', () => {
    const call = early(false);
    call.feed({ on: 'offer', party: 'b1', sdp: 'offer' });
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: false, status: 488 })).toEqual(['refuse-offer b1 488']);
    expect(call.feed({ on: 'offer', party: 'b1', sdp: 'offer' })).toEqual(['reoffer caller']);
  });

  test.each([true, false])('of a contact that is not heard comes too early (relay %s)', (relay) => {
    const call = early(relay, 'b2');
    expect(call.feed({ on: 'offer', party: 'b2', sdp: sdp() })).toEqual(['refuse-offer b2 500']);
  });

  test('is refused once who should answer it is gone', () => {
    const call = early(false);
    call.feed({ on: 'offer', party: CALLER, sdp: 'offer' });
    expect(call.feed({ on: 'failed', branch: 'b1', status: 486 })).toEqual([
      'refuse-offer caller 488',
      'report B ended callee_busy',
      'reject 486 callee_busy',
      'report A ended callee_busy',
      'over false callee_busy',
    ]);
  });
});

describe('a caller without an offer (RFC 3262 section 5)', () => {
  function asking(media = true) {
    const call = rig({ media });
    call.feed({ on: 'invite' });
    call.feed(routed(target('B', 'b1')));
    if (!media) for (const op of [...call.state.asks.keys()]) call.feed({ on: 'media', op, sdp: sdp() });
    call.log.length = 0;
    return call;
  }

  test('is offered our side as it hears ringing, answers, and hears what sounds there', () => {
    const call = asking();
    expect(call.feed({ on: 'progress', branch: 'b1', status: 180 })).toEqual(['report B ringing', 'progress 180 sdp']);
    expect(call.feed({ on: 'progress', branch: 'b1', status: 183, sdp: sdp() })).toEqual(['progress 183 sdp']);
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual([
      'media accept A',
      'media accept B',
      'connect A B',
      'progress 183 sdp',
    ]);
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() }).slice(-3)).toEqual([
      'report B answered',
      'answer',
      'up',
    ]);
    expect(call.feed({ on: 'confirmed', party: CALLER })).toEqual([]);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp() })).toEqual(['media answer A', 'accept-offer caller']);
  });

  test('that wants nothing but to hear: the other side is told once the call is up', () => {
    const call = asking();
    call.feed({ on: 'progress', branch: 'b1', status: 180 });
    call.feed({ on: 'confirmed', party: CALLER, sdp: sdp('recvonly') });
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: sdp() }).slice(-3)).toEqual([
      'up',
      'media offer B recvonly',
      'reoffer b1',
    ]);
  });

  test.each([
    ['has nothing to say to it', (call: ReturnType<typeof rig>) => call.feed({ on: 'confirmed', party: CALLER })],
    [
      'says what media cannot take',
      (call: ReturnType<typeof rig>) => {
        call.feed({ on: 'confirmed', party: CALLER, sdp: 'x' });
        const [op = 0] = call.state.asks.keys();
        return call.feed({ on: 'media', op, failed: 488 });
      },
    ],
  ])('that %s has no call', (_what, run) => {
    const call = asking(false);
    call.feed({ on: 'progress', branch: 'b1', status: 180 });
    expect(run(call)).toContain('reject 488 no_codec');
  });

  test('answers while the answer to the call is recorded, or after: the sound is its own, and one answer is enough', () => {
    const call = asking();
    call.feed({ on: 'progress', branch: 'b1', status: 180 });
    call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp('sendonly') })).toEqual([
      'media accept A',
      'media offer B sendonly',
      'reoffer b1',
    ]);
    expect(call.feed({ on: 'confirmed', party: CALLER })).toEqual([]);
  });
});

describe('two contacts with sound', () => {
  test('the caller hears the first, by relay the second once the first is gone, and talks to who answers', () => {
    const call = early(true, 'b2');
    expect(call.feed({ on: 'progress', branch: 'b2', status: 183, sdp: sdp() })).toEqual(['progress 183']);
    expect(call.feed({ on: 'failed', branch: 'b1', status: 486 })).toEqual([]);
    expect(call.feed({ on: 'progress', branch: 'b2', status: 183, sdp: sdp() })).toEqual([
      'media accept B',
      'progress 183 sdp',
    ]);
    expect(call.feed({ on: 'answered', branch: 'b2', sdp: sdp() })).toEqual([
      'media accept B',
      'report B answered',
      'answer',
      'up',
    ]);
  });

  test('one answers with another description than the caller was shown: it is told once it has the answer', () => {
    const call = early(false);
    expect(call.feed({ on: 'answered', branch: 'b1', sdp: 'of another fork' })).toEqual([
      'report B answered',
      'answer',
      'up',
      'reoffer caller',
    ]);
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: 'answer' })).toEqual([]);
    expect(call.feed({ on: 'offer', party: CALLER, sdp: sdp() })).toEqual(['reoffer b1']);
  });
});

describe('a restored call without relay', () => {
  const restored = () =>
    rig({
      state: restoredCall<string>({
        callerLeg: 'A',
        callee: { leg: 'B', branch: 'b1', to: 'x' },
        relay: false,
        owned: true,
      }),
    });

  test('is asked for an offer: the other side says what it is, and hears the answer', () => {
    const call = restored();
    expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['reoffer b1']);
    expect(call.feed({ on: 'offer', party: 'b1', sdp: 'x' })).toEqual(['refuse-offer b1 491']);
    expect(call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: sdp() })).toEqual([
      'accept-offer caller',
    ]);
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual(['accept-offer b1']);
    // From now on both are known.
    expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['accept-offer caller']);
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp() })).toEqual([]);
    expect(call.feed({ on: 'offer', party: 'b1', sdp: 'hold' })).toEqual(['reoffer caller']);
  });

  test('one that will not say leaves the call as it was', () => {
    const call = restored();
    call.feed({ on: 'offer', party: 'b1' });
    expect(call.feed({ on: 'reoffered', party: CALLER, ok: false, status: 488 })).toEqual(['refuse-offer b1 488']);
    expect(call.feed({ on: 'offer', party: CALLER })).toEqual(['reoffer b1']);
  });

  test('one that never answers ends it', () => {
    const call = restored();
    call.feed({ on: 'offer', party: CALLER });
    call.feed({ on: 'reoffered', party: 'b1', ok: true, status: 200, sdp: 'theirs' });
    expect(call.feed({ on: 'confirmed', party: CALLER })[0]).toBe('hangup caller no_codec');
  });
});
