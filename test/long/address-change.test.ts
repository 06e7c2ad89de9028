/** The WAN address of a real gateway changes in a call of a real phone: sound comes back, both ways. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { Namespaces } from '../interop/netns.ts';
import { homesOf, pause, TONES } from '../interop/netns-homes.ts';
import { hasNamespaces, hasProgram } from '../peers.ts';

/** Seconds of a call after which its phones say other tones: what is heard of these was said after the change. */
const LATER = { after: 22, higher: 180 };

describe.skipIf(!hasNamespaces() || !hasProgram('baresip'))(
  'in network namespaces, with baresip behind a gateway',
  () => {
    let ns: Namespaces;
    let homes: Awaited<ReturnType<typeof homesOf>>['homes'];

    beforeAll(async () => {
      ns = new Namespaces();
      ({ homes } = await homesOf(ns, LATER));
    }, 120_000);
    afterAll(() => ns[Symbol.asyncDispose](), 60_000);

    /** Another address for the n-th gateway, as a router has it that asks anew: the old one is gone first. */
    const hosts = TONES.map((_, n) => n + 2);
    const change = (n: number) => {
      const [before = 0, after] = [hosts[n], (hosts[n] ?? 0) + 10];
      hosts[n] = after;
      ns.within(`gw${n}`, 'ip', 'address', 'del', `10.77.0.${before}/24`, 'dev', 'wan');
      ns.within(`gw${n}`, 'ip', 'address', 'add', `10.77.0.${after}/24`, 'dev', 'wan');
    };

    it.each([
      ['the caller’s address changes', [0]],
      ['the called one’s address changes', [1]],
      ['both addresses change', [0, 1]],
    ])('%s: both hear each other again', { timeout: 120_000 }, async (_whose, moved) => {
      const [a, b] = homes;
      if (a === undefined || b === undefined) throw new Error('two homes were asked for');
      const before = [a.baresip.heard().length, b.baresip.heard().length];
      a.baresip.dial(b.line.number);
      await pause(4_000);
      for (const n of moved) change(n);
      await pause(24_000);
      a.baresip.hangup();
      await pause(1_500);
      for (const [i, { baresip }] of [a, b].entries()) {
        const heard = baresip.heard()[before[i] ?? 0] ?? new Int16Array();
        const last = heard.subarray(-16_000);
        const [own, other] = [TONES[i] ?? 0, TONES[1 - i] ?? 0];
        const levels = [other + LATER.higher, own, own + LATER.higher].map((hertz) => levelOf(last, hertz));
        expect(levels[0], `phone ${i} hears ${heard.length} samples: ${levels}`).toBeGreaterThan(-25);
        expect(Math.max(levels[1] ?? 0, levels[2] ?? 0)).toBeLessThan(-50);
      }
    });
  },
);
