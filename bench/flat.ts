/**
 * Whether anything is kept of calls that are over: very many calls through a whole cloud in this process (see `switch.fixture.ts`), and after
 * each step what its heap holds once everything that is kept for a while only (transactions, 32 s) has gone. The first step leaves code and
 * caches; from then on the line has to be level. Exits with 1 where it grows by more than 64 octets a call, or where more than one call of a
 * thousand did not come about.
 *
 * Run: `bin/node bench/flat.ts [--calls 20000] [--steps 4] [--together 40]`, < 4 minutes as it stands; `--calls 1000000 --steps 10` is the
 * long way, < 15 minutes on a quiet machine, and writes some 5 GB into the folder for temporary files.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { load } from './processes.fixture.ts';
import { many, type Phones, withSwitch } from './switch.fixture.ts';

/** Milliseconds after which no transaction is kept any more. */
const OVER = 36_000;
/** Milliseconds after which a phone that was refused (503 of a switch that was held up) calls once more. */
const AGAIN_AFTER = 500;
/** Of all calls, the share that may fail all the same. */
const FAILED = 0.001;
/** Octets that a call may leave: what the measure itself wavers by, over a step of some thousand calls. */
const LEFT = 64;
const MEGA = 1024 * 1024;

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '20000' },
    steps: { type: 'string', default: '4' },
    together: { type: 'string', default: '40' },
  },
});
const [calls, steps, together] = [Number(values.calls), Number(values.steps), Number(values.together)];
if (!(calls >= 1 && calls <= 5_000_000 && steps >= 2 && steps <= 100 && together >= 1 && together <= 1000)) {
  console.error('bench/flat.ts: --calls is 1 to 5000000, --steps 2 to 100, --together 1 to 1000');
  process.exit(3);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Octets in use, buffers outside of the heap included, once nothing is kept for a while only. */
async function settled(): Promise<number> {
  await pause(OVER);
  for (let i = 0; i < 3; i++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A call, with a second attempt as a phone makes it. */
async function called(phones: Phones): Promise<boolean> {
  if (await phones.call()) return true;
  await pause(AGAIN_AFTER);
  return phones.call();
}

let bad = false;
await withSwitch(async (phones) => {
  const found: number[] = [];
  const each = Math.ceil(calls / steps);
  let failed = 0;
  for (let step = 1; step <= steps; step++) {
    // A registration lasts ten minutes.
    if (!(await phones.register(1))) throw new Error('the callee could not register again');
    failed += await many(each, together, () => called(phones));
    found.push(await settled());
    const resident = process.memoryUsage.rss() / MEGA;
    console.log(
      `after ${step * each} calls: ${((found.at(-1) ?? 0) / MEGA).toFixed(2)} MiB in use, ${resident.toFixed(0)} MiB resident; ${failed} failed`,
    );
  }
  const per = ((found.at(-1) ?? 0) - (found[0] ?? 0)) / ((steps - 1) * each);
  bad = per > LEFT || failed > FAILED * steps * each;
  const why = [...phones.refused].map(([status, times]) => `, ${times} attempts answered ${status}`).join('');
  console.log(
    `from the first step to the last: ${per.toFixed(1)} octets for each call; ${failed} failed${why}; ${load()}`,
  );
});
process.exit(bad ? 1 : 0);
