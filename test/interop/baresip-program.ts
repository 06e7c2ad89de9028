/** A real baresip that is one line's phone on loopback, told what to do over a connection on which it answers each command. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** Milliseconds that it may take to answer a command. */
const ANSWERS_WITHIN = 5_000;
/** … and whether it did as it was told. */
const ANSWER = /\{"response":true,"ok":(true|false)/;
/** Octets before the samples of a WAV file as baresip writes it. */
const HEADER = 44;

export interface BaresipProgramOptions {
  /** Port at which it takes commands (TCP). */
  readonly console: number;
  /** HOST:PORT that it registers with. */
  readonly server: string;
  /** The tone that it says. */
  readonly hertz: number;
  readonly sip: { readonly username: string; readonly domain: string; readonly password: string };
}

/** A command as its `ctrl_tcp` reads it. */
export function netstring(words: string): string {
  const [command, ...rest] = words.split(' ');
  const text = JSON.stringify({ command, params: rest.join(' ') });
  return `${text.length}:${text},`;
}

/** Answers whatever rings. */
export class BaresipProgram {
  readonly #child: ChildProcess;
  readonly #port: number;
  output = '';

  readonly #folder: string;

  constructor(folder: string, { console: port, server, hertz, sip }: BaresipProgramOptions) {
    this.#port = port;
    this.#folder = folder;
    mkdirSync(folder);
    const modules = ['g711.so', 'ausine.so', 'aufile.so', 'aubridge.so', 'sndfile.so'].map((name) => `module ${name}`);
    const config = [
      ...['sip_listen 127.0.0.1:0', 'module_path /usr/lib/baresip/modules', ...modules],
      ...['module_app account.so', 'module_app menu.so', 'module_app ctrl_tcp.so', `ctrl_tcp_listen 127.0.0.1:${port}`],
      ...[`audio_source ausine,${hertz}`, 'ausrc_srate 48000', 'ausrc_channels 2'],
      ...[
        `snd_path ${folder}`,
        'audio_player aubridge,none',
        'audio_alert aufile,/dev/null',
        'rtp_ports 45000-45999',
        '',
      ],
    ];
    const login = `auth_pass=${sip.password};outbound="sip:${server};transport=udp";regint=300;answermode=auto`;
    writeFileSync(join(folder, 'config'), config.join('\n'));
    writeFileSync(
      join(folder, 'accounts'),
      `<sip:${sip.username}@${sip.domain};transport=udp>;${login};audio_codecs=PCMU/8000/1\n`,
    );
    writeFileSync(join(folder, 'contacts'), '');
    this.#child = spawn('stdbuf', ['-o0', '-e0', 'baresip', '-s', '-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data) => {
        this.output += String(data);
      });
  }

  /** A word of its menu with what follows it; rejects where it does not say that it did so. */
  async command(words: string): Promise<void> {
    const socket = connect(this.#port, '127.0.0.1');
    try {
      let heard = '';
      socket.setTimeout(ANSWERS_WITHIN, () => socket.destroy(new Error(`baresip does not answer: ${words}`)));
      socket.write(netstring(words));
      // What happens meanwhile is told on the same connection.
      for await (const data of socket) {
        heard += String(data);
        if (ANSWER.test(heard)) break;
      }
      if (ANSWER.exec(heard)?.[1] !== 'true') throw new Error(`baresip on ${words}: ${heard}`);
    } finally {
      socket.destroy();
    }
  }

  /** Its calls as its own trace of SIP names them, the oldest first: those that it made and that were answered. */
  dialogs(): { readonly callId: string; readonly localTag: string; readonly remoteTag: string }[] {
    const found = new Map<string, { callId: string; localTag: string; remoteTag: string }>();
    for (const text of this.output.split('SIP/2.0 200 OK').slice(1)) {
      const field = (name: RegExp) => name.exec(text)?.[1] ?? '';
      if (!/^CSeq:\s*\d+ INVITE/im.test(text.split('\r\n\r\n', 1)[0] ?? '')) continue;
      const callId = field(/^Call-ID:\s*(\S+)/im);
      const [localTag, remoteTag] = [field(/^From:.*;tag=([^;\s]+)/im), field(/^To:.*;tag=([^;\s]+)/im)];
      if (!found.has(callId)) found.set(callId, { callId, localTag, remoteTag });
    }
    return [...found.values()];
  }

  /** Calls of its own that are over. */
  ended(): number {
    const ids = new Set(this.dialogs().map(({ callId }) => callId));
    const byes = this.output.split(/^BYE /m).slice(1);
    for (const bye of byes) ids.delete(/^Call-ID:\s*(\S+)/im.exec(bye)?.[1] ?? '');
    return this.dialogs().length - ids.size;
  }

  /** The last `ms` milliseconds that it heard (8 kHz) before its sound changed or ended last. */
  heard(ms: number): Int16Array {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('-dec.wav'));
    const octets = readFileSync(join(this.#folder, names.sort().at(-1) ?? '')).subarray(HEADER);
    const samples = new Int16Array(octets.length >> 1);
    for (let n = 0; n < samples.length; n++) samples[n] = octets.readInt16LE(2 * n);
    return samples.subarray(-ms * 8);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await ended;
  }
}
