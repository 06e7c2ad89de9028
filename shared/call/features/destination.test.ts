import { describe, expect, it } from 'vitest';
import { hop } from './destination.ts';
import type { LineFeatures } from './document.ts';
import { FORWARD_LIMIT } from './forwarding.ts';

const caller = { number: '+15550100009', hidden: false };
const at = (features: LineFeatures, talking = 0, seen: readonly string[] = []) =>
  hop('line_1', features, caller, talking, new Set(seen));

describe('a call at a line', () => {
  it.each<[string, LineFeatures, object]>([
    ['rings', {}, { at: 'here' }],
    ['is sent on always', { forward: { always: '2' } }, { at: 'on', to: '2' }],
    ['is sent on though quiet is wanted', { forward: { always: '2' }, doNotDisturb: true }, { at: 'on', to: '2' }],
    [
      'is sent nowhere where the caller is blocked',
      { forward: { always: '2' }, block: ['+15550100009'] },
      { at: 'refused', reason: 'callee_declined' },
    ],
    [
      'or not allowed',
      { forward: { always: '2' }, allow: ['+15550100008'] },
      { at: 'refused', reason: 'callee_declined' },
    ],
    ['is refused', { block: ['+15550100009'] }, { at: 'refused', reason: 'callee_declined' }],
    ['is busy while quiet is wanted', { doNotDisturb: true }, { at: 'refused', reason: 'callee_busy' }],
    ['goes on when busy', { doNotDisturb: true, forward: { busy: '3' } }, { at: 'on', to: '3' }],
    ['goes on in a hunt first', { doNotDisturb: true, hunt: ['4'], forward: { busy: '3' } }, { at: 'on', to: '4' }],
    ['does not go on when it is blocked', { allow: ['+1'], hunt: ['4'] }, { at: 'refused', reason: 'callee_declined' }],
  ])('%s', (_what, features, outcome) => expect(at(features)).toEqual(outcome));

  it('counts the calls that the line has', () => {
    expect([at({ noWaiting: true }, 1).at, at({ noWaiting: true }).at]).toEqual(['refused', 'here']);
  });

  it('goes round in no circle, and on so often and no more', () => {
    const on = { forward: { always: '2' } };
    expect(at(on, 0, ['line_1'])).toEqual({ at: 'circle' });
    const lines = (count: number) => Array.from({ length: count }, (_, n) => `other_${n}`);
    expect(at(on, 0, lines(FORWARD_LIMIT - 1)).at).toBe('on');
    expect(at(on, 0, lines(FORWARD_LIMIT)).at).toBe('circle');
    expect(at({}, 0, ['line_1', ...lines(FORWARD_LIMIT)]).at).toBe('here');
  });
});
