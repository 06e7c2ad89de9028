/** A real baresip holds, takes back and transfers calls by its own commands, straight at our softswitch and behind a gateway; what is heard is measured. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { realStage } from '#simulator/real-stage.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { tone } from '#simulator/voice.ts';
import { hasProgram } from '#test/peers.ts';
import { last, level, number, wordsOf } from '../scenario/words.ts';
import { freePort } from './free-port.ts';

/** Hertz: baresip, and our two phones. */
const [OURS, B, C] = [800, 617, 1450];
/** dBov. */
const [LOUD, QUIET] = [-30, -45];

/** baresip for a line, which listens for commands on a port of its console. */
class Program {
  readonly #child: ChildProcess;
  readonly #port: number;
  output = '';

  constructor(
    folder: string,
    port: number,
    server: string,
    sip: { username: string; domain: string; password: string },
  ) {
    this.#port = port;
    mkdirSync(folder);
    const modules = ['g711.so', 'ausine.so', 'aufile.so', 'cons.so'].map((name) => `module ${name}`);
    const config = [
      ...['sip_listen 127.0.0.1:0', 'module_path /usr/lib/baresip/modules', ...modules],
      ...['module_app account.so', 'module_app menu.so', `cons_listen 127.0.0.1:${port}`],
      ...[`audio_source ausine,${OURS}`, 'ausrc_srate 48000', 'ausrc_channels 2'],
      ...[`audio_player aufile,${folder}/heard.wav`, 'audio_alert aufile,/dev/null', 'rtp_ports 45000-45999', ''],
    ];
    const login = `auth_pass=${sip.password};outbound="sip:${server};transport=udp";regint=300;answermode=auto`;
    writeFileSync(join(folder, 'config'), config.join('\n'));
    writeFileSync(
      join(folder, 'accounts'),
      `<sip:${sip.username}@${sip.domain};transport=udp>;${login};audio_codecs=PCMU/8000/1\n`,
    );
    writeFileSync(join(folder, 'contacts'), '');
    this.#child = spawn('stdbuf', ['-o0', '-e0', 'baresip', '-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data) => {
        this.output += String(data);
      });
  }

  /** A word of its menu with what follows it. */
  async command(words: string): Promise<void> {
    const socket = createSocket('udp4');
    await new Promise((resolve) => socket.send(`/${words}\n`, this.#port, '127.0.0.1', resolve));
    socket.close();
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await ended;
  }
}

let stage: Stage;
let folder: string;
let elm: StageHome;
let program: Program;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-baresip-'));
  stage = await realStage();
  elm = await stage.home('elm');
});
afterEach(async () => {
  await program.end();
  await stage[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const { until } = wordsOf(() => stage);
const pass = (ms: number) => stage.ground.pass(ms);

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it.each([
    ['straight at the softswitch', false],
    ['behind a gateway', true],
  ])(
    '%s holds, takes back, and transfers',
    async (_where, behind) => {
      const voice = (hertz: number) => ({ manner: 'answer', answerAfter: 100, voice: tone(hertz, 1) }) as const;
      const [b, c] = [await elm.phone(voice(B)), await elm.phone(voice(C))];
      const line = await stage.line(elm);
      await pass(500);
      const { host, port } = behind ? elm.gateway.status().sip.udp : stage.ground.sip(stage.cloud);
      const sip = { password: '', ...line.sip };
      program = new Program(join(folder, 'phone'), await freePort(), `${host}:${port}`, sip);
      await until(() => /200 OK/.test(program.output), 'the registration');
      await program.command(`dial ${number(elm, 0)}`);
      await until(() => b.calls[0]?.state === 'up', 'the answer');
      const call = last(b);
      await pass(1_500);
      expect(level(call, OURS)).toBeGreaterThan(LOUD);

      await program.command('hold');
      await until(() => call.held, 'the hold');
      await pass(300);
      const before = call.heard().length;
      await pass(1_500);
      // Who is on hold is sent nothing: not one packet.
      expect(call.heard().length).toBe(before);
      await program.command('resume');
      await until(() => !call.held, 'the end of the hold');
      await pass(1_500);
      expect(level(call, OURS)).toBeGreaterThan(LOUD);

      await program.command(`transfer ${number(elm, 1)}`);
      await until(() => c.calls[0]?.state === 'up', 'the transfer');
      await pass(1_500);
      expect([call.state, last(c).state]).toEqual(['up', 'up']);
      expect(level(call, C)).toBeGreaterThan(LOUD);
      expect(level(call, OURS)).toBeLessThan(QUIET);
      expect(level(last(c), B)).toBeGreaterThan(LOUD);
      await until(() => /terminated|session closed/i.test(program.output), 'baresip to be out of it');
      call.hangup();
      await until(() => last(c).state === 'ended', 'the end');
    },
    60_000,
  );
});
