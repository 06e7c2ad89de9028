/** The updater's machine: a table of its ways, then properties over random inputs with the power failing anywhere. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import { checkedStep } from '#test/support/checked-step.ts';
import { seed } from '#test/support/seed.ts';
import type { BoardFacts, BundleFacts } from './board.ts';
import { PATIENCE, STARTS, updater } from './machine.ts';
import { HISTORY } from './outcomes.ts';
import { freshState, readSaved, writeSaved } from './saved.ts';
import type { Input, Job, Output, UpdaterState } from './states.ts';

const facts: BoardFacts = { board: 'rpi', version: '1.0.0', slot: 'A', good: true, boot: 'b1' };
const bundle: BundleFacts = { version: '1.1.0', board: 'rpi', sha256: 'a'.repeat(64), size: 1000 };
const job: Job = {
  id: 'rol_1',
  source: { kind: 'release', release: 'rel_1' },
  version: '1.1.0',
  sha256: bundle.sha256,
  size: 1000,
};
const before = { slot: 'A', version: '1.0.0', boot: 'b1' } as const;
const healthy = { ok: true, wan: false, paired: true };
const plenty = { on: 'checked', facts, free: 1e9, here: 0 } as const;

/** Steps through inputs at one moment; the outputs of the last. */
function play(state: UpdaterState, inputs: readonly (Input | typeof TICK)[], now = 0): Output[] {
  let out: Output[] = [];
  for (const input of inputs) out = checkedStep(updater, state, input, now);
  return out;
}

function at(inputs: readonly (Input | typeof TICK)[]): UpdaterState {
  const state = { ...freshState(), floor: '1.0.0' };
  play(state, inputs);
  return state;
}

const did = (out: readonly Output[]) => out.map((one) => one.do);
const WAY: readonly Input[] = [
  { on: 'start', job },
  plenty,
  { on: 'fetched' },
  { on: 'inspected', bundle },
  { on: 'installed', before },
];
/** The agent starts again. */
const boot = (more: Partial<BoardFacts> = {}, paired = true): Input => ({
  on: 'booted',
  facts: { ...facts, ...more },
  paired,
});
const inNew = boot({ slot: 'B', boot: 'b2', version: '1.1.0', good: false });

describe('the floor', () => {
  const floors: readonly (readonly [string | undefined, string | undefined, string])[] = [
    [undefined, undefined, '1.0.0'],
    [undefined, '1.4.0', '1.4.0'],
    ['1.2.0', '1.4.0', '1.4.0'],
    ['1.5.0', '1.4.0', '1.5.0'],
    ['1.2.0', undefined, '1.2.0'],
  ];
  it.each(floors)('of %s, where the board says %s, is %s', (own, floor, expected) => {
    const state = { ...freshState(), floor: own };
    play(state, [boot(floor === undefined ? {} : { floor })]);
    expect(state.floor).toBe(expected);
    expect(state.step.at).toBe('idle');
  });
});

describe('the way to a new system', () => {
  const ways: readonly (readonly [string, number, readonly string[]])[] = [
    ['checking', 1, ['save', 'check']],
    ['downloading', 2, ['save', 'tell', 'fetch']],
    ['verifying', 3, ['save', 'inspect']],
    ['installing', 4, ['save', 'tell', 'install']],
    ['rebooting', 5, ['save', 'tell', 'reboot']],
  ];
  it.each(ways)('comes to %s, kept on the disk before anything is done', (name, steps, outputs) => {
    const state = { ...freshState() };
    const out = play(state, WAY.slice(0, steps));
    expect([state.step.at, did(out)]).toEqual([name, outputs]);
  });

  it('is proved by a session: marked good, then told once', () => {
    const state = at([...WAY, inNew]);
    expect(state.step.at).toBe('proving');
    expect(did(play(state, [{ on: 'session' }]))).toEqual(['mark-good']);
    expect(did(play(state, [{ on: 'marked' }]))).toEqual(['save', 'clean']);
    expect(state).toMatchObject({
      step: { at: 'idle' },
      floor: '1.1.0',
      untold: [{ job: 'rol_1', state: 'good', from: '1.0.0', version: '1.1.0' }],
    });
  });
});

describe('the proof without a session', () => {
  const tested = (health: typeof healthy) => {
    const state = at([...WAY, inNew]);
    expect(did(play(state, [TICK], PATIENCE.session - 1))).toEqual([]);
    expect(did(play(state, [TICK], PATIENCE.session))).toEqual(['test']);
    return did(play(state, [{ on: 'tested', health }], PATIENCE.session + 5));
  };
  it.each([
    ['all well, the cloud out of reach', healthy, ['mark-good']],
    ['all well, but the cloud answers and gives no session', { ...healthy, wan: true }, []],
    ['all well, the cloud answers, no home yet', { ok: true, wan: true, paired: false }, ['mark-good']],
    ['something is broken', { ...healthy, ok: false }, []],
  ])('%s', (_name, health, outputs) => {
    expect(tested(health)).toEqual(outputs);
  });

  it('ends: the slot is given up, again and again until the board obeys', () => {
    const state = at([...WAY, inNew]);
    play(state, [TICK], PATIENCE.session);
    expect(did(play(state, [TICK], PATIENCE.proving))).toEqual(['save', 'give-up']);
    expect(did(play(state, [TICK], updater.due(state)))).toEqual(['save', 'give-up']);
  });

  it('never ends where there is no other system', () => {
    const state = at([boot({ good: false }, false)]);
    expect(updater.due(state)).toBe(PATIENCE.unpaired);
    let now = 0;
    for (let i = 0; i < 50; i++) {
      now = updater.due(state);
      expect(did(play(state, [TICK], now))).toEqual(['test']);
      play(state, [{ on: 'tested', health: { ...healthy, ok: false } }], now);
    }
  });

  it('gives up after an agent that starts too often', () => {
    const state = at([...WAY, inNew]);
    for (let i = 1; i < STARTS; i++) play(state, [inNew]);
    expect(did(play(state, [inNew]))).toEqual(['save', 'give-up']);
  });
});

describe('the way back', () => {
  const wreck = { stage: 'kernel', attempts: 3, lines: ['panic'] } as const;
  it.each([
    ['the new system never came up', [...WAY], wreck, 'update_not_started'],
    ['it came as far as the agent', [...WAY], { ...wreck, stage: 'agent' as const }, 'update_not_proved'],
    ['it was given up while it was proved', [...WAY, inNew], wreck, 'update_not_proved'],
  ])('%s', (_name, way, found, reason) => {
    const state = at(way);
    play(state, [{ on: 'booted', facts: { ...facts, boot: 'b3' }, paired: true, wreck: found }]);
    expect(state.untold).toMatchObject([
      { state: 'back', reason, stage: found.stage, attempts: 3, lines: ['panic'], from: '1.0.0', version: '1.1.0' },
    ]);
    expect(state.floor).toBe('1.0.0');
  });

  it.each([[[...WAY]], [[...WAY, inNew]]])('ends at a system that proves itself anew: its start took a try', (way) => {
    const state = at(way);
    play(state, [{ on: 'booted', facts: { ...facts, boot: 'b3', good: false }, paired: true, wreck }]);
    expect(did(play(state, [{ on: 'session' }]))).toEqual(['mark-good']);
  });

  it('is not taken for one while the same kernel still runs: the restart is asked for again', () => {
    const state = at(WAY);
    expect(did(play(state, [boot()]))).toEqual(['save', 'tell', 'reboot']);
  });
});

describe('what is refused', () => {
  const withJob = (more: Partial<Job>): readonly Input[] => [{ on: 'start', job: { ...job, ...more } }];
  const file = { kind: 'file', file: '/media/x.raucb' } as const;
  const far = [...withJob({}), plenty, { on: 'fetched' }] as const;
  const cases: readonly (readonly [string, readonly Input[], string])[] = [
    ['an older version', [...withJob({ version: '0.9.0' }), plenty], 'update_too_old'],
    ['another board', [...withJob({ board: 'pc' }), plenty], 'update_wrong_board'],
    ['a full disk', [...withJob({}), { ...plenty, free: 1000 }], 'update_no_room'],
    ['no board', [...withJob({}), { ...plenty, facts: undefined }], 'update_not_possible'],
    [
      'a download that is no use',
      [...withJob({}), plenty, { on: 'fetch-failed', why: 'x', code: 'update_not_found' }],
      'update_not_found',
    ],
    [
      'another version in the bundle',
      [...far, { on: 'inspected', bundle: { ...bundle, version: '1.2.0' } }],
      'update_wrong_version',
    ],
    [
      'another board in the bundle',
      [...far, { on: 'inspected', bundle: { ...bundle, board: 'pc' } }],
      'update_wrong_board',
    ],
    [
      'an older bundle by hand',
      [
        ...withJob({ source: file, version: undefined as never }),
        plenty,
        { on: 'fetched' },
        { on: 'inspected', bundle: { ...bundle, version: '0.9.9' } },
      ],
      'update_too_old',
    ],
    ['a foreign signature', [...far, { on: 'refused', why: { code: 'update_untrusted' } }], 'update_untrusted'],
    [
      'a swap before the installation',
      [...far, { on: 'inspected', bundle }, { on: 'refused', why: { code: 'update_swapped' } }],
      'update_swapped',
    ],
    ['the operator’s word', [...far, { on: 'stop', job: 'rol_1' }], 'update_stopped'],
  ];
  it.each(cases)('%s', (_name, inputs, reason) => {
    const state = { ...freshState(), floor: '1.0.0' };
    play(state, inputs);
    expect(state.untold.map((one) => [one.state, one.reason])).toEqual([['failed', reason]]);
    expect(state.step.at).toBe('idle');
  });

  it('a damaged bundle only at the second time, and at once where somebody put it there', () => {
    const damaged: Input = { on: 'inspected', bundle: { ...bundle, sha256: 'b'.repeat(64) } };
    const state = at(far);
    expect(did(play(state, [damaged]))).toEqual(['clean', 'save', 'tell', 'fetch']);
    play(state, [{ on: 'fetched' }, damaged]);
    expect(state.untold).toMatchObject([{ reason: 'update_damaged' }]);
    const local = at([...withJob({ source: file }), plenty, { on: 'fetched' }, damaged]);
    expect(local.untold).toMatchObject([{ reason: 'update_damaged' }]);
  });

  it('nothing once it is installed: a word to stop comes too late', () => {
    const state = at(WAY);
    expect(play(state, [{ on: 'stop', job: 'rol_1' }])).toEqual([]);
  });
});

it(`remembers ${HISTORY} updates, the newest first`, () => {
  const state = freshState();
  for (let i = 0; i <= HISTORY; i++)
    play(state, [
      { on: 'start', job: { ...job, id: `j${i}` } },
      { on: 'stop', job: `j${i}` },
    ]);
  expect([state.history.length, state.history[0]?.job, state.untold.length]).toEqual([HISTORY, `j${HISTORY}`, HISTORY]);
});

describe('patience', () => {
  it('tries a download again, ever more slowly, and gives up after a day', () => {
    const state = at([{ on: 'start', job }, plenty]);
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 9; i++) {
      play(state, [{ on: 'fetch-failed', why: 'cut' }], now);
      waits.push(updater.due(state) - now);
      now = updater.due(state);
      expect(did(play(state, [TICK], now))).toEqual(['fetch']);
    }
    expect(waits).toEqual([5e3, 1e4, 2e4, 4e4, 8e4, 16e4, 32e4, 6e5, 6e5]);
    play(state, [TICK], PATIENCE.downloading);
    expect(state.untold).toMatchObject([{ reason: 'update_download_failed' }]);
  });

  it.each([
    [1, PATIENCE.checking],
    [3, PATIENCE.verifying],
    [4, PATIENCE.installing],
  ])('ends step %i', (steps, ms) => {
    const state = at(WAY.slice(0, steps));
    expect(updater.due(state)).toBe(ms);
    play(state, [TICK], ms);
    expect(state.untold).toMatchObject([{ state: 'failed', reason: 'update_install_failed' }]);
  });
});

describe('properties', () => {
  const versions = fc.constantFrom('0.9.0', '1.0.0', '1.1.0', '1.2.0');
  const slots = fc.constantFrom('A' as const, 'B' as const);
  const boards = fc.record({
    board: fc.constantFrom('rpi', 'pc'),
    version: versions,
    slot: slots,
    good: fc.boolean(),
    boot: fc.constantFrom('b1', 'b2', 'b3'),
  });
  const jobs = fc.record({
    id: fc.constantFrom('j1', 'j2'),
    source: fc.constantFrom<Job['source']>(job.source, { kind: 'file', file: '/media/a.raucb' }),
    version: versions,
  });
  const bundles = fc.record({
    version: versions,
    board: fc.constantFrom('rpi', 'pc'),
    sha256: fc.constant(bundle.sha256),
    size: fc.constant(1000),
  });
  const inputs: fc.Arbitrary<Input | typeof TICK> = fc.oneof(
    fc.constant(TICK),
    fc.record({
      on: fc.constant('booted' as const),
      facts: fc.option(boards, { nil: undefined }),
      paired: fc.boolean(),
    }),
    fc.record({ on: fc.constant('start' as const), job: jobs }),
    fc.record({ on: fc.constant('stop' as const), job: fc.constantFrom('j1', 'j2') }),
    fc.record({
      on: fc.constant('checked' as const),
      facts: boards,
      free: fc.constantFrom(undefined, 0, 1e9),
      here: fc.constant(0),
    }),
    fc.constant({ on: 'fetched' } as const),
    fc.constantFrom<Input>({ on: 'fetch-failed', why: 'x' }, { on: 'fetch-failed', why: 'x', code: 'update_damaged' }),
    fc.record({ on: fc.constant('inspected' as const), bundle: bundles }),
    fc.record({
      on: fc.constant('installed' as const),
      before: fc.record({ slot: slots, version: versions, boot: fc.constantFrom('b1', 'b2') }),
    }),
    fc.constant({ on: 'refused', why: { code: 'update_install_failed' } } as const),
    fc.constant({ on: 'session' } as const),
    fc.record({
      on: fc.constant('tested' as const),
      health: fc.record({ ok: fc.boolean(), wan: fc.boolean(), paired: fc.boolean() }),
    }),
    fc.constant({ on: 'marked' } as const),
  );
  /** `cut`: the power fails after this input, before or after the state was saved. */
  const script = fc.array(
    fc.record({
      input: inputs,
      wait: fc.integer({ min: 0, max: 600_000 }),
      cut: fc.constantFrom('no', 'no', 'no', 'before', 'after'),
    }),
    { maxLength: 40 },
  );

  it('nothing touches a slot unsaved, nothing older gets in, only proof marks good, the floor never sinks; cuts anywhere', () => {
    fc.assert(
      fc.property(script, (steps) => {
        let state = freshState();
        let disk = utf8(writeSaved(state));
        let now = 0;
        for (const { input, wait, cut } of steps) {
          now += wait;
          const { floor } = state;
          const out = checkedStep(updater, state, input, now);
          const order = did(out);
          const firstHeavy = order.findIndex((one) => one === 'install' || one === 'give-up');
          if (firstHeavy >= 0) expect(order.slice(0, firstHeavy)).toContain('save');
          for (const one of out) {
            if (one.do === 'install' && state.floor !== undefined) expect(one.bundle.version >= state.floor).toBe(true);
            if (one.do === 'mark-good')
              expect(
                input.on === 'session' ||
                  (input.on === 'tested' && input.health.ok && !(input.health.wan && input.health.paired)),
              ).toBe(true);
          }
          expect((state.floor ?? '') >= (floor ?? '')).toBe(true);
          if (order.includes('save') && cut !== 'before') disk = utf8(writeSaved(state));
          if (cut !== 'no') state = readSaved(disk);
        }
      }),
      { seed, numRuns: 2_000 },
    );
  });

  it('whatever was saved is read back, deadlines aside; a damaged file is a fresh state', () => {
    fc.assert(
      fc.property(script, fc.nat(), (steps, flip) => {
        const state = freshState();
        for (const { input, wait } of steps) updater.step(state, input, wait, []);
        const text = writeSaved(state);
        expect(writeSaved(readSaved(utf8(text)))).toBe(text);
        const damaged = utf8(text);
        const place = flip % damaged.length;
        damaged[place] = (damaged[place] ?? 0) ^ 1;
        const read = readSaved(damaged);
        for (const good of [true, false]) updater.step(read, boot({ good }), 0, []);
      }),
      { seed, numRuns: 500 },
    );
  });

  it('every step that waits has an end: ticks alone bring it back to rest, or to a proof that goes on', () => {
    fc.assert(
      fc.property(script, (steps) => {
        const state = freshState();
        let now = 0;
        for (const { input, wait } of steps) {
          now += wait;
          updater.step(state, input, now, []);
        }
        const cutState = readSaved(utf8(writeSaved(state)));
        updater.step(cutState, boot(), now, []);
        for (let i = 0; i < 5_000 && cutState.step.at !== 'idle' && cutState.step.at !== 'proving'; i++) {
          const due = updater.due(cutState);
          expect(due).toBeLessThan(NEVER);
          updater.step(cutState, TICK, due, []);
        }
        expect(['idle', 'proving']).toContain(cutState.step.at);
      }),
      { seed, numRuns: 500 },
    );
  });
});
