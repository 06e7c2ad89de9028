/** A cloud of several softswitch processes for benches, with a caller and a phone that answers at each. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST, type Processes, post, type Running } from './processes.fixture.ts';
import { answering, type Line, play, registering } from './sipp.fixture.ts';

/** A process's address, and two lines whose calls it gets. */
export interface Door {
  readonly server: string;
  readonly caller: Line;
  readonly callee: Line;
}

const HERE = '[local_ip]:[local_port]';

/** A cloud of so many softswitch processes; 0: inside the main process. */
export async function fleetCloud(
  processes: Processes,
  count: number,
): Promise<{ readonly cloud: Running; readonly data: string; readonly doors: readonly Door[] }> {
  const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((one) => [`--${one}`, `${HOST}:0`]);
  const more = count === 0 ? [] : ['--softswitches', String(count)];
  const low = 10_000 + count * 1000;
  const data = join(processes.folder, `cloud-${count}`);
  const words = ['cloud', '--data', data, ...any, '--log', 'error', '--media', `${HOST}:${low}-${low + 999}`, ...more];
  const cloud: Running = await processes.hearthline(words, ['--max-semi-space-size=64']);
  const { sip, softswitches } = cloud.ready as Running['ready'] & {
    readonly softswitches?: readonly { readonly udp: string }[];
  };
  const doors: Door[] = [];
  for (const { udp: server } of softswitches ?? [sip]) {
    const home = await post<{ id: string }>(cloud, '/v1/homes', { name: server });
    const line = () => post<Line>(cloud, `/v1/homes/${home.id}/lines`, { class: 'unmetered' });
    doors.push({ server, caller: await line(), callee: await line() });
  }
  return { cloud, data, doors };
}

/** Registers the phones of all doors at one port, and answers there from then on, after `rings` ms each. */
export async function beginAnswering(
  processes: Processes,
  doors: readonly Door[],
  port: number,
  rings = 0,
): Promise<void> {
  for (const [i, { server, callee }] of doors.entries()) {
    const done = await play(processes, `register-${i}`, registering(callee, HERE), {
      server,
      rate: 1,
      seconds: 1,
      port,
    });
    if (done.failed > 0) throw new Error(`the callee could not register at ${server}`);
  }
  const file = join(processes.folder, 'answering.xml');
  writeFileSync(file, answering(rings));
  processes.program('sipp', [
    '-sf',
    file,
    '-i',
    HOST,
    '-p',
    String(port),
    '-aa',
    '-nostdin',
    '-buff_size',
    String(4 << 20),
  ]);
}
