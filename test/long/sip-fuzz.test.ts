/**
 * Ten million hostile messages against the endpoint, made from our own and, where the RFCs are installed, from the torture messages.
 * A red run names the seed and the number of the message. `FUZZ_CASES=n` sends another number.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { torture4475, torture5118 } from '#test/interop/torture-archive.ts';
import { seed } from '#test/support/seed.ts';
import { OWN_MESSAGES } from '#test/support/sip-fuzz-corpus.ts';
import { FuzzRig, type Tally } from '#test/support/sip-fuzz-rig.ts';

const CASES = Number(process.env.FUZZ_CASES ?? 10_000_000);
/** Messages that one endpoint gets, those between two rests, and those after which its memory is read first. */
const SPAN = 1_000_000;
const REST = 5_000;
const WARM = 200_000;
/** Octets by which the heap may differ at the end: fewer than ten for each message in between. */
const NOISE = 8 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heap = (): number => {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
};

/** One endpoint's part of them; gives what the heap has grown by since it was warm. */
async function span(
  own: number,
  corpus: readonly string[],
  count: number,
): Promise<Tally & { readonly grown: number }> {
  const rig = new FuzzRig(own, corpus);
  let before: number | undefined;
  for (let done = 0; done < count; done = rig.tally.messages) {
    try {
      rig.run(Math.min(REST, count - done));
    } catch (error) {
      throw new Error(`seed ${own}: ${String(error)}`, { cause: error });
    }
    if (before === undefined && rig.tally.messages >= Math.min(WARM, count / 2)) before = heap();
    // The runner hears that we live.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const after = heap();
  return { ...rig.tally, grown: after - (before ?? after) };
}

it(`${CASES} hostile messages neither break nor fill the endpoint`, { timeout: 24 * 3_600_000 }, async () => {
  const torture = [...(torture4475()?.messages.values() ?? []), ...(torture5118()?.messages.values() ?? [])];
  const corpus = [...OWN_MESSAGES, ...torture];
  const began = performance.now();
  for (let done = 0; done < CASES; done += SPAN) {
    const count = Math.min(SPAN, CASES - done);
    const { sound, answers, calls, grown } = await span((seed + done / SPAN) >>> 0, corpus, count);
    const rate = Math.round((done + count) / ((performance.now() - began) / 1000));
    console.log(
      `${done + count} messages from seed ${seed}, ${rate}/s; the last ${count}: ${sound} sound, ${answers} answers, ${calls} calls; heap ${grown} octets`,
    );
    expect(grown).toBeLessThan(NOISE);
    expect(sound).toBeGreaterThan(count / 10);
  }
});
