/**
 * The technician's console on a serial line: login by the gateway's console code, then the same commands as in a shell, 80 columns, no
 * colours. Only one command runs at a time; Ctrl-C ends it and drops what it still had to say.
 */
import { type Option, readConfig } from '#shared/host/config.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { normaliseCode } from '#shared/protocol/pairing.ts';
import type { Answerer } from '../diagnostics/adapter-socket.ts';
import type { Place, TechCommand } from '../diagnostics/commands/command.ts';
import { longFlags, techCommands, wordsTaken } from '../diagnostics/commands/table.ts';
import { wrap } from '../diagnostics/commands/text.ts';
import { LineEditor } from './line-editor.ts';
import { judgeLogin, newLogin, waitOf } from './login.ts';

export interface ConsoleOptions {
  readonly world: Pick<World, 'clock' | 'crypto' | 'log'>;
  readonly gateway: () => string;
  /** Eight letters; see `console-code.ts`. */
  readonly code: string;
  readonly answer: Answerer;
  /** Resolves once the octets are on the wire. */
  readonly write: (data: Uint8Array) => Promise<void>;
}

/** Milliseconds of silence after which it logs out. */
export const IDLE = 600_000;
/** Characters that wait for a slow wire; what a command says beyond them is dropped. */
const WAITING = 64 * 1024;

export class Console {
  readonly #o: ConsoleOptions;
  readonly #editor = new LineEditor();
  readonly #login = newLogin();
  #open = false;
  #running = false;
  #interrupt: () => void = () => {};
  #waiting = '';
  #writing = false;
  #idle: Timer | undefined;

  constructor(options: ConsoleOptions) {
    this.#o = options;
  }

  /** A terminal is there: says who this is and asks for the code. */
  begin(): void {
    this.#lock('');
  }

  /** The line is gone. */
  end(): void {
    this.#idle?.cancel();
    this.#interrupt();
    this.#open = false;
    this.#waiting = '';
    this.#editor.reset();
  }

  /** What came over the wire. */
  data(octets: Uint8Array): void {
    this.#stir();
    const { edits, show } = this.#editor.feed(octets);
    if (show !== '') this.#say(show);
    for (const edit of edits) {
      if (edit.is === 'interrupt') this.#stop();
      else if (edit.is === 'end') this.#leave();
      else if (this.#running) continue;
      else if (this.#open) void this.#command(edit.text);
      else this.#tryCode(edit.text);
    }
  }

  #stop(): void {
    this.#waiting = '';
    if (this.#running) this.#interrupt();
    else this.#prompt();
  }

  #leave(): void {
    if (this.#running) return;
    this.#lock('logged out\r\n');
  }

  #lock(before: string): void {
    this.#open = false;
    this.#editor.reset();
    this.#say(`${before}\r\nHearthline gateway ${this.#o.gateway()}\r\n`);
    this.#prompt();
  }

  #prompt(): void {
    this.#editor.echo = this.#open;
    this.#say(this.#open ? '> ' : 'console code: ');
  }

  #tryCode(typed: string): void {
    if (typed.trim() !== '') this.#say(`${this.#judge(typed)}\r\n`);
    this.#prompt();
  }

  /** Looks at a code; gives what there is to say. */
  #judge(typed: string): string {
    const { clock, crypto, log } = this.#o.world;
    const now = clock.mono();
    const wait = waitOf(this.#login, now);
    if (wait > 0) return `wait ${Math.ceil(wait / 1000)} s`;
    const given = utf8(normaliseCode(typed) ?? ''.padEnd(this.#o.code.length, '?'));
    this.#open = judgeLogin(this.#login, crypto.equal(given, utf8(this.#o.code)), now);
    log.info(this.#open ? 'console.login' : 'console.refused');
    return this.#open ? 'welcome; `help` lists the commands' : 'wrong code';
  }

  async #command(line: string): Promise<void> {
    const words = longFlags(
      line
        .trim()
        .split(/\s+/)
        .filter((one) => one !== ''),
    );
    if (words[0] === 'exit' || words[0] === 'logout') return this.#leave();
    this.#running = true;
    try {
      if (words.length > 0) await this.#run(words);
    } catch (error) {
      this.#o.world.log.error('console.failed', { error: String(error) });
      this.#out('The gateway made an error.');
    }
    this.#running = false;
    this.#interrupt = () => {};
    this.#prompt();
  }

  async #run(words: readonly string[]): Promise<void> {
    const [two, one] = [words.slice(0, 2).join(' '), words[0] ?? ''];
    const command = techCommands.find((each) => each.words === two) ?? techCommands.find((each) => each.words === one);
    if (command === undefined) return this.#help(one === 'help' ? undefined : one);
    const input = readConfig(
      words.slice(command.words.split(' ').length),
      command.options as Readonly<Record<string, Option>>,
      {},
    );
    if (!input.ok) return this.#out(input.fault);
    const extra = input.value.words[wordsTaken(command)];
    if (extra !== undefined) return this.#out(`"${extra}" is one word too many; see \`help\`.`);
    const ended = Promise.withResolvers<void>();
    this.#interrupt = () => ended.resolve();
    const code = await Promise.race([
      command.run({ ...input.value, place: this.#place(ended.promise) }),
      ended.promise.then(() => 3),
    ]);
    if (code !== 0) this.#out(`(${code === 1 ? 'warnings' : code === 2 ? 'failed' : 'did not run'})`);
  }

  #place(ended: Promise<void>): Place {
    const { world, answer } = this.#o;
    let open = true;
    void ended.then(() => {
      open = false;
    });
    const out = (text: string) => {
      if (open) this.#out(text);
    };
    return {
      channel: { ask: (verb, body) => answer(`${verb}.local`, body) },
      out,
      error: out,
      wall: () => world.clock.wall(),
      pause: async (ms) => {
        await Promise.race([sleep(world.clock, ms), ended]);
        return open;
      },
    };
  }

  #help(unknown: string | undefined): void {
    if (unknown !== undefined) this.#out(`There is no command ${unknown}.`);
    const row = ({ words, takes, about }: TechCommand) =>
      wrap(about, `${`${words}${takes === undefined ? '' : ` ${takes}`}`.padEnd(26)} `);
    this.#out([...techCommands.map(row), 'exit                       Logs out.'].join('\n'));
  }

  #out(text: string): void {
    this.#say(`${text.replace(/\r?\n/g, '\r\n')}\r\n`);
  }

  #say(text: string): void {
    if (this.#waiting.length + text.length > WAITING) return;
    this.#waiting += text;
    if (!this.#writing) void this.#write();
  }

  /** Line by line, so that Ctrl-C finds most of it still unsaid. */
  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting !== '') {
      const end = this.#waiting.indexOf('\n') + 1 || this.#waiting.length;
      const line = this.#waiting.slice(0, end);
      this.#waiting = this.#waiting.slice(end);
      await this.#o.write(utf8(line)).catch(() => {
        this.#waiting = '';
      });
    }
    this.#writing = false;
  }

  /** Somebody is there: the time of silence begins anew. */
  #stir(): void {
    const { clock } = this.#o.world;
    this.#idle?.cancel();
    this.#idle = clock.at(clock.mono() + IDLE, () => {
      if (this.#open && !this.#running) this.#lock('\r\nlogged out: nobody typed for ten minutes\r\n');
    });
  }
}
