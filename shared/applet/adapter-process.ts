/**
 * The sandbox in a child process, with a watchdog: a turn that keeps the process busy beyond its limits, where QuickJS itself cannot
 * be interrupted (a long native operation), costs the process its life. Its guest is named as the guilty one; the others end as
 * `host-lost` and may be started again at once.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readOwnCode, spawnEntry } from '#shared/host/spawn.ts';
import type { GuestSpec, Sandbox, SandboxEvent } from './sandbox.ts';
import type { FromProcess, ToProcess } from './wire.ts';

/** How often the watchdog looks, ms. */
const HEARTBEAT = 50;
/** A turn that has gone on for this long (ms) and used as much CPU (ms) ends the process. */
const BUSY_LIMIT = 250;
const BUSY_CPU = 300;
/** A turn or a silence of this length (ms) ends it whatever it used. */
const SILENCE_LIMIT = 3000;
/** Octets of a line from the process; a message is at most 64 Ki characters, escaped. */
const LINE_LIMIT = 1024 * 1024;

export function processSandbox(): Sandbox {
  return new ProcessSandbox();
}

class ProcessSandbox implements Sandbox {
  #handler: (event: SandboxEvent) => void = () => {};
  #child: ChildProcess | undefined;
  /** Guests that were started and have not ended. */
  readonly #guests = new Set<string>();
  #turn: { readonly id: string; readonly since: number; readonly cpu: number } | undefined;
  #heard = 0;
  #watch: NodeJS.Timeout | undefined;
  #held = '';
  #closed = false;
  #ready = false;

  start(guest: GuestSpec): void {
    this.#guests.add(guest.id);
    this.#send({ do: 'start', guest });
  }

  deliver(id: string, text: string): void {
    if (this.#guests.has(id)) this.#send({ do: 'deliver', id, text });
  }

  stop(id: string): void {
    if (this.#guests.delete(id) && this.#child !== undefined) this.#send({ do: 'stop', id });
  }

  onEvent(handler: (event: SandboxEvent) => void): void {
    this.#handler = handler;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = this.#child;
    this.#forget();
    if (child === undefined || child.exitCode !== null) return;
    await new Promise<void>((done) => {
      child.once('exit', () => done());
      child.kill('SIGKILL');
    });
  }

  #send(command: ToProcess): void {
    if (this.#closed) return;
    this.#child ??= this.#spawn();
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  #spawn(): ChildProcess {
    const flags = ['--permission', ...readOwnCode(), '--max-old-space-size=96'];
    const child = spawnEntry('applet-sandbox', [], { flags, cwd: '/', stdio: ['pipe', 'pipe', 'inherit'], env: {} });
    this.#ready = false;
    this.#heard = performance.now();
    child.stdin?.on('error', () => undefined);
    child.stdout?.setEncoding('utf8');
    child.stdout?.on('data', (text: string) => this.#hear(child, text));
    child.on('error', () => this.#lost(child));
    child.on('exit', () => this.#lost(child));
    this.#watch = setInterval(() => this.#look(child), HEARTBEAT);
    this.#watch.unref();
    return child;
  }

  #hear(child: ChildProcess, text: string): void {
    if (child !== this.#child) return;
    this.#heard = performance.now();
    const lines = (this.#held + text).split('\n');
    this.#held = lines.pop() ?? '';
    if (this.#held.length > LINE_LIMIT) return void child.kill('SIGKILL');
    for (const line of lines) this.#take(JSON.parse(line) as FromProcess);
  }

  #take(event: FromProcess): void {
    if (event.on === 'ready') this.#ready = true;
    else if (event.on === 'begin') this.#turn = { id: event.id, since: performance.now(), cpu: this.#cpu() };
    else if (event.on !== 'pong') {
      if (event.on !== 'message') this.#turn = undefined;
      if (!this.#guests.has(event.id)) return;
      if (event.on === 'ended') this.#guests.delete(event.id);
      this.#handler(event);
    }
  }

  /** A process that has just been started reads files first; it gets its time. */
  #look(child: ChildProcess): void {
    const now = performance.now();
    const turn = this.#turn;
    const busy = turn !== undefined && now - turn.since > BUSY_LIMIT && this.#cpu() - turn.cpu > BUSY_CPU;
    const silent = now - this.#heard > (this.#ready ? SILENCE_LIMIT : 5 * SILENCE_LIMIT);
    if (busy || silent) child.kill('SIGKILL');
    else if (turn === undefined && this.#ready) child.stdin?.write('{"do":"ping"}\n');
  }

  /** CPU time of the child, ms; where the platform does not tell, wall time stands for it. */
  #cpu(): number {
    try {
      const fields = readFileSync(`/proc/${this.#child?.pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      // utime and stime, in ticks of 10 ms (proc(5)).
      return 10 * (Number(fields[11]) + Number(fields[12]));
    } catch {
      return performance.now();
    }
  }

  #lost(child: ChildProcess): void {
    if (child !== this.#child) return;
    const guilty = this.#turn?.id;
    const guests = [...this.#guests];
    const started = this.#ready;
    this.#forget();
    if (this.#closed) return;
    // A process that never came up is nobody's fault, yet starting it for ever helps nobody.
    for (const id of guests)
      this.#handler(
        !started
          ? { on: 'ended', id, why: 'start', detail: 'the sandbox process does not start' }
          : id === guilty
            ? { on: 'ended', id, why: 'killed', detail: 'a turn kept the sandbox busy and could not be interrupted' }
            : { on: 'ended', id, why: 'host-lost', detail: 'the sandbox was restarted for another’s fault' },
      );
  }

  #forget(): void {
    clearInterval(this.#watch);
    this.#child = undefined;
    this.#turn = undefined;
    this.#held = '';
    this.#guests.clear();
  }
}
