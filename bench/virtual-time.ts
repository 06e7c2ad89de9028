/**
 * How much faster than life the virtual world is: virtual seconds per real second of a stage (a whole cloud, gateways, phones and
 * media, in one thread), and per CPU second of that thread, which other load on the machine moves less: with 2 homes idle, with one call between them that carries sound, and with 20 homes idle. Each home has a
 * registered phone. Each case runs in slices until 6 real seconds have gone by. Ends in < 60 s.
 *
 * Run: `bin/node bench/virtual-time.ts`
 */
import type { Stage } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import { load } from './processes.fixture.ts';

/** Real milliseconds of one measurement. */
const MEASURE = 6_000;

/** Real time, ms: the virtual world stands in for `performance` and `Date`. */
const real = (): number => Number(process.hrtime.bigint()) / 1e6;

async function build(stage: Stage, homes: number, calling: boolean): Promise<void> {
  for (let i = 0; i < homes; i++) {
    const home = await stage.home(`home ${i + 1}`);
    await home.phone({ manner: 'answer', answerAfter: 200, voice: tone(443 + 174 * (i % 2), 1) });
  }
  if (!calling) return;
  const call = await stage.ground.settle(stage.phones[0]?.dial(stage.homes[1]?.lines[0]?.number ?? '') ?? fail());
  await stage.ground.until(() => call.state === 'up', 10_000, 'the call to be answered');
}

function fail(): never {
  throw new Error('the stage has no phone');
}

async function measure(name: string, homes: number, calling: boolean): Promise<void> {
  const began = real();
  const { stage, world } = await virtualStage({ seed: 1 });
  await using _ = stage;
  await build(stage, homes, calling);
  const slice = calling ? 1_000 : 10_000;
  // The first slice is not counted: whatever pairing and registration began, ends in it.
  await stage.ground.pass(slice);
  const [start, from, cpu] = [real(), world.now, process.threadCpuUsage()];
  while (real() - start < MEASURE) await stage.ground.pass(slice);
  const { user, system } = process.threadCpuUsage(cpu);
  const [took, passed] = [(real() - start) / 1000, (world.now - from) / 1000];
  const set = ((start - began) / 1000).toFixed(1);
  const up = stage.phones.filter((phone) => phone.calls.some((call) => call.state === 'up')).length;
  if (up !== (calling ? 2 : 0)) throw new Error(`${name}: ${up} phones are in a call`);
  console.log(
    `${name}: ${(passed / took).toFixed(0)} virtual seconds per real second, ${((passed * 1e6) / (user + system)).toFixed(0)} per CPU second (${passed.toFixed(0)} s in ${took.toFixed(1)} s, after ${set} s of set-up)`,
  );
}

await measure('2 homes, idle', 2, false);
await measure('2 homes, one call', 2, true);
await measure('20 homes, idle', 20, false);
console.log(load());
