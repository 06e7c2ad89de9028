/**
 * The price of a call and of a registration in JavaScript alone: a whole cloud in this process whose UDP leads nowhere but to phones in the
 * same process, so that neither the kernel nor SIPp nor the machine's load takes part. Prints CPU time per call of this thread (the
 * phones' own work, some 30 us, is in it) and of the whole process (with the store's writer and the collector), medians of the rounds.
 *
 * Run: `bin/node bench/switch.ts [--calls 4000] [--registers 8000] [--rounds 5] [--together 40]`
 */
import { parseArgs } from 'node:util';
import { load, median } from './processes.fixture.ts';
import { many, withSwitch } from './switch.fixture.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '4000' },
    registers: { type: 'string', default: '8000' },
    rounds: { type: 'string', default: '5' },
    together: { type: 'string', default: '40' },
  },
});
const [calls = 0, registers = 0, rounds = 0, together = 0] = [
  values.calls,
  values.registers,
  values.rounds,
  values.together,
].map(Number);

async function measure(what: string, count: number, one: (n: number) => Promise<boolean>): Promise<void> {
  if (count === 0) return;
  const found: { thread: number; whole: number }[] = [];
  let failed = 0;
  for (let round = -2; round < rounds; round++) {
    const [thread, whole] = [process.threadCpuUsage(), process.cpuUsage()];
    const lost = await many(count, together, one);
    const [a, b] = [process.threadCpuUsage(thread), process.cpuUsage(whole)];
    if (round < 0) continue;
    failed += lost;
    found.push({ thread: (a.user + a.system) / count, whole: (b.user + b.system) / count });
  }
  const least = Math.min(...found.map((one) => one.thread));
  console.log(
    `${what}: ${median(found.map((one) => one.thread)).toFixed(0)} us each of the main thread (least ${least.toFixed(0)}), ${median(found.map((one) => one.whole)).toFixed(0)} us of all; ${failed} of ${count * rounds} failed`,
  );
}

await withSwitch(async (phones, lines) => {
  await measure('call', calls, () => phones.call());
  await measure('registration', registers, (n) => phones.register(2 + (n % (lines - 2))));
  console.log(load());
});
process.exit(0);
