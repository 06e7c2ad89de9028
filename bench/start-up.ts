/**
 * How soon a cloud and a gateway serve, and what they hold while nothing happens: time from the spawn to the ready file
 * (median of 5 starts, each on an empty folder) of `hearthline cloud` and `hearthline device`, and resident memory of each and of
 * its media engine 10 s after the start, the gateway paired. The device's ready file waits for its code: a cloud is there first.
 * Ends in < 60 s.
 *
 * Run: `bin/node bench/start-up.ts`
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST, load, median, Processes, post, type Running, residentOf } from './processes.fixture.ts';

const STARTS = 5;
/** Milliseconds of rest before memory is read. */
const REST = 10_000;

function device(processes: Processes, cloud: Running, name: string): Promise<Running> {
  return processes.hearthline([
    ...['device', '--state', join(processes.folder, name), '--cloud', cloud.ready.http, '--sip', `${HOST}:0`],
    ...['--media', `${HOST}:8000-8399`, '--page', `${HOST}:0`, '--log', 'error'],
  ]);
}

function show(name: string, starts: readonly Running[], one: Running): void {
  const own = residentOf(one.pid);
  const engine = one.engine === undefined ? 0 : residentOf(one.engine);
  const took = starts.map((start) => start.took);
  const cpu = median(starts.map((start) => start.cpu * 1000));
  const times = took.map((ms) => ms.toFixed(0)).join(', ');
  console.log(
    `${name}: ready in ${median(took).toFixed(0)} ms (${times}), ${cpu.toFixed(0)} ms of CPU; ${own.toFixed(0)} MiB resident, its engine ${engine.toFixed(0)} MiB`,
  );
}

await using processes = new Processes();
const starts: { cloud: Running[]; device: Running[] } = { cloud: [], device: [] };
for (let start = 1; start <= STARTS; start++) {
  const cloud = await processes.cloud(`cloud-${start}`);
  const gateway = await device(processes, cloud, `device-${start}`);
  starts.cloud.push(cloud);
  starts.device.push(gateway);
  if (start === STARTS) {
    const home = await post<{ id: string }>(cloud, '/v1/homes', { name: 'Bench' });
    await post(cloud, `/v1/homes/${home.id}/gateways`, { code: gateway.ready.pairing?.code });
    await pause(REST);
    show('hearthline cloud', starts.cloud, cloud);
    show('hearthline device', starts.device, gateway);
    console.log(load());
  }
  await processes.end();
}
