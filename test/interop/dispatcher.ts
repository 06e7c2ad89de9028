/** Kamailio before several softswitch processes, with the very settings that docs/operator/kamailio-dispatcher.cfg shows. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Address } from '#shared/kernel/world.ts';
import { KamailioProgram } from './kamailio-program.ts';

const file = resolve(import.meta.dirname, '../../docs/operator/kamailio-dispatcher.cfg');

/** Listens at `at`, before these processes. */
export function startDispatcher(parent: string, at: Address, processes: readonly Address[]): Promise<KamailioProgram> {
  const folder = join(parent, 'kamailio');
  mkdirSync(folder, { recursive: true });
  const list = join(folder, 'dispatcher.list');
  writeFileSync(
    list,
    processes.flatMap(({ host, port }, i) => [1, 10 + i].map((set) => `${set} sip:${host}:${port}\n`)).join(''),
  );
  const settings = readFileSync(file, 'utf8')
    .replace('udp:127.0.0.1:5060', `udp:${at.host}:${at.port}`)
    .replace('/etc/kamailio/dispatcher.list', list)
    .replace('children=4', 'children=1');
  return KamailioProgram.start(folder, settings, at.port);
}
