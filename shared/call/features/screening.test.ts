import { describe, expect, it } from 'vitest';
import type { LineFeatures } from './document.ts';
import { type Caller, screen } from './screening.ts';

const ANN = '+15550100001';
const known: Caller = { number: ANN, hidden: false };
const hidden: Caller = { number: ANN, hidden: true };
const nobody: Caller = { hidden: false };

describe('screening', () => {
  it.each<[string, LineFeatures, Caller, number, string | undefined]>([
    ['nothing set', {}, nobody, 3, undefined],
    ['a blocked number', { block: [ANN] }, known, 0, 'callee_declined'],
    ['a blocked number that is withheld', { block: [ANN] }, hidden, 0, 'callee_declined'],
    ['another number', { block: ['+15550100002'] }, known, 0, undefined],
    ['an allowed number', { allow: [ANN] }, known, 0, undefined],
    ['a number that is not allowed', { allow: ['+15550100002'] }, known, 0, 'callee_declined'],
    ['nobody where some are allowed', { allow: [ANN] }, nobody, 0, 'callee_declined'],
    ['blocked and allowed', { allow: [ANN], block: [ANN] }, known, 0, 'callee_declined'],
    ['a withheld number', { rejectAnonymous: true }, hidden, 0, 'caller_anonymous'],
    ['no number', { rejectAnonymous: true }, nobody, 0, 'caller_anonymous'],
    ['a blocked number before that', { rejectAnonymous: true, block: [ANN] }, hidden, 0, 'callee_declined'],
    ['a shown number', { rejectAnonymous: true }, known, 0, undefined],
    ['a withheld number that is allowed', { rejectAnonymous: true, allow: [ANN] }, hidden, 0, undefined],
    ['do not disturb', { doNotDisturb: true }, known, 0, 'callee_busy'],
    ['no waiting, line free', { noWaiting: true }, known, 0, undefined],
    ['no waiting, line talking', { noWaiting: true }, known, 1, 'callee_busy'],
  ])('%s', (_name, features, caller, talking, reason) => {
    const screened = screen(features, caller, talking);
    expect(screened.pass ? undefined : screened.reason).toBe(reason);
  });
});
