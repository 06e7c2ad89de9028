/** baresip as a phone: registers, says a WAV file over and over, records what it hears, answers by itself, dials on command. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sine } from '#shared/rtp/measure.ts';
import { readWav, writeWav } from '#shared/rtp/wav.ts';
import { netstring } from './baresip-program.ts';
import { eventually, type Namespaces, stopped } from './netns.ts';

export interface BaresipOptions {
  readonly host: string;
  readonly server: string;
  readonly username: string;
  readonly password: string;
  /** Hertz of the tone that it says. */
  readonly tone: number;
  /** Seconds after the beginning of a call from which it says another tone, and that tone's hertz less the first one's. */
  readonly later?: { readonly after: number; readonly higher: number };
  readonly transport?: 'udp' | 'tcp' | 'tls';
}

/** Tells it something over a connection, and fails where it does not answer that it did so. */
const ASK = `exec 3<>/dev/tcp/127.0.0.1/5555; printf %s "$1" >&3
  while IFS= read -r -t 5 -d '}' told <&3; do
    case $told in *'"response":true,"ok":true'*) exit 0;; *'"response":true'*) break;; esac
  done; echo "baresip on $1: $told" >&2; exit 1`;

const MODULES = '/usr/lib/baresip/modules';

export class Baresip {
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #say: (command: string) => void;
  readonly #server: string;
  #output = '';

  constructor(ns: Namespaces, options: BaresipOptions) {
    this.#server = options.server;
    this.#say = (command) => void ns.within(options.host, 'bash', '-c', ASK, 'ask', netstring(command));
    this.#folder = join(ns.folder, `baresip-${options.host}`);
    mkdirSync(join(this.#folder, 'rec'), { recursive: true });
    const voice = join(this.#folder, 'voice.wav');
    writeFileSync(voice, writeWav(voiceOf(options)));
    const { username, password, server, transport = 'udp' } = options;
    writeFileSync(
      join(this.#folder, 'accounts'),
      `<sip:${username}@${server};transport=${transport}>;auth_user=${username};auth_pass=${password};answermode=auto;audio_codecs=PCMU/8000/1,PCMA/8000/1;regint=120\n`,
    );
    writeFileSync(join(this.#folder, 'contacts'), '');
    writeFileSync(join(this.#folder, 'config'), config(voice, join(this.#folder, 'rec')));
    // Its output is a pipe here, and would come in blocks of 4 kB otherwise.
    this.#child = ns.start(options.host, 'stdbuf', ['-o0', '-e0', 'baresip', '-f', this.#folder]);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data) => {
        this.#output += data;
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  registered(): Promise<void> {
    return this.says(/200 OK/, 15_000, 'registration');
  }

  async says(pattern: RegExp, limit: number, what: string): Promise<void> {
    await eventually(() => pattern.test(this.#output), limit, `baresip: ${what}`).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#output}`);
    });
  }

  dial(number: string): void {
    this.#say(`dial sip:${number}@${this.#server}`);
  }

  hangup(): void {
    this.command('hangup');
  }

  /** A word of its menu, such as `transfer`, with what follows it. */
  command(words: string): void {
    this.#say(words);
  }

  /** What it heard in its calls so far, oldest call first. Recordings are whole only after the call. */
  heard(): Int16Array[] {
    const folder = join(this.#folder, 'rec');
    return readdirSync(folder)
      .filter((name) => name.endsWith('-dec.wav'))
      .sort()
      .map((name) => samplesOf(patched(readFileSync(join(folder, name)))));
  }

  stop(): Promise<void> {
    return stopped(this.#child);
  }
}

/** Two minutes. */
function voiceOf({ tone, later = { after: 120, higher: 0 } }: BaresipOptions): Int16Array {
  const first = 8000 * later.after;
  return Int16Array.from([...sine(tone, -17, first), ...sine(tone + later.higher, -17, 8000 * 120 - first)]);
}

export function samplesOf(wav: Uint8Array): Int16Array {
  const read = readWav(wav);
  return read.ok ? read.value : new Int16Array();
}

/** A recording whose writer was ended has no sizes in its header: they follow from the file's length. */
function patched(octets: Buffer): Uint8Array {
  const copy = Buffer.from(octets);
  const data = copy.indexOf('data');
  if (data > 0 && copy.readUInt32LE(data + 4) === 0) copy.writeUInt32LE(copy.length - data - 8, data + 4);
  copy.writeUInt32LE(copy.length - 8, 4);
  return new Uint8Array(copy);
}

function config(voice: string, recordings: string): string {
  return [
    'poll_method epoll',
    'call_local_timeout 120',
    'call_max_calls 4',
    `audio_player aubridge,none`,
    `audio_source aufile,${voice}`,
    'audio_alert aubridge,none',
    'audio_level no',
    'ausrc_srate 8000',
    'auplay_srate 8000',
    'ausrc_channels 1',
    'auplay_channels 1',
    'rtp_ports 16000-16999',
    `module_path ${MODULES}`,
    'ctrl_tcp_listen 127.0.0.1:5555',
    'module g711.so',
    'module aufile.so',
    'module aubridge.so',
    'module sndfile.so',
    `snd_path ${recordings}`,
    'module_tmp uuid.so',
    'module_tmp account.so',
    'module_app auloop.so',
    'module_app contact.so',
    'module_app ctrl_tcp.so',
    'module_app menu.so',
    '',
  ].join('\n');
}
