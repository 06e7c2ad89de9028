/**
 * The sandbox process: time until a guest runs (the first one starts the process), memory per guest, and round trips of a message of
 * 250 characters through a guest, one at a time and 32 at a time. Ends in < 20 s.
 *
 * Run: `bin/node bench/applet.ts [--guests N]`
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { processSandbox } from '#shared/applet/adapter-process.ts';
import type { SandboxEvent } from '#shared/applet/sandbox.ts';

const { values } = parseArgs({ options: { guests: { type: 'string', default: '20' } } });
const guests = Number(values.guests);
if (!(guests >= 1 && guests <= 200)) {
  console.error('bench/applet.ts: --guests is 1 to 200');
  process.exit(3);
}
const SECONDS = 3;
const ECHO = 'hearthline.take = (text) => hearthline.send(text);';
const TEXT = 'x'.repeat(250);

const sandbox = processSandbox();
let heard: (event: SandboxEvent) => void = () => {};
sandbox.onEvent((event) => heard(event));

/** Resolves at the next event that fits. */
function next(fits: (event: SandboxEvent) => boolean): Promise<void> {
  return new Promise((resolve) => {
    heard = (event) => {
      if (fits(event)) resolve();
    };
  });
}

/** Memory of the one child of this process, MiB. */
function memory(): number {
  const child = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim().split(' ')[0];
  const pages = Number(readFileSync(`/proc/${child}/statm`, 'latin1').split(' ')[1]);
  return (pages * 4096) / 2 ** 20;
}

async function starts(): Promise<void> {
  const times: number[] = [];
  let first = 0;
  for (let i = 0; i < guests; i++) {
    const since = performance.now();
    const running = next((event) => event.on === 'turn');
    sandbox.start({ id: `guest${i}`, bundle: ECHO, boot: '{}' });
    await running;
    times.push(performance.now() - since);
    if (i === 0) first = memory();
  }
  const [process1 = 0, ...others] = times;
  const median = others.sort((a, b) => a - b)[Math.floor(others.length / 2)] ?? 0;
  console.log(
    `first guest with its process: ${process1.toFixed(0)} ms; each further one: ${median.toFixed(1)} ms (median of ${others.length})`,
  );
  const each = (memory() - first) / Math.max(1, guests - 1);
  console.log(
    `memory of the process: ${first.toFixed(0)} MiB with one guest, ${each.toFixed(2)} MiB for each further one`,
  );
}

async function roundTrips(atOnce: number): Promise<void> {
  let count = 0;
  const end = performance.now() + SECONDS * 1000;
  await new Promise<void>((resolve) => {
    heard = (event) => {
      if (event.on !== 'message') return;
      count++;
      if (performance.now() < end) sandbox.deliver('guest0', TEXT);
      else resolve();
    };
    for (let i = 0; i < atOnce; i++) sandbox.deliver('guest0', TEXT);
  });
  console.log(`round trips, ${atOnce} at a time: ${Math.round(count / SECONDS)} per second`);
}

await starts();
await roundTrips(1);
await roundTrips(32);
console.log(`load of the machine: ${loadavg()[0]?.toFixed(1)}`);
await sandbox.close();
