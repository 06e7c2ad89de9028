/** Kamailio before several softswitch processes, with the very settings that docs/operator/kamailio-dispatcher.cfg shows. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Address } from '#shared/kernel/world.ts';

const file = resolve(import.meta.dirname, '../../docs/operator/kamailio-dispatcher.cfg');

export class Dispatcher {
  readonly #child: ChildProcess;
  #output = '';

  private constructor(folder: string) {
    this.#child = spawn('kamailio', ['-f', join(folder, 'kamailio.cfg'), '-DD', '-E', '-m', '64', '-Y', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data) => {
        this.#output += String(data);
      });
    }
  }

  /** Listens at `at`, before these processes. Resolves once it does. */
  static async start(parent: string, at: Address, processes: readonly Address[]): Promise<Dispatcher> {
    const folder = join(parent, 'kamailio');
    mkdirSync(folder, { recursive: true });
    const list = join(folder, 'dispatcher.list');
    writeFileSync(list, processes.map(({ host, port }) => `1 sip:${host}:${port}\n`).join(''));
    const settings = readFileSync(file, 'utf8')
      .replace('udp:127.0.0.1:5060', `udp:${at.host}:${at.port}`)
      .replace('/etc/kamailio/dispatcher.list', list)
      .replace('children=4', 'children=1');
    writeFileSync(join(folder, 'kamailio.cfg'), settings);
    const made = new Dispatcher(folder);
    await new Promise((done) => setTimeout(done, 1_500));
    if (made.#child.exitCode !== null) throw new Error(`kamailio ended: ${made.#output}`);
    return made;
  }

  get output(): string {
    return this.#output;
  }

  /** Its main process ends the others. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}
