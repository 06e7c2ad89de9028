/** What a rollout does next, as a table; then whole fleets at random. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import {
  ASK_AGAIN,
  AT_ONCE,
  type Course,
  decide,
  isActive,
  isFailed,
  type Member,
  type MemberState,
  memberStateOf,
  quota,
} from './rollout-plan.ts';

const course: Course = { state: 'running', stages: [1, 10, 100], stage: 1, errorRate: 0.1, silence: 60_000 };

/** Members in short: `w` waiting, `o` waiting but away, `a` asked, `d` downloading, `g` good, `b` back, `s` silent, `x` skipped. */
function fleet(text: string, more: Partial<Member> = {}): Member[] {
  const states: Readonly<Record<string, MemberState>> = {
    w: 'waiting',
    o: 'waiting',
    a: 'asked',
    d: 'downloading',
    g: 'good',
    b: 'back',
    s: 'silent',
    x: 'skipped',
  };
  return [...text].map((letter, i) => ({
    gateway: `g${i}`,
    state: states[letter] ?? 'waiting',
    online: letter !== 'o',
    known: true,
    quiet: 0,
    asked: 0,
    ...more,
  }));
}

const shown = (what: ReturnType<typeof decide>) =>
  what.map((one) => ('gateway' in one ? `${one.do} ${one.gateway}` : one.do));

describe('the next thing to do', () => {
  const cases: readonly (readonly [string, Partial<Course>, string, readonly string[]])[] = [
    ['asks one of twenty first', {}, 'w'.repeat(20), ['ask g0']],
    ['leaves the turn of one that is away to the next', {}, `oo${'w'.repeat(18)}`, ['ask g2']],
    ['waits while all are away', {}, 'oooo', []],
    ['waits for the one at work', {}, 'dwww', []],
    ['goes on after a proof', {}, 'gwww', ['advance']],
    ['asks a tenth, the first counted in', { stage: 2 }, `g${'w'.repeat(19)}`, ['ask g1']],
    ['asks the rest', { stage: 3 }, 'ggww', ['ask g2', 'ask g3']],
    ['is done when all are good', { stage: 3 }, 'gggg', ['done']],
    ['is not done while one is away', { stage: 3 }, 'gggo', []],
    ['does not wait for those it is not for', { stage: 3 }, 'gxxg', ['done']],
    ['is done at once with nobody', {}, '', ['advance']],
    ['stops at the first that comes back in a stage of one', {}, 'bwww', ['stop']],
    ['stops at silence as well', {}, 'swww', ['stop']],
    ['bears one of ten', { stage: 3 }, 'bggggggggg', ['done']],
    ['does not bear two of ten, even while others are at work', { stage: 3 }, 'bbdddddddd', ['stop']],
    ['does not go on without a single proof', { errorRate: 1 }, 'bwww', ['stop']],
    ['asks nobody while paused', { state: 'paused' }, 'gwww', []],
    ['does nothing once stopped', { state: 'stopped' }, 'gwww', []],
  ];
  it.each(cases)('%s', (_name, more, members, expected) => {
    expect(shown(decide({ ...course, ...more }, fleet(members)))).toEqual(expected);
  });

  it('counts who is quiet for too long as lost, also while paused; silence to the very millisecond is patience', () => {
    expect(shown(decide(course, fleet('dwww', { quiet: 60_000 })))).toEqual([]);
    expect(shown(decide(course, fleet('dwww', { quiet: 60_001 })))).toEqual(['silent g0']);
    expect(shown(decide({ ...course, state: 'paused' }, fleet('awww', { quiet: 60_001 })))).toEqual(['silent g0']);
  });

  it('asks once more who never answered, and lets removed gateways go', () => {
    expect(shown(decide(course, fleet('aw', { asked: ASK_AGAIN })))).toEqual([]);
    expect(shown(decide(course, fleet('aw', { asked: ASK_AGAIN + 1 })))).toEqual(['ask g0']);
    expect(shown(decide(course, fleet('aw', { known: false })))).toEqual(['gone g0', 'gone g1']);
  });

  it(`has ${AT_ONCE} at work at once`, () => {
    expect(decide({ ...course, stage: 3 }, fleet('w'.repeat(AT_ONCE + 1)))).toHaveLength(AT_ONCE);
    expect(decide({ ...course, stage: 3 }, fleet(`${'d'.repeat(AT_ONCE)}w`))).toEqual([]);
  });

  it.each([
    ['failed', 'update_too_old', 'skipped'],
    ['failed', 'update_wrong_board', 'skipped'],
    ['failed', 'update_not_possible', 'skipped'],
    ['failed', 'update_damaged', 'failed'],
    ['back', 'update_not_started', 'back'],
    ['good', undefined, 'good'],
  ] as const)('takes the report %s %s for %s', (state, reason, member) => {
    expect(memberStateOf({ state, ...(reason === undefined ? {} : { reason }) })).toBe(member);
  });
});

describe('whole fleets at random', () => {
  const fates = fc.array(fc.constantFrom<MemberState>('good', 'good', 'good', 'good', 'back', 'silent', 'skipped'), {
    maxLength: 60,
  });
  const rates = fc.constantFrom(0, 0.1, 0.5, 1);

  it('never exceed a stage, never go on over the error rate, and come to an end', () => {
    fc.assert(
      fc.property(fates, rates, (fate, errorRate) => {
        let now: Course = { ...course, errorRate };
        let members = fleet('w'.repeat(fate.length));
        for (let i = 0; i < 1_000 && now.state === 'running'; i++) {
          const decisions = decide(now, members);
          for (const one of decisions) {
            if (one.do === 'ask')
              members = members.map((m) => (m.gateway === one.gateway ? { ...m, state: 'asked' } : m));
            if (one.do === 'advance') now = { ...now, stage: one.stage };
            if (one.do === 'stop') now = { ...now, state: 'stopped' };
            if (one.do === 'done') now = { ...now, state: 'done' };
          }
          const size = quota(members, now.stages[now.stage - 1] ?? 0);
          const started = members.filter(({ state }) => state !== 'waiting' && state !== 'skipped');
          // A gateway that turns out not to be concerned shrinks the stage after it began.
          if (!members.some(({ state }) => state === 'skipped')) expect(started.length).toBeLessThanOrEqual(size);
          // One at work meets its fate.
          const [worker] = members.filter(({ state }) => isActive(state));
          members = members.map((m, n) => (m === worker ? { ...m, state: fate[n] ?? 'good' } : m));
        }
        const failed = members.filter(({ state }) => isFailed(state)).length;
        if (now.state === 'done') {
          expect(failed).toBeLessThanOrEqual(errorRate * members.length);
          expect(members.every(({ state }) => state !== 'waiting')).toBe(true);
        } else expect([now.state, failed > 0]).toEqual(['stopped', true]);
      }),
      { seed, numRuns: 500 },
    );
  });
});
