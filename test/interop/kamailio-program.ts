/** Kamailio from Debian with given settings, on the loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './netns.ts';

/** How a `request_route` begins that carries calls: probes answered, what is inside a dialog sent on by its route. */
export const OPENING = `if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS") && !has_totag()) { sl_send_reply("200", "OK"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  if (is_method("CANCEL|ACK")) { if (t_check_trans()) { t_relay(); } exit; }`;

export class KamailioProgram {
  readonly #child: ChildProcess;
  #output = '';

  private constructor(folder: string, settings: string) {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'kamailio.cfg');
    writeFileSync(file, settings);
    this.#child = spawn('kamailio', ['-f', file, '-DD', '-E', '-m', '64', '-Y', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data) => {
        this.#output += String(data);
      });
    }
  }

  /** Resolves once it listens on UDP `port`; what comes before its workers run waits in that socket. */
  static async start(folder: string, settings: string, port: number): Promise<KamailioProgram> {
    const made = new KamailioProgram(folder, settings);
    const listens = (): boolean => {
      if (made.#child.exitCode !== null) throw new Error(`kamailio ended: ${made.#output}`);
      return bound(port);
    };
    await eventually(listens, 15_000, `kamailio listens on ${port}`);
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

/** Whether somebody holds this UDP port: the second column of /proc/net/udp is `ADDRESS:PORT`, in hexadecimal. */
function bound(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/udp', 'latin1').includes(`:${hex} 00000000:0000`);
}
