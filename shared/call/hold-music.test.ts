/** When who is put on hold hears music: the table of states, the way to endpoints of ours, and every order of what may come. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { established, type In, rig, routed, sdp, target } from '#test/support/call-rig.ts';
import { CALLER, type CallState } from './call.ts';
import { hears, holds, shown } from './hold-music.ts';

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
const hold = (party: string, direction: string, music = true): In => ({
  on: 'offer',
  party,
  sdp: sdp(direction),
  music,
});
const took = (party: string, direction = 'recvonly'): In => ({
  ...{ on: 'reoffered', party, ok: true, status: 200 },
  sdp: sdp(direction),
});
const music = ({ sides }: CallState<string>) => [...sides].filter(([, side]) => side.music).map(([party]) => party);

/** A call that passes descriptions, answered; its log begins here. */
function passing(media = true) {
  const call = rig({ media });
  call.feed({ on: 'invite', sdp: sdp() });
  call.feed({ ...routed(target('B', 'b1')), relay: false } as In);
  call.feed({ on: 'answered', branch: 'b1', sdp: sdp() });
  call.log.length = 0;
  return call;
}

describe('by relay', () => {
  // What the caller says, then what the callee says: who hears music.
  test.each(
    DIRECTIONS.flatMap((caller) =>
      DIRECTIONS.flatMap((callee) =>
        [true, false].flatMap((one) => [true, false].map((other) => [caller, callee, one, other] as const)),
      ),
    ),
  )('the caller says %s and the callee %s, with music of the line: %s, %s', (caller, callee, one, other) => {
    const { state, feed } = established();
    feed(hold(CALLER, caller, one));
    if (state.sides.get('b1')?.busy) feed(took('b1'));
    feed(hold('b1', callee, other));
    const held = (by: string, mine: string, plays: boolean) =>
      plays && /only$|inactive/.test(by) && by !== 'recvonly' && !/sendonly|inactive/.test(mine);
    const expected = [...(held(callee, caller, other) ? [CALLER] : []), ...(held(caller, callee, one) ? ['b1'] : [])];
    expect(music(state)).toEqual(expected);
    for (const [party, side] of state.sides) {
      expect(hears(state, party)).toBe(side.music);
      expect(holds(shown(side))).toBe(holds(side.wanted));
      // Who hears music is never told that nothing will come.
      expect(side.music && shown(side) === 'inactive').toBe(false);
    }
  });

  test('the held side is told that it will hear something, and heard again at the end', () => {
    const call = established();
    expect(call.feed(hold(CALLER, 'inactive'))).toEqual([
      ...['media answer A', 'accept-offer caller', 'music B on', 'media offer B sendonly', 'reoffer b1'],
    ]);
    call.feed(took('b1'));
    expect(call.feed(hold(CALLER, 'sendrecv'))).toEqual([
      ...['media answer A', 'accept-offer caller', 'music B off', 'media offer B sendrecv', 'reoffer b1'],
    ]);
    expect(call.feed(hold(CALLER, 'inactive', false)).slice(2)).toEqual([]);
    expect(call.feed(took('b1', 'sendrecv')).slice(1)).toEqual(['media offer B inactive', 'reoffer b1']);
  });

  test('the old manner of holding, and a hold that comes in an ACK', () => {
    const call = established();
    const zero = sdp().replace('c=IN IP4 192.0.2.1', 'c=IN IP4 0.0.0.0');
    expect(call.feed({ on: 'offer', party: CALLER, sdp: zero, music: true })).toContain('music B on');
    call.feed(took('b1'));
    call.feed({ on: 'offer', party: CALLER });
    expect(call.feed({ on: 'confirmed', party: CALLER, sdp: sdp(), music: true })).toContain('music B off');
    call.feed(took('b1', 'sendrecv'));
    call.feed({ on: 'offer', party: 'b1' });
    expect(call.feed({ on: 'confirmed', party: 'b1', sdp: sdp('sendonly'), music: true })).toContain('music A on');
  });

  test('who hears it and asks for an offer stays held, and hears it still', () => {
    const call = established();
    call.feed(hold(CALLER, 'inactive'));
    call.feed(took('b1'));
    expect(call.feed({ on: 'offer', party: 'b1' })).toEqual(['media offer B sendonly', 'accept-offer b1']);
    expect(call.feed({ on: 'confirmed', party: 'b1', sdp: sdp('recvonly'), music: true })).toEqual(['media accept B']);
    expect(music(call.state)).toEqual(['b1']);
  });

  test('a refresh of the holder changes nothing; one of the held side neither, but that the holder hears of it', () => {
    const call = established();
    call.feed(hold(CALLER, 'sendonly'));
    call.feed(took('b1'));
    expect(call.feed(hold(CALLER, 'sendonly'))).toEqual(['media answer A', 'accept-offer caller']);
    expect(call.feed(hold('b1', 'recvonly')).filter((one) => one.startsWith('music'))).toEqual([]);
    expect(music(call.state)).toEqual(['b1']);
  });

  test('it ends where the sides are parted, renewed, or agree on fax', () => {
    const ways: ((call: ReturnType<typeof established>) => string[])[] = [
      (call) => call.feed({ on: 'part' }),
      (call) => call.feed({ on: 'renew', party: 'b1' }),
      (call) => {
        const fax = sdp().replace('m=audio 4000 RTP/AVP 0', 'm=image 4000 udptl t38');
        call.feed({ on: 'offer', party: 'b1', sdp: fax, music: true });
        return call.feed({ on: 'reoffered', party: CALLER, ok: true, status: 200, sdp: fax });
      },
    ];
    for (const way of ways) {
      const call = established();
      call.feed(hold(CALLER, 'sendonly'));
      call.feed(took('b1'));
      expect(way(call)).toContain('music B off');
    }
  });

  test('a call that ends says nothing of it: its endpoints go', () => {
    const call = established();
    call.feed(hold(CALLER, 'sendonly'));
    const end = call.feed({ on: 'ended', party: 'b1', why: 'bye' });
    expect(end.filter((one) => one.startsWith('music'))).toEqual([]);
    expect(end).toContain('release B');
  });
});

describe('where descriptions pass', () => {
  const ways = [
    ['media answer A', 'media offer B sendonly', 'reoffer b1'],
    ['media accept B', 'accept-offer caller', 'music B on'],
  ];

  test('a hold brings the call to endpoints of ours, where it stays', () => {
    const call = passing();
    expect(call.feed(hold(CALLER, 'inactive'))).toEqual(ways[0]);
    expect(call.feed(hold(CALLER, 'sendrecv'))).toEqual(['refuse-offer caller 491']);
    expect(call.feed(hold('b1', 'sendrecv'))).toEqual(['refuse-offer b1 491']);
    expect(new Set(call.feed(took('b1')))).toEqual(new Set(ways[1]));
    expect(call.state.relay).toBe(true);
    expect(call.feed(hold(CALLER, 'sendrecv'))).toEqual([
      ...['media answer A', 'accept-offer caller', 'music B off', 'media offer B sendrecv', 'reoffer b1'],
    ]);
    call.feed(took('b1', 'sendrecv'));
    expect(call.feed({ on: 'ended', party: 'b1', why: 'bye' })).toEqual(
      expect.arrayContaining(['release A', 'release B']),
    );
  });

  test.each<[string, In]>([
    ['no music', hold(CALLER, 'sendonly', false)],
    ['no hold', hold(CALLER, 'sendrecv')],
    ['nothing to hear by', hold(CALLER, 'recvonly')],
    [
      'a codec that is not ours',
      { on: 'offer', party: CALLER, sdp: sdp('sendonly').replace('AVP 0', 'AVP 9'), music: true },
    ],
    [
      'encryption between the two',
      { on: 'offer', party: CALLER, sdp: sdp('sendonly').replace('AVP', 'SAVP'), music: true },
    ],
  ])('%s passes as it is', (_what, input) => {
    const call = passing();
    expect(call.feed(input)).toEqual(['reoffer b1']);
    expect(call.state.relay).toBe(false);
  });

  test('a side that holds itself is not brought there', () => {
    const call = passing();
    call.feed(hold('b1', 'sendonly', false));
    call.feed(took(CALLER));
    expect(call.feed(hold(CALLER, 'inactive'))).toEqual(['reoffer b1']);
  });

  test.each(['A', 'B'])('where media has no room for %s the hold passes as it is', (leg) => {
    const call = passing(false);
    const reply = (ok: boolean) => {
      const [op = 0] = call.state.asks.keys();
      return call.feed({ on: 'media', op, ...(ok ? { sdp: sdp() } : { failed: 503 }) });
    };
    call.feed(hold(CALLER, 'sendonly'));
    if (leg === 'B') reply(true);
    expect(reply(false)).toEqual(['reoffer b1']);
    expect([call.state.relay, music(call.state)]).toEqual([false, []]);
    expect(call.feed(took('b1'))).toEqual(['accept-offer caller']);
    expect(call.feed(hold(CALLER, 'sendrecv'))).toEqual(['reoffer b1']);
  });

  test('a phone that refuses to go there is offered the hold as it is, and may refuse that too', () => {
    const call = passing();
    call.feed(hold(CALLER, 'sendonly'));
    const no: In = { on: 'reoffered', party: 'b1', ok: false, status: 488 };
    expect(call.feed(no)).toEqual(['reoffer b1']);
    expect(call.feed(no)).toEqual(['refuse-offer caller 488']);
    expect(call.state.relay).toBe(false);
  });
});

test('whatever the order, music follows from what both say, and its words come in turns', () => {
  const said = fc.constantFrom(...DIRECTIONS);
  const party = fc.constantFrom(CALLER, 'b1');
  const input: fc.Arbitrary<In> = fc.oneof(
    fc.record({
      on: fc.constant('offer' as const),
      party,
      sdp: fc.option(said.map(sdp), { nil: undefined }),
      music: fc.boolean(),
    }),
    fc.record({ on: fc.constant('confirmed' as const), party, sdp: said.map(sdp), music: fc.boolean() }),
    fc.record({
      ...{ on: fc.constant('reoffered' as const), party, ok: fc.boolean(), status: fc.constant(488) },
      sdp: said.map(sdp),
    }),
    fc.record({ on: fc.constant('renew' as const), party }),
    fc.record({ on: fc.constant('media' as const), op: fc.nat(40), failed: fc.constantFrom(488, 503) }),
    fc.record({ on: fc.constant('media' as const), op: fc.nat(40), sdp: said.map(sdp) }),
  );
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.boolean(), fc.boolean(), fc.array(input, { maxLength: 40 }), (relay, prompt, inputs) => {
      const call = relay ? established() : passing();
      const slow = prompt ? call : rig({ media: false, state: call.state });
      const on = new Map<string, boolean>();
      for (const one of inputs) {
        seen.add(`${call.state.relay} ${music(call.state).length} ${call.state.anchoring !== undefined} ${one.on}`);
        for (const word of slow.feed(one)) {
          const [, leg, is] = /^music (\w+) (on|off)$/.exec(word) ?? [];
          if (leg === undefined) continue;
          expect(on.get(leg) ?? false).toBe(is === 'off');
          on.set(leg, is === 'on');
        }
        if (call.state.at !== 'up') return;
        for (const name of call.state.sides.keys())
          expect(hears(call.state, name)).toBe(music(call.state).includes(name));
        expect(music(call.state).length).toBeLessThan(2);
      }
    }),
    { numRuns: 3_000 },
  );
  const missing = ['true 0 false', 'true 1 false', 'true 0 true', 'false 0 false', 'false 0 true']
    .flatMap((at) => ['offer', 'confirmed', 'reoffered', 'renew', 'media'].map((on) => `${at} ${on}`))
    .filter((pair) => !seen.has(pair));
  expect(missing).toEqual([]);
});
