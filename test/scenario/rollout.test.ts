/** Rollouts to real agents on boards with two systems: stages, bad images, silence, cuts, a restart of the cloud. Virtual time. */
import { describe, expect, it } from 'vitest';
import { toBase64 } from '#shared/kernel/base64.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { UPLOAD_PART } from '#shared/protocol/verbs/rollout.ts';
import { BOARD, makeBundle, type Operation, VirtualBoard, type VirtualImage } from '#simulator/board.ts';
import { Stage, type StageHome } from '#simulator/stage.ts';
import { drivenGround } from '#simulator/virtual-stage.ts';

const MINUTE = 60_000;
/** Octets of a bundle whose download takes its time. */
const LARGE = 3_000_000;

interface Fleet {
  readonly stage: Stage;
  readonly homes: readonly StageHome[];
  readonly boards: readonly VirtualBoard[];
}

/** Runs a play on a cloud with so many homes; whatever it does takes virtual time. */
async function onFleet(seed: number, count: number, play: (fleet: Fleet) => Promise<void>): Promise<void> {
  const { ground, world } = drivenGround({ seed });
  await world.settle(
    (async () => {
      const stage = await Stage.open(ground);
      try {
        const boards = Array.from({ length: count }, () => new VirtualBoard('1.0.0'));
        const homes: StageHome[] = [];
        for (const [i, board] of boards.entries())
          homes.push(await stage.home(`home${i}`, 'residential-gateway', undefined, board));
        await play({ stage, homes, boards });
      } finally {
        for (const home of stage.started) await home.stop();
        await stage.cloud.stop();
      }
    })(),
    600 * MINUTE,
  );
  await ground.close();
}

async function release(
  { stage }: Fleet,
  image: Partial<VirtualImage> & { readonly version: string },
  octets?: number,
): Promise<string> {
  const bundle = makeBundle(image, octets);
  const { crypto } = stage.ground.host('stage').world;
  const { id } = await stage.api('release.create', {
    version: image.version,
    board: BOARD,
    sha256: hex(crypto.hash('sha256', bundle)),
    size: bundle.length,
  });
  for (let offset = 0; offset < bundle.length; offset += UPLOAD_PART)
    await stage.api('release.upload', {
      release: id,
      offset,
      data: toBase64(bundle.subarray(offset, offset + UPLOAD_PART)),
    });
  return id;
}

/** Looks every few seconds until it is so; whole hours pass here. */
async function until({ stage }: Fleet, step: number, condition: () => Promise<boolean>): Promise<void> {
  const { clock } = stage.ground;
  const end = clock.mono() + 60 * MINUTE;
  while (!(await condition())) {
    if (clock.mono() > end) throw new Error('not within an hour');
    await stage.ground.pass(step);
  }
}

/** The rollout once it is over. */
async function ended(fleet: Fleet, rollout: string) {
  const now = () => fleet.stage.api('rollout.get', { rollout });
  await until(fleet, 5_000, async () => (await now()).state !== 'running');
  return now();
}

const versions = ({ boards }: Fleet) => boards.map((board) => board.slots[board.running]?.version);

describe('a rollout', () => {
  it('brings a good release to all, one, then a tenth, then the rest', () =>
    onFleet(71, 6, async (fleet) => {
      const { stage, boards } = fleet;
      const { id } = await stage.api('rollout.create', {
        release: await release(fleet, { version: '1.1.0' }),
        stages: [1, 50, 100],
      });
      const seen: number[] = [];
      await until(fleet, 1_000, async () => {
        const now = await stage.api('rollout.get', { rollout: id });
        const begun = now.gateways.active + now.gateways.good;
        if (seen.at(-1) !== begun) seen.push(begun);
        return now.state !== 'running';
      });
      const end = await stage.api('rollout.get', { rollout: id });
      expect(end).toMatchObject({ state: 'done', gateways: { all: 6, good: 6, failed: 0, waiting: 0 } });
      expect(seen.filter((n) => n > 0)).toEqual([1, 3, 6]);
      expect(versions(fleet)).toEqual(Array(6).fill('1.1.0'));
      expect(boards.every((board) => board.good[board.running])).toBe(true);
    }));

  it('stops a bad one at its first gateway, which is back, with the reason in plain words', () =>
    onFleet(72, 3, async (fleet) => {
      const { stage } = fleet;
      const dead = await release(fleet, { version: '1.1.0', kind: 'dead' });
      const { id } = await stage.api('rollout.create', { release: dead });
      expect(await ended(fleet, id)).toMatchObject({ state: 'stopped', gateways: { failed: 1, waiting: 2, good: 0 } });
      expect(versions(fleet)).toEqual(['1.0.0', '1.0.0', '1.0.0']);
      const [member] = (await stage.api('rollout.gateways', { rollout: id, state: 'back' })).items;
      expect(member).toMatchObject({ reason: 'update_not_started', reached: 'kernel', attempts: 3, from: '1.0.0' });
      expect(member?.lines?.length).toBeGreaterThan(0);
      const alarms = (await stage.api('alarm.list', { open: true })).items;
      expect(alarms.find(({ cause }) => cause === 'update.failed')).toMatchObject({ gateway: member?.gateway });
      const home = fleet.homes.find((one) => one.id === member?.home);
      const told = await home?.gateway.updater.status();
      expect(told?.history[0]).toMatchObject({ state: 'back', reason: 'update_not_started', attempts: 3 });
    }));

  it('takes back a system that runs but gets no session though the cloud answers', () =>
    onFleet(73, 1, async (fleet) => {
      const { stage, boards } = fleet;
      const deaf = await release(fleet, { version: '1.1.0', kind: 'deaf' });
      const { id } = await stage.api('rollout.create', { release: deaf });
      expect(await ended(fleet, id)).toMatchObject({ state: 'stopped', gateways: { failed: 1 } });
      expect((await stage.api('rollout.gateways', { rollout: id })).items).toMatchObject([
        { state: 'back', reason: 'update_not_proved', reached: 'agent' },
      ]);
      expect([boards[0]?.running, boards[0]?.slots.A?.version]).toEqual(['A', '1.0.0']);
    }));

  it('counts one that is never heard of again as failed', () =>
    onFleet(74, 2, async (fleet) => {
      const mute = await release(fleet, { version: '1.1.0', kind: 'mute' });
      const { id } = await fleet.stage.api('rollout.create', { release: mute, silence: 5 * MINUTE });
      expect(await ended(fleet, id)).toMatchObject({ state: 'stopped', gateways: { failed: 1, waiting: 1 } });
      expect((await fleet.stage.api('rollout.gateways', { rollout: id, state: 'silent' })).items).toHaveLength(1);
    }));

  it('refuses a foreign signature and an older version, each with its own reason, and installs nothing', () =>
    onFleet(75, 1, async (fleet) => {
      const { stage, boards } = fleet;
      for (const [image, reason, counts] of [
        [{ version: '1.1.0', trusted: false }, 'update_untrusted', { failed: 1 }],
        [{ version: '0.9.0' }, 'update_too_old', { skipped: 1, failed: 0 }],
      ] as const) {
        const { id } = await stage.api('rollout.create', { release: await release(fleet, image) });
        expect((await ended(fleet, id)).gateways).toMatchObject(counts);
        expect((await stage.api('rollout.gateways', { rollout: id })).items).toMatchObject([{ reason }]);
        expect(boards[0]?.slots.B).toBeUndefined();
      }
    }));
});

describe('an update survives', () => {
  const toGood = async (fleet: Fleet, trouble: () => Promise<void>, octets?: number) => {
    const { stage, boards } = fleet;
    const { id } = await stage.api('rollout.create', {
      release: await release(fleet, { version: '1.1.0', kind: 'good' }, octets),
    });
    await trouble();
    expect(await ended(fleet, id)).toMatchObject({ state: 'done', gateways: { good: 1 } });
    expect([versions(fleet), boards[0]?.good[boards[0].running]]).toEqual([['1.1.0'], true]);
  };
  const downloading = (fleet: Fleet) =>
    until(fleet, 500, async () => ((await fleet.homes[0]?.gateway.updater.status())?.octets ?? 0) > 0);

  it('a cut of the internet in the middle of the download, which then goes on where it was', () =>
    onFleet(76, 1, (fleet) =>
      toGood(
        fleet,
        async () => {
          const [home] = fleet.homes;
          home?.trouble.set({ delay: 500 });
          await downloading(fleet);
          home?.trouble.set({ cut: true });
          await fleet.stage.ground.pass(2 * MINUTE);
          const half = (await home?.gateway.updater.status())?.octets ?? 0;
          expect([half > 0, half < LARGE]).toEqual([true, true]);
          home?.trouble.set({ cut: false, delay: 0 });
        },
        LARGE,
      ),
    ));

  it('the death of the cloud in the middle', () =>
    onFleet(77, 1, (fleet) =>
      toGood(
        fleet,
        async () => {
          fleet.homes[0]?.trouble.set({ delay: 500 });
          await downloading(fleet);
          await fleet.stage.killCloud();
          await fleet.stage.ground.pass(MINUTE);
          fleet.homes[0]?.trouble.set({ delay: 0 });
          await fleet.stage.startCloud();
        },
        LARGE,
      ),
    ));

  const cuts: readonly (readonly [Operation, boolean])[] = [
    ['inspect', false],
    ['install', false],
    ['install', true],
    ['reboot', false],
    ['mark-good', false],
    ['mark-good', true],
  ];
  it.each(cuts)('a power cut at %s (in its middle: %s)', (at, middle) =>
    onFleet(78, 1, (fleet) =>
      toGood(fleet, async () => {
        const [board] = fleet.boards;
        if (board !== undefined) board.cut = { at, middle };
      }),
    ),
  );
});
