/**
 * The gateway as one executable file, away from the clone: paired with a cloud of the clone, real phones call with sound, an applet
 * runs, and a technician looks at it. The arm64 file runs under an emulator as far as a program without a network goes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { SerialPort } from 'serialport';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packProject } from '#cli/app-project.ts';
import { makeExecutable } from '#images/executable/build.ts';
import { type Bundle, bundle } from '#images/executable/bundle.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { hasNamespaces, hasProgram } from '../peers.ts';
import { Baresip } from './baresip.ts';
import { type CloudReady, type DeviceReady, eventually, Namespaces } from './netns.ts';

const root = resolve(import.meta.dirname, '../..');
const TONES = [443, 617] as const;
const LAN = '192.168.1.1';
const WAN = '10.77.0.1';

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

const pause = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

describe.skipIf(!hasNamespaces() || !['baresip', 'socat', 'strip'].every(hasProgram))(
  'the executable as a gateway',
  () => {
    const ns = new Namespaces();
    const file = join(ns.folder, 'hearthline');
    const state = join(ns.folder, 'state');
    const tty = { gateway: join(ns.folder, 'tty-gateway'), person: join(ns.folder, 'tty-person') };
    const phones: { readonly line: Line; readonly baresip: Baresip }[] = [];
    let scripts: Bundle;
    let cloud: CloudReady;
    let home = '';

    /** The executable, with nothing in its environment that could lead it to a clone. */
    const run = (...words: string[]): Promise<Ran> =>
      new Promise((done) => {
        const within = ['netns', 'exec', ns.name('gw'), file, ...words];
        execFile(
          'ip',
          within,
          { cwd: '/', env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' }, timeout: 30_000 },
          (error, out, text) => done({ code: error === null ? 0 : Number(error.code), out, error: text }),
        );
      });
    const operator = () => ['--cloud', `http://${WAN}:8080`, '--token', cloud.operatorToken, '--json'];
    const cli = <T>(...words: string[]) =>
      JSON.parse(ns.within('cloud', 'bin/hearthline', ...words, ...operator())) as T;
    /** The agent's own children: what each was started as, and of which file. */
    const children = () =>
      execFileSync('ip', ['netns', 'pids', ns.name('gw')], { encoding: 'utf8' })
        .split('\n')
        .filter((pid) => pid !== '' && existsSync(`/proc/${pid}/exe`))
        .map((pid) => ({
          exe: readlinkSync(`/proc/${pid}/exe`),
          words: readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
          environment: readFileSync(`/proc/${pid}/environ`, 'utf8'),
        }));

    async function phone(host: string, address: string, tone: number): Promise<void> {
      ns.add(host);
      ns.cable({ host, as: 'eth0', address: `${address}/24` }, { host: 'gw', as: `port-${host}` });
      ns.within('gw', 'ip', 'link', 'set', `port-${host}`, 'master', 'lan');
      const line = cli<Line>('line', 'create', '--home', home, '--name', `phone ${host}`);
      await eventually(
        async () => (await run('line', 'status', '--state', state)).out.includes(host),
        10_000,
        'the line',
      );
      const baresip = new Baresip(ns, { host, server: `${LAN}:5060`, ...line.sip, tone });
      await baresip.registered();
      phones.push({ line, baresip });
    }

    beforeAll(async () => {
      scripts = await bundle();
      makeExecutable('x64', scripts, file);
      ns.add('cloud');
      ns.add('gw');
      ns.cable({ host: 'cloud', as: 'wan', address: `${WAN}/24` }, { host: 'gw', as: 'wan', address: '10.77.0.2/24' });
      ns.within('gw', 'ip', 'route', 'add', 'default', 'via', WAN);
      ns.within('gw', 'ip', 'link', 'add', 'lan', 'type', 'bridge');
      ns.within('gw', 'ip', 'address', 'add', `${LAN}/24`, 'dev', 'lan');
      ns.within('gw', 'ip', 'link', 'set', 'lan', 'up');
      const at = ['--http', `${WAN}:8080`, '--mqtt', `${WAN}:8883`, '--sip', `${WAN}:5060`, '--sips', `${WAN}:5061`];
      const https = ['--https', `${WAN}:8443`, '--media', `${WAN}:20000-20199`];
      const started = await ns.hearthline<CloudReady & { https: string }>('cloud', 'cloud.json', [
        ...['cloud', '--data', join(ns.folder, 'cloud'), ...at, ...https],
      ]);
      cloud = started.ready;
      const pin = started.ready.https.split('#')[1];
      ns.start('gw', 'socat', [`pty,raw,echo=0,link=${tty.gateway}`, `pty,raw,echo=0,link=${tty.person}`]);
      await eventually(() => existsSync(tty.gateway), 5000, 'the serial line');
      mkdirSync(state, { mode: 0o700 });
      const agent = ns.start('gw', 'env', [
        ...[
          '-i',
          '-C',
          '/',
          'PATH=/usr/bin:/bin',
          file,
          'device',
          '--state',
          state,
          '--cloud',
          `https://${WAN}:8443#${pin}`,
        ],
        ...['--sip', `${LAN}:5060`, '--media', '0.0.0.0:20000-20199', '--page', '127.0.0.1:8081'],
        ...['--console', `${tty.gateway}:9600`, '--ready', join(ns.folder, 'gw.json')],
      ]);
      let said = '';
      for (const stream of [agent.stdout, agent.stderr]) stream?.on('data', (data) => (said += data));
      await eventually(() => existsSync(join(ns.folder, 'gw.json')), 20_000, 'the gateway').catch((error: Error) => {
        throw new Error(`${error.message}\n${said}`);
      });
      home = cli<{ id: string }>('home', 'create', '--name', 'Elm').id;
      const { pairing } = ns.read<DeviceReady>('gw.json');
      // The command pairs as well from the executable, on the gateway itself.
      const paired = await run('pair', pairing?.code ?? '', '--home', home, ...operator().slice(0, 4));
      expect(paired).toMatchObject({ code: 0, out: expect.stringContaining('is paired') });
      await phone('kitchen', '192.168.1.2', TONES[0]);
      await phone('study', '192.168.1.3', TONES[1]);
    }, 150_000);
    afterAll(() => ns[Symbol.asyncDispose](), 60_000);

    it('says what it is, and what it does not carry', async () => {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
      expect((await run('--version')).out).toMatch(
        new RegExp(`^hearthline ${version} \\(build [0-9a-f]{12}.*linux-x64`),
      );
      expect(await run('tour')).toMatchObject({ code: 3, error: expect.stringContaining('clone') });
      expect(await run('cloud', '--data', '/x')).toMatchObject({ code: 3, error: expect.stringContaining('clone') });
      expect((await run('nonsense')).code).toBe(3);
      // What keeps the sandbox from files keeps any of its commands from them.
      const kept = ns.within(
        'gw',
        'sh',
        '-c',
        `NODE_OPTIONS=--permission ${file} status --state ${state} 2>&1 || true`,
      );
      expect(kept).toContain('ERR_ACCESS_DENIED');
      const carried = scripts.modules.map((id) => id.split('/')[0]);
      expect(carried.filter((folder) => ['cloud', 'simulator', 'apps', 'sdk', 'test'].includes(folder ?? ''))).toEqual(
        [],
      );
      expect(scripts.modules).toContain('device/gateway.ts');
    });

    it('lets phones of the house call each other with sound, by a media engine of the same file', async () => {
      const [kitchen, study] = phones;
      if (kitchen === undefined || study === undefined) throw new Error('two phones were registered');
      kitchen.baresip.dial(study.line.number);
      await kitchen.baresip.says(/Call established|established/, 15_000, 'the call to be answered');
      const engine = children().find(({ words }) => words.includes('@media-engine'));
      expect(engine?.exe).toBe(file);
      await pause(4500);
      kitchen.baresip.hangup();
      await pause(1200);
      for (const [own, heard] of [
        [0, kitchen.baresip.heard()[0]],
        [1, study.baresip.heard()[0]],
      ] as const) {
        const middle = (heard ?? new Int16Array()).subarray(8000, 24_000);
        expect(middle.length).toBe(16_000);
        expect(levelOf(middle, TONES[1 - own] ?? 0)).toBeGreaterThan(-25);
        expect(levelOf(middle, TONES[own])).toBeLessThan(levelOf(middle, TONES[1 - own] ?? 0) - 25);
      }
    }, 30_000);

    it('runs an applet in a sandbox process of the same file', async () => {
      const folder = join(root, 'apps/doorbell');
      const made = await packProject(folder, await hostCrypto().createKey('Ed25519'));
      const consent = made.ok ? rightsOf(made.value.manifest).map(({ key }) => key) : [];
      ns.within(
        'cloud',
        'env',
        `XDG_CONFIG_HOME=${join(ns.folder, 'config')}`,
        'bin/hearthline',
        'app',
        'publish',
        folder,
        ...operator(),
      );
      cli('install', 'create', '--home', home, '--app', 'doorbell', '--consent', consent.join(','));
      const gateway = ns.read<DeviceReady>('gw.json').id;
      const state = () => cli<{ items: { state: string }[] }>('applet', 'list', '--gateway', gateway).items[0]?.state;
      await eventually(() => state() === 'running', 20_000, 'the applet to run');
      const sandbox = children().find(({ words }) => words.includes('@applet-sandbox'));
      expect(sandbox?.exe).toBe(file);
      expect(sandbox?.environment).toContain('NODE_OPTIONS=--permission ');
    }, 40_000);

    it('answers a technician: status, check, bundle, and the console on a serial line', async () => {
      expect(await run('status', '--state', state)).toMatchObject({ code: 0, out: expect.stringContaining('kitchen') });
      const check = await run('check', '--json', '--state', state);
      expect(JSON.parse(check.out)).toMatchObject({ counts: { fail: 0 } });
      const pack = join(ns.folder, 'bundle.tar.gz');
      expect(await run('bundle', '-o', pack, '--state', state)).toMatchObject({ code: 0, error: '' });
      expect(gunzipSync(readFileSync(pack)).toString('latin1')).toContain('manifest.json');
      const page = ns.within(
        'gw',
        'bin/node',
        '-e',
        "console.log(await (await fetch('http://127.0.0.1:8081/')).text())",
      );
      expect(page).toContain('<h1>Paired</h1>');
      const code = readFileSync(join(state, 'console-code'), 'utf8').trim();
      const port = new SerialPort({ path: tty.person, baudRate: 9600 });
      let heard = '';
      port.on('data', (data: Buffer) => {
        heard += data.toString('latin1');
      });
      const say = async (text: string, until: string) => {
        heard = '';
        port.write(`${text}\r`);
        await eventually(() => heard.includes(until), 15_000, `${until} after ${text}`);
        return heard;
      };
      await say('', 'console code: ');
      await say(code, '> ');
      expect(await say('status', '\r\n> ')).toContain('kitchen');
      await new Promise<void>((done) => port.close(() => done()));
      expect(await run('serial', 'monitor', `${tty.person}:9600`, '--seconds', '1')).toMatchObject({ code: 0 });
    }, 40_000);
  },
);
