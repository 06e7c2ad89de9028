import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TICK } from '#shared/kernel/machine.ts';
import {
  EXPIRES,
  FIRST_WAIT,
  LAST_WAIT,
  LONGEST_REFUSED,
  newUpstream,
  REFUSED_WAIT,
  type UpstreamInput,
  type UpstreamOutput,
  type UpstreamState,
  upstream,
} from './upstream.ts';

const feed = (state: UpstreamState, input: UpstreamInput | typeof TICK, now: number): UpstreamOutput[] => {
  const out: UpstreamOutput[] = [];
  upstream.step(state, input, now, out);
  return out;
};

const line = (wanted: boolean): UpstreamInput => ({ on: 'line', line: 'l', wanted });
const WAYS: Readonly<Record<UpstreamState['flow'], readonly UpstreamInput[]>> = {
  stopped: [],
  opening: [{ on: 'start' }],
  up: [{ on: 'start' }, { on: 'opened' }],
  down: [{ on: 'start' }, { on: 'closed', jitter: 0.5 }],
};
const INPUTS: Readonly<Record<string, UpstreamInput | typeof TICK>> = {
  start: { on: 'start' },
  stop: { on: 'stop' },
  opened: { on: 'opened' },
  closed: { on: 'closed', jitter: 0.5 },
  line: { on: 'line', line: 'm', wanted: true },
  unline: line(false),
  registered: { on: 'registered', line: 'l', seconds: 60 },
  refused: { on: 'refused', line: 'l', jitter: 0.5 },
  tick: TICK,
};
const REGISTER = (name: string, expires: number) => `register ${name} ${expires}`;
const said = (out: readonly UpstreamOutput[]) =>
  out.map((one) => (one.do === 'register' ? REGISTER(one.line, one.expires) : one.do));

/** From each state, with line `l` wanted: the state after an input, and what is done. What is not named changes nothing. */
const TABLE: Readonly<Record<UpstreamState['flow'], Readonly<Record<string, readonly [string, readonly string[]]>>>> = {
  stopped: { start: ['opening', ['open']], stop: ['stopped', ['close']] },
  opening: { stop: ['stopped', ['close']], opened: ['up', [REGISTER('l', EXPIRES)]], closed: ['down', []] },
  up: {
    stop: ['stopped', [REGISTER('l', 0), 'close']],
    closed: ['down', []],
    line: ['up', [REGISTER('m', EXPIRES)]],
    unline: ['up', [REGISTER('l', 0)]],
  },
  down: { stop: ['stopped', ['close']], tick: ['opening', ['open']] },
};

describe('the way to the softswitch', () => {
  for (const [from, way] of Object.entries(WAYS) as [UpstreamState['flow'], readonly UpstreamInput[]][]) {
    for (const [name, input] of Object.entries(INPUTS)) {
      const [to, out] = TABLE[from][name] ?? [from, []];
      it(`${from}, ${name}: ${to}${out.length > 0 ? `, ${out.join(', ')}` : ''}`, () => {
        const state = newUpstream();
        feed(state, line(true), 0);
        for (const step of way) feed(state, step, 0);
        expect(state.flow).toBe(from);
        expect([said(feed(state, input, 500_000)), state.flow]).toEqual([out, to]);
      });
    }
  }

  it('refreshes a registration at half of the time that was granted, and a refused one after a while', () => {
    const state = newUpstream();
    feed(state, line(true), 0);
    feed(state, { on: 'start' }, 0);
    feed(state, { on: 'opened' }, 0);
    expect(upstream.due(state)).toBe(Number.POSITIVE_INFINITY);
    feed(state, { on: 'registered', line: 'l', seconds: 120 }, 1000);
    expect(upstream.due(state)).toBe(61_000);
    expect(feed(state, TICK, 60_999)).toEqual([]);
    expect(said(feed(state, TICK, 61_000))).toEqual([REGISTER('l', EXPIRES)]);
    feed(state, { on: 'refused', line: 'l', jitter: 0 }, 62_000);
    expect(upstream.due(state)).toBe(62_000 + REFUSED_WAIT);
    // An answer for a line that is wanted no more brings nothing back.
    feed(state, line(false), 63_000);
    feed(state, { on: 'registered', line: 'l', seconds: 120 }, 64_000);
    expect(upstream.due(state)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    ['as long as it is asked to, and up to half as long again', 20, 20_000],
    ['no shorter than a second', 0, FIRST_WAIT],
    ['no longer than ten minutes', 86_400, LONGEST_REFUSED],
    ['half a minute unless asked', undefined, REFUSED_WAIT],
  ])('waits %s after a refusal (RFC 3261 section 21.5.4)', (_what, after, least) => {
    for (const jitter of [0, 0.5, 0.999]) {
      const state = newUpstream();
      for (const input of [line(true), ...WAYS.up]) feed(state, input, 0);
      feed(state, { on: 'refused', line: 'l', jitter, ...(after === undefined ? {} : { after }) }, 1_000);
      expect(upstream.due(state)).toBe(1_000 + least * (1 + jitter / 2));
    }
  });

  it('waits up to a second after the first loss, doubling up to a minute, and anew after a success', () => {
    const state = newUpstream();
    feed(state, { on: 'start' }, 0);
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      feed(state, { on: 'closed', jitter: 0.5 }, 0);
      waits.push(state.flowDue);
      feed(state, TICK, state.flowDue);
    }
    expect(waits.slice(0, 4)).toEqual([1, 2, 4, 8].map((n) => (n * FIRST_WAIT) / 2));
    expect(Math.max(...waits)).toBe(LAST_WAIT / 2);
    feed(state, { on: 'opened' }, 0);
    feed(state, { on: 'closed', jitter: 0.5 }, 0);
    expect(state.flowDue).toBe(FIRST_WAIT / 2);
  });

  it('whatever is lost and refused: in the end every wanted line is registered, and no wait is longer than a minute', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const event = fc.oneof(
      fc.record({ on: fc.constant('line' as const), line: name, wanted: fc.boolean() }),
      fc.record({ on: fc.constant('closed' as const), jitter: fc.double({ min: 0, max: 0.999, noNaN: true }) }),
      fc.record({ on: fc.constant('opened' as const) }),
      fc.record({ on: fc.constant('registered' as const), line: name, seconds: fc.integer({ min: 0, max: 3600 }) }),
      fc.record({
        ...{ on: fc.constant('refused' as const), line: name },
        after: fc.integer({ min: 0, max: 100_000 }),
        jitter: fc.double({ min: 0, max: 0.999, noNaN: true }),
      }),
      fc.constant(TICK),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat({ max: 70_000 })), { maxLength: 60 }), (events) => {
        const state = newUpstream();
        let now = 0;
        const held = new Set<string>();
        feed(state, { on: 'start' }, now);
        for (const [input, wait] of events) {
          now += wait;
          feed(state, input, now);
          if (state.flow === 'down') expect(state.flowDue - now).toBeLessThanOrEqual(LAST_WAIT);
        }
        // From here on all goes well: what is asked is granted.
        const asked: UpstreamOutput[] = state.flow === 'opening' ? [{ do: 'open' }] : [];
        for (const [one, { at }] of state.lines)
          if (at === 'asking') asked.push({ do: 'register', line: one, expires: EXPIRES });
        for (const [one, { at }] of state.lines) if (at === 'held') held.add(one);
        for (let i = 0; i < 20; i++) {
          for (const one of asked.splice(0)) {
            if (one.do === 'open') {
              held.clear();
              asked.push(...feed(state, { on: 'opened' }, now));
            } else if (one.do === 'register' && one.expires > 0) {
              held.add(one.line);
              feed(state, { on: 'registered', line: one.line, seconds: EXPIRES }, now);
            }
          }
          if (asked.length > 0) continue;
          if ([...state.wanted].every((one) => held.has(one)) && state.flow === 'up') break;
          now = Math.max(now, upstream.due(state));
          asked.push(...feed(state, TICK, now));
        }
        expect(state.flow).toBe('up');
        expect([...state.wanted].filter((one) => state.lines.get(one)?.at !== 'held')).toEqual([]);
        expect([...state.lines.keys()].filter((one) => !state.wanted.has(one))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
