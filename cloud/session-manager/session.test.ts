import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { first, KINDS, plan, Run, reserved } from '#test/support/session-run.ts';
import type { JournalRow } from './events.ts';
import type { Input } from './live.ts';
import { sessionMachine } from './machine.ts';
import { fold, liveLegs, type SessionState } from './session.ts';
import { view } from './view.ts';

const legId = fc.constantFrom('a', 'b', 'c', 'd', 'x');
const fault = fc.constantFrom('callee_busy', 'callee_offline', 'no_codec').map((code) => ({ code }) as const);
const input: fc.Arbitrary<Input | { on: 'wait'; ms: number }> = fc.oneof(
  fc.record({
    on: fc.constant('report' as const),
    leg: legId,
    event: fc.constantFrom('ringing', 'answered', 'answered', 'ended', 'item-ended' as const),
    at: fc.integer({ min: 0, max: 10_000 }),
  }) as fc.Arbitrary<Input>,
  fc.record({ on: fc.constant('opened' as const), leg: legId, callId: fc.constant('call@x') }),
  fc.record({
    on: fc.constantFrom('failed' as const, 'leg-refused' as const),
    leg: legId,
    fault,
  }) as fc.Arbitrary<Input>,
  fc.record({ on: fc.constant('missing' as const), leg: legId }),
  fc.record({ on: fc.constant('seen' as const), leg: legId, up: fc.boolean() }),
  fc.record({ on: fc.constant('noted' as const), leg: legId, dscp: fc.constant('EF marked') }),
  fc.record({ on: fc.constant('credit' as const), leg: legId, until: fc.integer({ min: 0, max: 200_000 }) }),
  fc.record({ on: fc.constant('remove' as const), leg: legId, reason: fc.constant('api') }),
  fc.record({ on: fc.constant('added' as const), plan: fc.constant(plan('x')), homes: fc.constant(['h3']) }),
  fc.constant<Input>({ on: 'released' }),
  fc.constant<Input>({ on: 'recovered' }),
  fc.record({ on: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
  fc.record({ on: fc.constant('end' as const), reason: fc.constant('api') }),
  fc.record({
    on: fc.constant('added' as const),
    plan: legId.map((replaces) => plan('y', { replaces, referred: replaces === 'b' })),
    homes: fc.constant(['h3']),
  }),
  fc.constant<Input>({ on: 'taken', legs: { a: { endpoint: 'ep_a' }, b: { endpoint: 'ep_b' } } }),
  fc.record({ on: fc.constant('flag' as const), leg: legId, held: fc.boolean() }),
  fc.record({ on: fc.constant('flag' as const), leg: legId, muted: fc.boolean() }),
  fc.record({
    on: fc.constant('command' as const),
    plan: fc.record({
      id: fc.constantFrom('cmd_1', 'cmd_2', 'cmd_3'),
      verb: fc.constantFrom('call.play' as const, 'call.gather' as const),
      legs: fc.subarray(['a', 'b', 'x'], { minLength: 1 }),
      room: fc.boolean(),
      queue: fc.boolean(),
      item: fc.constant('rain'),
      gather: fc.constant({ min: 1, max: 2, finish: '#', first: 5000, between: 1000, interrupt: true }),
    }),
  }),
  fc.constant<Input>({
    on: 'command',
    plan: { id: 'cmd_9', verb: 'call.record', legs: ['a'], room: false, queue: false, recording: 'rec_1', limit: 5000 },
  }),
  fc.record({ on: fc.constant('sound' as const), sound: fc.constantFrom('cmd_1', 'cmd_9'), failed: fc.boolean() }),
  fc.record({
    on: fc.constant('digit' as const),
    leg: legId,
    digit: fc.constantFrom('1', '#'),
    duration: fc.constant(100),
  }),
  fc.record({
    on: fc.constant('stop-command' as const),
    command: fc.constantFrom('cmd_1', 'cmd_2', 'cmd_9'),
    result: fc.constant('stopped' as const),
  }),
);

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

describe.each(Object.keys(KINDS))('a session: %s', (kind) => {
  const runs = fc.record({ metered: fc.boolean(), refuse: fc.boolean(), inputs: fc.array(input, { maxLength: 40 }) });

  it('is the fold of its rows, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(runs, ({ metered, inputs }) => {
        const run = new Run(kind);
        run.step(reserved(run.live.state, metered));
        for (const one of inputs) {
          if (one.on === 'wait') run.wait(one.ms);
          else run.step(one);
          expect(asJson(fold(run.rows))).toEqual(asJson(run.live.state));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('ends: once asked to, every leg has one record, one reason and one end, and nothing follows', () => {
    fc.assert(
      fc.property(runs, ({ metered, refuse, inputs }) => {
        const run = new Run(kind);
        if (refuse) run.step({ on: 'refused', fault: { code: 'uplink_full' }, started: [{ leg: 'a', step: 'qos' }] });
        else run.step(reserved(run.live.state, metered));
        for (const one of inputs) {
          if (one.on === 'wait') run.wait(one.ms);
          else run.step(one);
        }
        run.step({ on: 'end', reason: 'api' });
        run.step({ on: 'released' });
        const { state } = run.live;
        expect(state.state).toBe('ended');
        expect(liveLegs(state)).toEqual([]);
        const records = run.rows.flatMap((row) => ('records' in row.data ? row.data.records : []));
        expect(records.map((one) => one.leg).toSorted()).toEqual(state.legs.map((leg) => leg.id).toSorted());
        for (const one of records) {
          expect(one.end).toBeGreaterThanOrEqual(one.answer ?? one.start);
          expect(one.reason).not.toBe('');
        }
        expect(run.rows.map((row) => row.seq)).toEqual(run.rows.map((_, i) => i + 1));
        expect(sessionMachine.due(run.live)).toBe(Number.POSITIVE_INFINITY);
        const before = run.rows.length;
        for (const one of inputs) if (one.on !== 'wait') run.step(one);
        expect(run.rows).toHaveLength(before);
      }),
      { numRuns: 300 },
    );
  });

  it('releases every reservation of every leg, and closes every channel that it opened', () => {
    fc.assert(
      fc.property(runs, ({ metered, inputs }) => {
        const run = new Run(kind);
        run.step(reserved(run.live.state, metered));
        for (const one of inputs) {
          if (one.on === 'wait') run.wait(one.ms);
          else run.step(one);
        }
        run.step({ on: 'end', reason: 'api' });
        const sent = run.out.flatMap((one) => (one.do === 'send' ? [one.command] : []));
        const of = (verb: string, leg: string) =>
          sent.filter((one) => one.verb === verb && (one.request as { leg?: string }).leg === leg).length;
        const reported = new Set(
          inputs.flatMap((one) => (one.on === 'report' && one.event === 'ended' ? [one.leg] : [])),
        );
        for (const leg of run.live.state.legs) {
          if (leg.reserve.includes('qos')) expect(of('qos.release', leg.id)).toBe(1);
          if (leg.reserve.includes('billing')) expect(of('billing.release', leg.id)).toBe(1);
          if (leg.reserve.includes('endpoint')) expect(of('media.endpoint.release', leg.id)).toBe(1);
          if (leg.reserve.includes('player')) expect(of('media.stop', leg.id)).toBe(1);
          expect(of('channel.open', leg.id)).toBeLessThanOrEqual(1);
          if (of('channel.open', leg.id) === 1 && !reported.has(leg.id)) expect(of('channel.close', leg.id)).toBe(1);
        }
        if (run.live.state.roomSize !== undefined) {
          expect(sent.filter((one) => one.verb === 'conference.room.close')).toHaveLength(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('changes its state by rows alone: a frozen copy of the state folds to the same', () => {
    const run = new Run(kind);
    run.step(reserved(run.live.state));
    run.step({ on: 'report', leg: 'a', event: 'answered', at: 1 });
    run.step({ on: 'end', reason: 'api' });
    const rows = run.rows.map((row) => deepFreeze(structuredClone(row)));
    expect(view(fold(rows) as SessionState)).toEqual(view(run.live.state));
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

describe('the fold', () => {
  const at = (seq: number, row: object) => ({ session: 'ses_1', seq, at: seq, ...row }) as JournalRow;
  const begun = [first(KINDS.media as never), at(2, { type: 'answered', leg: 'a', data: { at: 7 } })];
  const state = (...rows: JournalRow[]) => fold([...begun, ...rows]) as SessionState;

  it('begins with `created` and nothing else', () => {
    expect(fold([])).toBeUndefined();
    expect(fold([at(1, { type: 'answered', leg: 'a', data: { at: 7 } })])).toBeUndefined();
  });

  it('takes the first answer, the first reason and the first end', () => {
    const records = (end: number, reason: string) => [{ leg: 'a', from: 'x', to: 'y', start: 1, end, reason }];
    const twice = state(
      at(3, { type: 'answered', leg: 'a', data: { at: 9 } }),
      at(4, { type: 'leg-ended', leg: 'a', cause: 'hangup', data: { records: records(50, 'hangup') } }),
      at(5, { type: 'answered', leg: 'a', data: { at: 10 } }),
      at(6, { type: 'ending', cause: 'api', data: { records: records(60, 'api') } }),
      at(7, { type: 'ended', cause: 'lost', data: { records: [] } }),
    );
    expect(twice).toMatchObject({ state: 'ended', reason: 'api', endedAt: 7, seq: 7 });
    expect(twice.legs[0]).toMatchObject({ state: 'ended', answeredAt: 7, endedAt: 50, reason: 'hangup' });
  });

  it('takes nothing after the end but the count', () => {
    const end = at(3, { type: 'ended', cause: 'api', data: { records: [] } });
    const more = [
      at(4, { type: 'added', leg: 'x', data: { plan: plan('x'), homes: ['h9'] } }),
      at(5, { type: 'noted', leg: 'a', data: { dscp: 'EF' } }),
      at(6, { type: 'ended', cause: 'lost', data: { records: [] } }),
    ];
    expect(state(end, ...more)).toEqual({ ...state(end), seq: 6 });
  });
});
