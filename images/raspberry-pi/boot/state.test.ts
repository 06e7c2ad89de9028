import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { hasProgram } from '#test/peers.ts';
import { SECTOR, type SlotName, STATE_SECTORS } from './layout.ts';
import { decodeState, encodeState, FRESH, LOST, newestState, type SlotState } from './state.ts';

const states: fc.Arbitrary<SlotState> = fc.record({
  sequence: fc.integer({ min: 1, max: 0x7fffffff }),
  order: fc.constantFrom<readonly SlotName[]>(['A', 'B'], ['B', 'A'], ['A'], ['B']),
  left: fc.record({ A: fc.integer({ min: 0, max: 15 }), B: fc.integer({ min: 0, max: 15 }) }),
  stopped: fc.boolean(),
});

describe('the slot state', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(decodeState(encodeState(state))).toEqual(state);
      }),
    );
  });

  test('any changed byte is noticed', () => {
    fc.assert(
      fc.property(states, fc.nat(SECTOR - 1), fc.integer({ min: 1, max: 255 }), (state, at, flip) => {
        const sector = encodeState(state);
        sector[at] = (sector[at] ?? 0) ^ flip;
        expect(decodeState(sector)).toBeUndefined();
      }),
    );
  });

  test('a torn write of the older copy leaves the newest', () => {
    fc.assert(
      fc.property(
        states,
        fc.boolean(),
        fc.uint8Array({ minLength: SECTOR, maxLength: SECTOR }),
        (state, first, torn) => {
          const kept = encodeState(state);
          const found = newestState(first ? [kept, torn] : [torn, kept]);
          expect(found).toEqual({ state, next: first ? 1 : 0 });
        },
      ),
    );
  });

  test('the higher sequence counts; without a copy both slots are tried', () => {
    const older = encodeState({ ...FRESH, sequence: 9 });
    const newer = encodeState({ ...FRESH, sequence: 10, order: ['B', 'A'] });
    expect(newestState([older, newer])).toMatchObject({ state: { sequence: 10 }, next: 0 });
    expect(newestState([newer, older])).toMatchObject({ state: { sequence: 10 }, next: 1 });
    expect(newestState([undefined, new Uint8Array(SECTOR)])).toEqual({ state: LOST, next: 0 });
  });
});

describe.skipIf(!hasProgram('busybox'))('the boot backend of RAUC', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-slot-'));
  const disk = join(folder, 'disk');
  const script = join(import.meta.dirname, 'slot-state');
  const backend = (...args: string[]) =>
    spawnSync('busybox', ['sh', script, ...args], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', HEARTHLINE_DISK: disk, TMPDIR: folder },
    });
  const put = (copies: readonly (Uint8Array | undefined)[]) => {
    const image = new Uint8Array(160 * SECTOR);
    copies.forEach((copy, index) => {
      if (copy !== undefined) image.set(copy, (STATE_SECTORS[index] ?? 0) * SECTOR);
    });
    writeFileSync(disk, image);
  };
  const read = () => {
    const image = readFileSync(disk);
    return newestState(STATE_SECTORS.map((at) => image.subarray(at * SECTOR, (at + 1) * SECTOR)));
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('reads the newest copy', () => {
    put([
      encodeState({ ...FRESH, sequence: 30 }),
      encodeState({ ...FRESH, sequence: 31, order: ['B', 'A'], left: { A: 3, B: 1 } }),
    ]);
    expect(backend('get-primary').stdout).toBe('B\n');
    expect(backend('get-state', 'A').stdout).toBe('good\n');
    expect(backend('show').stdout).toBe('sequence=31 order=B A A=3 B=1\n');
  });

  test('an update goes its way: bad while written, first afterwards, good when proved', () => {
    put([encodeState(FRESH), undefined]);
    expect(backend('set-state', 'B', 'bad').status).toBe(0);
    expect(read()).toEqual({ state: { ...FRESH, sequence: 2 }, next: 0 });
    expect(backend('set-primary', 'B').status).toBe(0);
    expect(read()).toEqual({
      state: { sequence: 3, order: ['B', 'A'], left: { A: 3, B: 3 }, stopped: false },
      next: 1,
    });
    put([encodeState({ ...FRESH, sequence: 7, order: ['B', 'A'], left: { A: 3, B: 1 } }), undefined]);
    expect(backend('set-state', 'B', 'good').status).toBe(0);
    expect(read().state).toEqual({ sequence: 8, order: ['B', 'A'], left: { A: 3, B: 3 }, stopped: false });
  });

  test('no readable copy counts as both slots with all tries', () => {
    put([undefined, undefined]);
    expect(backend('get-primary').stdout).toBe('A\n');
    backend('set-state', 'A', 'good');
    expect(read()).toEqual({ state: { ...LOST, sequence: 1 }, next: 1 });
  });

  test('no slot with a try left, and words it does not know', () => {
    put([encodeState({ ...FRESH, left: { A: 0, B: 0 } }), undefined]);
    expect(backend('get-primary')).toMatchObject({ status: 1, stdout: '' });
    for (const args of [['set-primary', 'C'], ['set-state', 'A', 'fine'], ['get-state'], ['other']])
      expect(backend(...args).status, args.join(' ')).toBe(1);
    expect(read().state.sequence).toBe(1);
  });
});
