import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JournalRow, LegPlan } from './events.ts';
import { type Input, type Live, newLive, type Output } from './live.ts';
import { sessionMachine } from './machine.ts';
import { apply, fold, liveLegs, type SessionState, view } from './session.ts';

const plan = (id: string, more: Partial<LegPlan> = {}): LegPlan => ({
  id,
  kind: 'voice',
  orientation: 'voice',
  server: 'softswitch',
  why: 'test',
  role: 'party',
  channel: 'instructed',
  from: '+15550100001',
  to: '+15550100002',
  reserve: ['billing', 'qos', 'endpoint'],
  ...more,
});

const media = (id: string, more: Partial<LegPlan> = {}) =>
  plan(id, { kind: 'media', orientation: 'non-voice', server: 'media', item: 'rain', reserve: ['player'], ...more });

/** Sessions of every kind, as their first row. */
const KINDS: Record<string, Extract<JournalRow, { type: 'created' }>['data']> = {
  'phone call': {
    kind: 'call',
    request: {},
    homes: ['h1', 'h2'],
    legs: [
      plan('a', { channel: 'switched', home: 'h1', reserve: ['qos'], gateway: 'gw_1' }),
      plan('b', { channel: 'switched', home: 'h2', reserve: ['billing', 'qos'], payer: 'h1' }),
    ],
  },
  'API call': { kind: 'call', request: {}, homes: ['h1'], legs: [plan('a'), plan('b', { after: 'a', payer: 'h1' })] },
  media: { kind: 'media', request: {}, homes: ['h1'], legs: [media('a')] },
  conference: { kind: 'conference', request: {}, homes: ['h1'], legs: [plan('a'), plan('b'), plan('c')], roomSize: 8 },
  'conference with media in homes': {
    kind: 'conference-with-media',
    request: {},
    homes: ['h1', 'h2'],
    legs: [plan('a'), plan('b'), media('c', { join: 'a', after: 'a' }), media('d', { join: 'b', after: 'b' })],
    roomSize: 8,
  },
  'conference with media in the room': {
    kind: 'conference-with-media',
    request: {},
    homes: ['h1'],
    legs: [plan('a'), plan('b'), media('c', { channel: 'room' })],
    roomSize: 8,
  },
};

const first = (data: (typeof KINDS)[string]): JournalRow => ({
  session: 'ses_1',
  seq: 1,
  at: 1000,
  type: 'created',
  data,
});
const begin = (kind: string): SessionState => apply(undefined, first(KINDS[kind] as never)) as SessionState;
const reserved = (state: SessionState, metered = false): Input => ({
  on: 'reserved',
  legs: Object.fromEntries(
    state.legs.map((leg) => [
      leg.id,
      { endpoint: `ep_${leg.id}`, player: `pl_${leg.id}`, metered, ...(metered ? { until: 60_000 } : {}) },
    ]),
  ),
  ...(state.roomSize === undefined ? {} : { room: 'room_1' }),
});

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
);

class Run {
  readonly live: Live;
  readonly rows: JournalRow[];
  readonly out: Output[] = [];
  now = 0;

  constructor(kind: string) {
    this.live = newLive(begin(kind));
    this.live.offset = 1000;
    this.rows = [first(KINDS[kind] as never)];
  }

  /** One step; the journal's rows are copied as the store would, by way of JSON. */
  step(one: Input | { on: 'tick' }): Output[] {
    const out: Output[] = [];
    sessionMachine.step(this.live, one, this.now, out);
    for (const entry of out) if (entry.do === 'append') this.rows.push(JSON.parse(JSON.stringify(entry.row)));
    this.out.push(...out);
    return out;
  }

  /** Lets time pass, ticking at every deadline. */
  wait(ms: number): void {
    const end = this.now + ms;
    for (let n = 0; n < 1000; n++) {
      const due = sessionMachine.due(this.live);
      if (due > end) break;
      this.now = Math.max(this.now, due);
      this.step({ on: 'tick' });
    }
    this.now = end;
  }
}

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

describe('deadlines', () => {
  const answered = (leg: string): Input => ({ on: 'report', leg, event: 'answered', at: 0 });
  const ended = (run: Run) => [run.live.state.state, run.live.state.reason];

  it('a leg that nobody answers or reports ends 5 s after its ringing time', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state));
    run.wait(34_999);
    expect(run.live.state.legs[0]?.state).toBe('starting');
    run.wait(1);
    expect(ended(run)).toEqual(['ending', 'no_answer']);
  });

  it('a missing leg is lost at its last lease, not before, and not when it is seen again', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.wait(20_000);
    run.step({ on: 'missing', leg: 'a' });
    run.wait(9_000);
    run.step({ on: 'seen', leg: 'a' });
    run.wait(25_000);
    run.step({ on: 'missing', leg: 'a' });
    expect(run.live.state.state).toBe('active');
    run.wait(4_999);
    expect(run.live.state.state).toBe('active');
    run.wait(1);
    expect(ended(run)).toEqual(['ending', 'lost']);
  });

  it('after a restart a missing leg has its whole lease', () => {
    const run = new Run('phone call');
    run.step(answered('b'));
    const again = newLive(fold(run.rows) as SessionState);
    const out: Output[] = [];
    sessionMachine.step(again, { on: 'recovered' }, 500_000, out);
    sessionMachine.step(again, { on: 'missing', leg: 'a' }, 500_500, out);
    expect([out, sessionMachine.due(again)]).toEqual([[], 530_500]);
  });

  it('prepaid talk asks for more in time and ends when none is given', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state, true));
    run.step(answered('a'));
    run.wait(40_001);
    const asked = run.out.filter((one) => one.do === 'send' && one.purpose === 'credit');
    expect(asked).toHaveLength(1);
    run.step({ on: 'credit', leg: 'a', until: 90_000 });
    run.wait(30_000);
    expect(run.out.filter((one) => one.do === 'send' && one.purpose === 'credit')).toHaveLength(2);
    run.step({ on: 'credit', leg: 'a', until: 90_000 });
    run.wait(19_990);
    expect(run.live.state.state).not.toBe('ending');
    run.wait(100);
    expect(ended(run)).toEqual(['ending', 'insufficient_credit']);
    expect(run.out.filter((one) => one.do === 'send' && one.purpose === 'credit')).toHaveLength(2);
  });

  it('what was being added when the process died ends alone', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.step({ on: 'added', plan: plan('x'), homes: ['h3'] });
    const again = newLive(fold(run.rows) as SessionState);
    const out: Output[] = [];
    sessionMachine.step(again, { on: 'recovered' }, 0, out);
    expect(again.state.legs.map((leg) => [leg.id, leg.state, leg.reason])).toEqual([
      ['a', 'up', undefined],
      ['b', 'starting', undefined],
      ['c', 'starting', undefined],
      ['x', 'ended', 'lost'],
    ]);
    expect(out.flatMap((one) => (one.do === 'send' ? [one.command.verb] : []))).toEqual([
      'media.endpoint.release',
      'qos.release',
      'billing.release',
    ]);
  });

  it('a conference without a home leg for a minute ends; one that comes in time keeps it', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.wait(34_000);
    for (const leg of ['b', 'c']) run.step({ on: 'failed', leg, fault: { code: 'callee_declined' } });
    run.wait(200_000);
    expect(run.live.state.state).toBe('active');
    run.step({ on: 'report', leg: 'a', event: 'ended', at: 0, reason: 'hangup' });
    expect(ended(run)).toEqual(['ending', 'hangup']);
  });

  it('an ending session ends after 30 s, whatever is still held', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step({ on: 'end', reason: 'api' });
    run.wait(29_999);
    expect(run.live.state.state).toBe('ending');
    run.wait(1);
    expect(ended(run)).toEqual(['ended', 'api']);
  });
});

describe('who hears whom', () => {
  const verbs = (out: readonly Output[]) => out.flatMap((one) => (one.do === 'send' ? [one.command.verb] : []));

  it('music into the room starts with the first voice in it', () => {
    const run = new Run('conference with media in the room');
    expect(verbs(run.step(reserved(run.live.state)))).toEqual(['channel.open', 'channel.open']);
    expect(verbs(run.step({ on: 'report', leg: 'b', event: 'answered', at: 0 }))).toEqual([
      'conference.party.add',
      'conference.party.add',
      'media.start',
    ]);
  });

  it('a home’s media channel opens once its conference channel is up, and goes with it', () => {
    const run = new Run('conference with media in homes');
    run.step(reserved(run.live.state));
    const opened = run.step({ on: 'report', leg: 'a', event: 'answered', at: 0 });
    expect(opened.flatMap((one) => (one.do === 'send' ? [[one.command.verb, one.leg]] : []))).toEqual([
      ['conference.party.add', 'a'],
      ['channel.open', 'c'],
    ]);
    run.step({ on: 'report', leg: 'b', event: 'answered', at: 0 });
    run.step({ on: 'report', leg: 'a', event: 'ended', at: 0, reason: 'hangup' });
    expect(run.live.state.legs.map((leg) => [leg.id, leg.state])).toEqual([
      ['a', 'ended'],
      ['b', 'up'],
      ['c', 'ended'],
      ['d', 'starting'],
    ]);
  });
});
