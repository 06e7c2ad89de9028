/** A whole cloud on real sockets of the loopback, in this process, for third-party phones; with what a test starts beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, type CloudSettings, startCloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';

export type Line = VerbReply<'line.create'>;

export const any = { host: '127.0.0.1', port: 0 };

export class LoopbackCloud {
  readonly world = hostWorld({ level: 'error' });
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-interop-'));
  /** Ended, and closed, with the cloud. */
  readonly children: ChildProcess[] = [];
  readonly phones: Phone[] = [];
  cloud!: Cloud;

  static async start(more: Partial<CloudSettings> = {}): Promise<LoopbackCloud> {
    const rig = new LoopbackCloud();
    const media = { host: '127.0.0.1', low: 43_000, high: 43_199 };
    rig.cloud = await startCloud(
      rig.world,
      { data: join(rig.folder, 'cloud'), http: any, mqtt: any, sip: any, sips: any, media, ...more },
      { store: openLocalStore(':memory:'), engineFor: threadEngine },
    );
    return rig;
  }

  /** Asks a verb as the operator. */
  async ask<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    const principal = { kind: 'account', account: 'operator', role: 'operator', homes: 'all', scopes: 'all' } as const;
    const outcome = await this.cloud.bus.request(verb, request, { principal });
    if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code}`);
    return outcome.value;
  }

  /** A line without bounds, in that home or in one of its own. */
  async line(home?: string): Promise<Line> {
    const of = home ?? (await this.ask('home.create', { name: 'Elm' })).id;
    return this.ask('line.create', { home: of, class: 'unmetered' });
  }

  /** Our phone, registered for a line over UDP. */
  async phone({ sip }: Line, more: Partial<Parameters<typeof Phone.open>[0]> = {}): Promise<Phone> {
    const { username, domain, password = '' } = sip;
    const server = this.cloud.config.bound.sipUdp ?? any;
    const one = await Phone.open({ world: this.world, host: '127.0.0.1', server, domain, username, password, ...more });
    this.phones.push(one);
    const status = await one.register();
    if (status !== 200) throw new Error(`the registration of ${username} was answered with ${status}`);
    return one;
  }

  /** Runs a program to its end, in the test's folder. */
  async run(
    program: string,
    words: readonly string[],
  ): Promise<{ readonly code: number | null; readonly output: string }> {
    // sipvicious keeps its state in its user's home.
    const env = { ...process.env, HOME: this.folder };
    const child = spawn(program, words, { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    return { code: await new Promise((resolve) => child.on('exit', resolve)), output };
  }

  /** Starts baresip for a line, without sound; `account` and `modules` are more of its own words, `command` is carried out at once. */
  baresip(
    { sip }: Line,
    more: {
      readonly account?: string;
      readonly modules?: readonly string[];
      readonly command?: string;
      readonly config?: readonly string[];
      /** Its output shows every SIP message. */
      readonly trace?: boolean;
    } = {},
  ): { readonly output: string; readonly folder: string; stop(): void } {
    const { account = '', modules = [], command, config = [], trace = false } = more;
    const folder = join(this.folder, `baresip-${sip.username}`);
    mkdirSync(folder, { recursive: true });
    const server = `127.0.0.1:${this.cloud.config.bound.sipUdp?.port}`;
    const login = `auth_pass=${sip.password};outbound="sip:${server};transport=udp";regint=300`;
    writeFileSync(join(folder, 'contacts'), '');
    writeFileSync(
      join(folder, 'accounts'),
      `<sip:${sip.username}@${sip.domain};transport=udp>;${login}${account};audio_codecs=PCMU/8000/1\n`,
    );
    const loaded = [...modules, 'account.so', 'menu.so'].map((name) => `module_app ${name}\n`).join('');
    const first = 'sip_listen 127.0.0.1:0\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\n';
    writeFileSync(join(folder, 'config'), first + loaded + config.map((line) => `${line}\n`).join(''));
    const begin = command === undefined ? [] : ['-e', command];
    const words = ['-o0', '-e0', 'baresip', ...(trace ? ['-s'] : []), '-f', folder, ...begin];
    const child = spawn('stdbuf', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.children.push(child);
    const said = { output: '', folder, stop: () => void child.kill('SIGKILL') };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        said.output += String(data);
      });
    return said;
  }

  async until(condition: () => boolean | Promise<boolean>, what: string, limit = 20_000): Promise<void> {
    const { clock } = this.world;
    for (const end = clock.mono() + limit; clock.mono() < end; ) {
      if (await condition()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${what} did not come in ${limit} ms`);
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    for (const phone of this.phones) await phone.close();
    await this.cloud.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
