/** The Debian package, as an administrator has it: installed, run, upgraded, removed and purged in a Debian of its own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDebian } from '#images/debian/build.ts';
import { makeExecutable } from '#images/executable/build.ts';
import { bundle } from '#images/executable/bundle.ts';
import { LoopbackCloud } from '../interop/loopback-cloud.ts';
import { eventually } from '../interop/netns.ts';
import { hasProgram } from '../peers.ts';
import { DebianRoot } from './debian-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-debian-'));
const executable = join(folder, 'hearthline');
const licences = join(folder, 'licences');
const config = '/etc/hearthline/device.json';
const unit = '/usr/lib/systemd/system/hearthline.service';
const wanted = '/etc/systemd/system/multi-user.target.wants/hearthline.service';
const watchdog = '/etc/systemd/system/hearthline.service.d/50-watchdog.conf';
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const there = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

beforeAll(async () => {
  makeExecutable('x64', await bundle(), executable);
  writeFileSync(licences, 'the licences');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package file', () => {
  it('is the same from build to build, and says what it needs', () => {
    const [one, two] = ['one', 'two'].map((name) => {
      const target = mkdtempSync(join(folder, name));
      return makeDebian({ arch: 'arm64', executable, licences, effort: 1 }, target);
    });
    expect(sha256(one ?? '')).toBe(sha256(two ?? ''));
    const field = (name: string) => execFileSync('dpkg-deb', ['-f', one ?? '', name], { encoding: 'utf8' }).trim();
    expect(field('Architecture')).toBe('arm64');
    expect(field('Depends')).toContain('libatomic1');
    const content = execFileSync('dpkg-deb', ['-c', one ?? ''], { encoding: 'utf8' });
    expect(content.split('\n').filter((line) => line !== '' && !/^[-d]\S{9} root\/root /.test(line))).toEqual([]);
  }, 60_000);

  it('has a unit that systemd reads, closed as far as the agent allows', () => {
    const file = join(import.meta.dirname, '../../images/debian/files/hearthline.service');
    const judged = execFileSync('systemd-analyze', ['security', '--offline=true', '--threshold=30', file], {
      encoding: 'utf8',
    });
    expect(judged).toMatch(/exposure level for hearthline.service: [0-2]\.\d/);
  });
});

describe.skipIf(!hasProgram('mmdebstrap') || !hasProgram('unshare')).each([
  ['bookworm', false],
  ['trixie', true],
] as const)('in Debian %s', (suite, notifies) => {
  let root: DebianRoot;
  let cloud: LoopbackCloud;
  const install = (version: string) => {
    const file = join(folder, `hearthline-agent_${version}_amd64.deb`);
    if (!existsSync(file))
      expect(makeDebian({ arch: 'x64', executable, licences, version, effort: 1 }, folder)).toBe(file);
    copyFileSync(file, root.path(`/tmp/${basename(file)}`));
    return root.run('dpkg', '-i', `/tmp/${basename(file)}`);
  };
  const settings = () => JSON.parse(readFileSync(root.path(config), 'utf8')) as Record<string, string>;

  beforeAll(async () => {
    root = new DebianRoot(suite);
    cloud = await LoopbackCloud.start();
  }, 120_000);
  afterAll(async () => {
    await cloud.stop();
    await root.close();
  }, 30_000);

  it('is installed: user, folder, unit enabled, and told what to do next', () => {
    const ran = install('1.0.0-1');
    expect(ran).toMatchObject({ code: 0, text: expect.stringContaining('give the address of your cloud') });
    expect(readFileSync(root.path('/etc/passwd'), 'utf8')).toMatch(/^hearthline:.*:\/var\/lib\/hearthline:.*nologin$/m);
    expect(statSync(root.path('/var/lib/hearthline')).mode & 0o777).toBe(0o700);
    expect(there(root.path(wanted))).toBe(true);
    expect(there(root.path(watchdog))).toBe(notifies);
    expect(root.run('dpkg', '--verify', 'hearthline-agent')).toEqual({ code: 0, text: '' });
    expect(root.run('hearthline', '--version').text).toMatch(/^hearthline \d/);
    expect(root.run('/usr/lib/hearthline/configured').code).toBe(1);
    expect(root.run('systemd-analyze', 'verify', '--man=no', unit).text).not.toContain('hearthline.service');
  }, 60_000);

  it('runs as its user with its settings, and gets a code from the cloud', async () => {
    const [low, high] = suite === 'trixie' ? [43_900, 43_949] : [43_950, 43_999];
    const own = {
      cloud: cloud.cloud.config.bound.http ?? '',
      sip: '127.0.0.1:0',
      media: `127.0.0.1:${low}-${high}`,
      page: '127.0.0.1:0',
    };
    writeFileSync(root.path(config), `${JSON.stringify({ ...settings(), ...own }, undefined, 2)}\n`);
    expect(root.run('/usr/lib/hearthline/configured').code).toBe(0);
    const start = /^ExecStart=(.*)$/m.exec(readFileSync(root.path(unit), 'utf8'))?.[1]?.split(' ') ?? [];
    const child = root.start('hearthline', [], ...start, '--ready', '/var/lib/hearthline/ready.json');
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said += data));
    const ready = root.path('/var/lib/hearthline/ready.json');
    await eventually(() => existsSync(ready), 20_000, 'the agent').catch((error: Error) => {
      throw new Error(`${error.message}\n${said}`);
    });
    const { pairing } = JSON.parse(readFileSync(ready, 'utf8')) as { pairing: { code: string } };
    expect(pairing.code).toMatch(/^[0-9A-Z-]{6,}$/);
    const status = root.run('hearthline', 'status', '--state', '/var/lib/hearthline');
    expect(status.text).toMatch(/^pairing +announced$/m);
  }, 60_000);

  it('is upgraded with settings and state kept', () => {
    const before = { settings: settings(), key: readFileSync(root.path('/var/lib/hearthline/ready.json'), 'utf8') };
    expect(install('1.1.0-1')).toMatchObject({ code: 0, text: expect.not.stringContaining('give the address') });
    expect(settings()).toEqual(before.settings);
    expect(readFileSync(root.path('/var/lib/hearthline/ready.json'), 'utf8')).toBe(before.key);
    expect(there(root.path(wanted))).toBe(true);
    expect(root.run('dpkg', '-s', 'hearthline-agent').text).toMatch(
      /^Status: install ok installed$[\s\S]*^Version: 1\.1\.0-1$/m,
    );
  }, 60_000);

  it('is removed with settings and state kept, comes back as it was, and is purged with nothing left', () => {
    expect(root.run('dpkg', '-r', 'hearthline-agent').code).toBe(0);
    for (const path of [unit, watchdog, '/usr/bin/hearthline', '/usr/share/hearthline'])
      expect(there(root.path(path)), path).toBe(false);
    for (const path of [config, '/var/lib/hearthline/ready.json']) expect(there(root.path(path)), path).toBe(true);
    expect(install('1.1.0-1').code).toBe(0);
    expect(settings().sip).toBe('127.0.0.1:0');
    expect(there(root.path(wanted))).toBe(true);
    expect(root.run('dpkg', '-P', 'hearthline-agent').code).toBe(0);
    for (const path of ['/etc/hearthline', '/var/lib/hearthline', wanted, watchdog, '/usr/lib/hearthline'])
      expect(there(root.path(path)), path).toBe(false);
    expect(root.run('find', '/etc', '/usr', '/var', '-name', '*hearthline*', '-not', '-path', '/var/log/*').text).toBe(
      '',
    );
    expect(root.run('dpkg', '--audit')).toEqual({ code: 0, text: '' });
  }, 60_000);
});
