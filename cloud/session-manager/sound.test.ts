import { expect, test } from 'vitest';
import type { LegPlan } from './events.ts';
import { newLeg, type SessionState } from './session.ts';
import { soundPlan } from './sound.ts';

/** A call of two that talk, and a third that is to take the place of `b`. */
function call(third: Partial<LegPlan>): SessionState {
  const plan = (id: string): LegPlan => ({
    ...{ id, kind: 'voice', orientation: 'voice', server: 'softswitch', why: '', role: 'party', channel: 'instructed' },
    ...{ from: '1', to: '2', reserve: ['endpoint'] },
  });
  const up = ['a', 'b'].map((id) => ({
    ...newLeg(plan(id), 0),
    ...{ state: 'up' as const, reserved: { endpoint: `ep_${id}` } },
  }));
  const legs = [...up, newLeg({ ...plan('c'), replaces: 'b', ...third }, 0)];
  return {
    ...{ id: 'ses_1', kind: 'call', request: {}, createdAt: 0, state: 'active', homes: [], instructions: [], seq: 1 },
    legs,
  };
}

test('while a party is rung for another one, who stays hears ringing and not that one', () => {
  const { links, ringing } = soundPlan(call({}));
  expect([[...links], [...ringing]]).toEqual([[], ['a']]);
});

test('whoever called in for the place is there at once: until then both talk on', () => {
  const { links, ringing } = soundPlan(call({ waiting: 'chn_9' }));
  expect([[...links], [...ringing]]).toEqual([['a b', 'b a'], []]);
});
