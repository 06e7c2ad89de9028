/**
 * Whatever is lost, cut, killed or restarted while a gateway pairs, in the end both sides agree: paired on both, or undone on both
 * with the gateway showing a code again; never half.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FAIL_SAFE } from '#shared/protocol/pairing.ts';
import { type Gateway, PairingRig } from '#test/support/pairing-rig.ts';

interface Trouble {
  /** Which of the gateway's writes to its disk, counted from the claim, a power cut comes just before; 0: none. */
  readonly killAtWrite: number;
  /** Milliseconds after the claim at which the power is cut; 0: never. */
  readonly killAfter: number;
  /** Milliseconds for which the gateway stays off. */
  readonly off: number;
  /** Milliseconds after the claim at which the gateway's network goes, and for how long. */
  readonly cutAfter: number;
  readonly cutFor: number;
  /** The same for the oamp server, and for the edge. */
  readonly oampAfter: number;
  readonly oampFor: number;
  readonly edgeAfter: number;
  readonly edgeFor: number;
  readonly delay: number;
}

/** A pairing takes some 30 ms on a quick network: troubles come within it, around the fail-safe, or not at all. */
const moment = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 50_000, max: 70_000 }));
const span = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 50_000, max: 100_000 }));
const trouble: fc.Arbitrary<Trouble> = fc.record({
  killAtWrite: fc.nat(12),
  killAfter: moment,
  off: span,
  cutAfter: moment,
  cutFor: span,
  oampAfter: moment,
  oampFor: span,
  edgeAfter: moment,
  edgeFor: span,
  delay: fc.constantFrom(1, 3, 40, 2_000),
});

class Run {
  readonly rig: PairingRig;
  readonly #trouble: Trouble;
  #gateway: Gateway | undefined;
  #writes = Number.NEGATIVE_INFINITY;

  constructor(rig: PairingRig, trouble: Trouble) {
    this.rig = rig;
    this.#trouble = trouble;
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error('the gateway is off');
    return this.#gateway;
  }

  async power(): Promise<void> {
    this.#gateway = await this.rig.gateway('gw', '10.0.1.1', {
      beforeWrite: () => {
        this.#writes++;
        if (this.#writes === this.#trouble.killAtWrite) this.#kill();
      },
    });
  }

  #kill(): void {
    this.#gateway?.kill();
    this.#gateway = undefined;
  }

  /** Plays the troubles from the claim on, in steps of one millisecond at first, and ends all of them. */
  async play(): Promise<void> {
    const { rig } = this;
    const t = this.#trouble;
    this.#writes = 0;
    const start = rig.virtual.now;
    const at = (after: number, run: () => Promise<void>) => ({ time: after === 0 ? Infinity : start + after, run });
    const acts = [
      at(t.killAfter, async () => this.#kill()),
      at(t.cutAfter, async () => rig.virtual.partition(['gw'])),
      at(t.cutAfter === 0 ? 0 : t.cutAfter + t.cutFor, async () => rig.virtual.heal()),
      at(t.oampAfter, () => rig.stopPart('oamp')),
      at(t.oampAfter === 0 ? 0 : t.oampAfter + t.oampFor, () => rig.startPart('oamp')),
      at(t.edgeAfter, () => rig.stopPart('gateway-edge')),
      at(t.edgeAfter === 0 ? 0 : t.edgeAfter + t.edgeFor, () => rig.startPart('gateway-edge')),
    ].sort((a, b) => a.time - b.time);
    let offSince: number | undefined;
    const step = async (until: number) => {
      while (rig.virtual.now < until) {
        if (this.#gateway === undefined) offSince ??= rig.virtual.now;
        if (offSince !== undefined && rig.virtual.now >= offSince + t.off) {
          offSince = undefined;
          await this.power();
        }
        await rig.virtual.run(rig.virtual.now < start + 100 ? 1 : Math.min(500, until - rig.virtual.now));
      }
    };
    for (const act of acts) {
      if (act.time === Infinity) break;
      await step(act.time);
      await act.run();
    }
    await step(start + 2 * FAIL_SAFE + 200_000);
    rig.virtual.link({ delay: 1 });
    this.#writes = Number.NEGATIVE_INFINITY;
    if (this.#gateway === undefined) await this.power();
  }
}

test('a change of the certificate, with power and network cut at any moment, loses no gateway', async () => {
  const cut = fc.record({
    killAtWrite: fc.nat(6),
    killAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 })),
    off: fc.integer({ min: 1, max: 5_000 }),
    cutAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 })),
    cutFor: fc.integer({ min: 1, max: 100_000 }),
    edgeAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 })),
    edgeFor: fc.integer({ min: 1, max: 5_000 }),
    oampAfter: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 })),
    oampFor: fc.integer({ min: 1, max: 5_000 }),
    delay: fc.constantFrom(1, 3),
  });
  const property = fc.asyncProperty(cut, fc.nat(1_000), async (troubles, seed) => {
    const rig = await PairingRig.make(seed);
    try {
      const run = new Run(rig, troubles);
      const home = await rig.home();
      await run.power();
      const { id } = await rig.must('gateway.claim', { home, code: await rig.code(run.gateway) });
      await rig.virtual.until(() => run.gateway.pairing.status().at === 'paired', 10_000, 'paired');
      rig.virtual.link({ delay: troubles.delay });
      void run.gateway.pairing.renew();
      await run.play();
      await rig.virtual.run(10 * 60_000);
      expect(run.gateway.pairing.status()).toMatchObject({ at: 'paired', online: true, home });
      expect(await rig.row(id)).toMatchObject({ state: 'paired', online: 1 });
    } finally {
      await rig.end();
    }
  });
  await fc.assert(property, { numRuns: Number(process.env.PAIRING_RUNS ?? 40), endOnFailure: true });
}, 120_000);

/** What both sides say, once all is well again. */
async function ending(run: Run, id: string): Promise<{ cloud: string; gateway: string }> {
  const row = await run.rig.row(id);
  return {
    cloud: row?.state === 'failed' ? 'undone' : (row?.state ?? 'undone'),
    gateway: run.gateway.pairing.status().at,
  };
}

test('every order of crash and loss ends paired or undone, on both sides alike', async () => {
  const endings = { paired: 0, undone: 0 };
  const property = fc.asyncProperty(trouble, fc.nat(1_000), async (troubles, seed) => {
    const rig = await PairingRig.make(seed);
    try {
      const run = new Run(rig, troubles);
      const home = await rig.home();
      await run.power();
      const code = await rig.code(run.gateway);
      rig.virtual.link({ delay: troubles.delay });
      const { id } = await rig.must('gateway.claim', { home, code });
      await run.play();
      await rig.virtual.run(10 * 60_000);
      const { cloud, gateway } = await ending(run, id);
      if (cloud === 'paired') {
        expect(gateway).toBe('paired');
        expect(run.gateway.pairing.status().online).toBe(true);
        endings.paired++;
      } else {
        expect({ cloud, gateway }).toEqual({ cloud: 'undone', gateway: 'announced' });
        expect((await rig.row(id))?.certificate_serial).toBeNull();
        endings.undone++;
      }
    } finally {
      await rig.end();
    }
  });
  await fc.assert(property, { numRuns: Number(process.env.PAIRING_RUNS ?? 60), endOnFailure: true });
  // Both must have happened, or the troubles are too weak or too strong to show anything.
  expect(endings.paired).toBeGreaterThan(5);
  expect(endings.undone).toBeGreaterThan(5);
}, 120_000);
