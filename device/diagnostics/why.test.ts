import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import type { LineInsight } from '../sip-edge/insight.ts';
import type { CallFacts } from './call-book.ts';
import { type Check, fail, ok, skip, warn } from './check.ts';
import { checks } from './checks/table.ts';
import type { Facts } from './facts.ts';
import { type CheckResult, judge, reportOf, rootOf } from './judge.ts';
import { whyCall, whyGateway, whyLine } from './why.ts';

const result = (id: string, outcome: CheckResult['result'], more: Partial<CheckResult> = {}): CheckResult => ({
  id,
  group: id.split('.')[0] ?? '',
  about: 'Is it?',
  result: outcome,
  evidence: `${id} seen`,
  ...(outcome === 'fail' || outcome === 'warn' ? { cause: `${id} cause`, next: `${id} next` } : {}),
  ...more,
});

describe('the order of causes', () => {
  test('every need stands before its check, and ids are well formed', () => {
    const seen = new Set<string>();
    for (const { id, needs = [], about } of checks) {
      expect([id, needs.filter((need) => !seen.has(need))]).toEqual([id, []]);
      expect(id).toMatch(/^[a-z][a-z-]*\.[a-z][a-z-]*$/);
      expect(about).toMatch(/\?$/);
      expect(seen.has(id)).toBe(false);
      seen.add(id);
    }
    expect(seen.size).toBeGreaterThanOrEqual(30);
  });

  test('exactly one root: the first that failed; what waits for it says so, over any distance', () => {
    const outcome = fc.constantFrom('ok', 'warn', 'fail', 'skipped') as fc.Arbitrary<CheckResult['result']>;
    const arbitrary = fc.array(fc.tuple(outcome, fc.array(fc.nat(30), { maxLength: 3 })), {
      minLength: 1,
      maxLength: 30,
    });
    const verdicts = { ok: ok('e'), warn: warn('e', 'c', 'n'), fail: fail('e', 'c', 'n'), skipped: skip('e') };
    fc.assert(
      fc.property(arbitrary, (rows) => {
        const table: Check[] = rows.map(([own, needs], i) => ({
          id: `g.c${i}`,
          about: 'x?',
          needs: needs.filter((need) => need < i).map((need) => `g.c${need}`),
          judge: () => verdicts[own],
        }));
        const items = judge({} as Facts, table);
        const failed = items.filter((one) => one.result === 'fail');
        for (const [i, item] of items.entries()) {
          const needs = (table[i]?.needs ?? []).map((need) => items.find(({ id }) => id === need));
          const blocked = needs.some((one) => one?.result === 'fail' || one?.because !== undefined);
          expect(item.result === 'skipped' && item.because !== undefined).toBe(blocked);
          if (item.because !== undefined) expect(failed.map(({ id }) => id)).toContain(item.because);
          if (!blocked) expect(item.result).toBe(rows[i]?.[0]);
        }
        const expected = failed[0] ?? items.find((one) => one.result === 'warn');
        expect(rootOf(items)).toBe(expected);
        const report = reportOf('gw_1', 1, 2, items);
        expect(report.counts.ok + report.counts.warn + report.counts.fail + report.counts.skipped).toBe(items.length);
        expect(report.result).toBe(failed.length > 0 ? 'fail' : report.counts.warn > 0 ? 'warn' : 'ok');
      }),
      { seed },
    );
  });
});

describe('why the gateway does not work', () => {
  test('names the root, what waits for it and what else failed', () => {
    const answer = whyGateway([
      result('a.one', 'warn'),
      result('b.two', 'fail'),
      result('b.three', 'skipped', { because: 'b.two' }),
      result('c.four', 'fail'),
    ]);
    expect(answer).toEqual({
      answer: 'b.two cause',
      evidence: ['b.two: b.two seen', '1 other checks wait for that: b.three', 'c.four: c.four seen'],
      next: 'b.two next',
      check: 'b.two',
      certain: true,
    });
  });
  test('a warning is not certain, and a healthy gateway has nothing', () => {
    expect(whyGateway([result('a.one', 'warn')])).toMatchObject({ check: 'a.one', certain: false });
    expect(whyGateway([result('a.one', 'ok')])).toMatchObject({
      answer: expect.stringContaining('Nothing is wrong'),
      certain: true,
    });
  });
});

const line: LineInsight = {
  id: 'line_1',
  number: '+15550100001',
  username: 'u1',
  name: 'Kitchen',
  kind: 'phone',
  phones: ['udp 10.0.0.5:5060'],
  upstream: 'held',
};
const call: CallFacts = { id: 'c1', callIds: ['x'], from: '+1', to: '+15550100001', startedAt: 1 };
const facts = (change: Partial<LineInsight>, more: Partial<Parameters<typeof whyLine>[1]> = {}) => ({
  lines: [{ ...line, ...change }],
  refusals: [],
  calls: [],
  ...more,
});

describe('why a phone does not ring', () => {
  const flowDown = [
    result('voice.listener', 'ok'),
    result('voice.softswitch', 'fail'),
    result('voice.registered', 'skipped', { because: 'voice.softswitch' }),
  ];
  test.each([
    ['an unknown line', '+4930', facts({}), [], /no line \+4930/, true],
    ['no phone', 'Kitchen', facts({ phones: [] }), [], /No phone is registered on \+15550100001/, true],
    [
      'a wrong password',
      'u1',
      facts({ phones: [] }, { refusals: [{ at: 1, source: '10.0.0.7', username: 'u1', status: 401 }] }),
      [],
      /wrong password/,
      true,
    ],
    ['a dead listener', 'line_1', facts({}), [result('voice.listener', 'fail')], /voice.listener cause/, true],
    [
      'no way to the softswitch',
      '0100001',
      facts({ upstream: 'none' }),
      flowDown,
      /calls from outside do not.*voice.softswitch cause/,
      true,
    ],
    [
      'a refused registration',
      '+15550100001',
      facts({ upstream: 'refused' }),
      [result('voice.registered', 'fail')],
      /softswitch does not know/,
      true,
    ],
    [
      'a busy phone',
      'Kitchen',
      facts({}, { calls: [{ ...call, reason: 'callee_busy' }] }),
      [],
      /rang nobody: the callee is busy/,
      false,
    ],
    ['nothing at all', 'Kitchen', facts({}), [], /should ring/, false],
    [
      'a call that was answered',
      'Kitchen',
      facts({}, { calls: [{ ...call, answeredAt: 2, reason: 'hangup' }] }),
      [],
      /should ring/,
      false,
    ],
  ] as const)('%s', (_name, subject, about, items, words, certain) => {
    const answer = whyLine(subject, about, items);
    expect(answer.answer).toMatch(words);
    expect(answer.certain).toBe(certain);
    // Whoever runs it in a script goes by that: certain, and a check that found it, is a failure.
    expect(answer.check !== undefined || !certain).toBe(true);
    expect(answer.evidence.length).toBeGreaterThan(0);
  });
});

describe('why a call ended', () => {
  const item = (kind: 'in' | 'out', summary: string) => ({ at: 1, kind, peer: 'udp 10.0.0.5:5060', summary, text: '' });
  test.each([
    [{ reason: 'hangup', answeredAt: 2 }, [item('in', 'BYE sip:a')], 'one side hung up', 'BYE from udp 10.0.0.5:5060'],
    [
      { reason: 'callee_busy' },
      [item('in', '486 Busy Here (INVITE)')],
      'the callee is busy',
      '486 Busy Here (INVITE) from udp 10.0.0.5:5060',
    ],
    [
      { reason: 'no_codec' },
      [item('out', '488 Not Acceptable Here (INVITE)')],
      'share no codec',
      '488 Not Acceptable Here (INVITE) to udp',
    ],
    [{ reason: 'cancelled' }, [item('in', 'CANCEL sip:a')], 'the caller hung up', 'CANCEL from'],
    [{ reason: '__proto__' }, [], '__proto__', 'never answered'],
  ])('%o', (change, items, words, evidence) => {
    const answer = whyCall({ ...call, ...change }, { call: 'c1', items });
    expect(answer.answer).toContain(words);
    expect(answer.evidence.join('\n')).toContain(evidence);
  });
  test('one that goes on has not', () => {
    expect(whyCall(call, undefined).answer).toContain('goes on');
  });
  test('a question for credentials is no refusal', () => {
    expect(
      whyCall(
        { ...call, reason: 'hangup' },
        { call: 'c1', items: [item('out', '401 Unauthorized (INVITE)')] },
      ).evidence.join(),
    ).not.toContain('401');
  });
});
