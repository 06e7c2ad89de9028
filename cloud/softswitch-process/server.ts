/**
 * The softswitch as several child processes, each with SIP listeners of its own: started, started again when they die, and joined to
 * bus, store and each other by a Unix socket of the data folder (mode 0600).
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { socketPipe } from '#cloud/bus/adapter-pipe.ts';
import type { LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { fromHex, hex } from '#shared/kernel/bytes.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { childLives, killChild, startChild } from './adapter-child.ts';
import { Hub } from './hub.ts';
import { Places } from './places.ts';

/** Processes at the most. */
export const SOFTSWITCHES = 16;
/** Milliseconds for a process to serve, and for one to end. */
const START_WITHIN = 30_000;
const STOP_WITHIN = 5_000;

export interface SoftswitchesOptions {
  readonly count: number;
  /** File of the store. */
  readonly database: string;
  /** Least level of the processes' logs. */
  readonly level: string;
}

/** The part `softswitch`, as so many processes. */
export function softswitchProcesses(options: SoftswitchesOptions): Part {
  return {
    name: 'softswitch',
    async start(context) {
      const processes = new Softswitches(context, options);
      await processes.start();
      return processes;
    },
  };
}

class Softswitches implements RunningPart {
  readonly #context: PartContext;
  readonly #hub: Hub;
  readonly #places: Places;
  readonly #socket: string;
  #token = '';
  #server: Server | undefined;

  constructor(context: PartContext, { count, database, level }: SoftswitchesOptions) {
    this.#context = context;
    const { world, config } = context;
    const socket = engineSocket(config.data, 'softswitch.sock');
    this.#socket = socket;
    this.#hub = new Hub({
      ...{ context, count, database },
      token: () => this.#token,
      kill: (pid) => killChild(pid),
      // A child's own end is heard of by its exit; one that an earlier main process started has none here.
      gone: (index) => {
        if (this.#places.child(index) === undefined) this.#places.again(index);
      },
    });
    const hub = this.#hub;
    this.#places = new Places({
      world,
      start: (index) => startChild({ socket, index, level }),
      lives: (index) => childLives({ socket, index }),
      taken: (index) => hub.pool.at(index) !== undefined,
      later: (ms, run) => void hub.later(ms, run),
    });
  }

  async start(): Promise<void> {
    mkdirSync(dirname(this.#socket), { recursive: true, mode: 0o700 });
    this.#token = await this.#loadToken();
    await this.#listen();
    try {
      await this.#hub.up(() => {
        for (const index of this.#hub.places) this.#places.begin(index);
      }, START_WITHIN);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  health() {
    return this.#hub.pool.health();
  }

  async stop(): Promise<void> {
    const { clock } = this.#context.world;
    this.#places.stop();
    for (const index of this.#hub.places) {
      if (this.#hub.pool.at(index) === undefined) this.#places.child(index)?.kill('SIGTERM');
    }
    this.#hub.stop();
    await Promise.all(this.#hub.places.map((index) => this.#gone(index, clock.mono() + STOP_WITHIN)));
    this.#server?.close();
    rmSync(this.#socket, { force: true });
  }

  /** Waits for the end of a process, or makes it. */
  async #gone(index: number, until: number): Promise<void> {
    const { clock } = this.#context.world;
    while (this.#places.child(index) !== undefined || this.#hub.pool.at(index) !== undefined) {
      if (clock.mono() > until) {
        this.#places.child(index)?.kill('SIGKILL');
        return;
      }
      await new Promise<void>((resolve) => void clock.at(clock.mono() + 20, resolve));
    }
  }

  async #loadToken(): Promise<string> {
    const { disk, random } = this.#context.world;
    const path = `${this.#socket}.token`;
    const kept = await disk.read(path);
    const text = kept === undefined ? '' : new TextDecoder().decode(kept).trim();
    if (fromHex(text)?.length === 32) return text;
    const made = hex(random.bytes(32));
    await disk.write(path, new TextEncoder().encode(made));
    return made;
  }

  async #listen(): Promise<void> {
    rmSync(this.#socket, { force: true });
    const { clock } = this.#context.world;
    const server = createServer((socket) =>
      this.#hub.opened(socketPipe<LinkMessage>(socket, clock), () => void socket.destroy()),
    );
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#socket, resolve);
    });
    chmodSync(this.#socket, 0o600);
  }
}
