/** The updater and its root helper with the real RAUC: its service on a bus of its own, slots that are files, bundles good and bad. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalSocket } from '#device/diagnostics/adapter-socket.ts';
import { serveHelper } from '#device/updater/adapter-helper.ts';
import { raucBoard } from '#device/updater/adapter-rauc.ts';
import type { Board } from '#device/updater/board.ts';
import { Updater } from '#device/updater/updater.ts';
import { hostWorld } from '#shared/host/world.ts';
import { sleep } from '#shared/kernel/time.ts';
import { hasFile } from '#test/peers.ts';

const here = ['/usr/bin/rauc', '/usr/bin/dbus-daemon', '/usr/bin/openssl'].every(hasFile) && process.getuid?.() === 0;
const BOARD = 'hearthline-rpi-arm64';
/** What does not shrink when it is packed. */
const ROOT = randomBytes(262_144);

describe.skipIf(!here)('the real RAUC', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-rauc-'));
  const at = (name: string) => join(folder, name);
  const world = hostWorld({ level: 'error' });
  const ours: ReturnType<typeof spawn>[] = [];
  let helper: LocalSocket | undefined;
  let board: Board;

  const run = (program: string, ...words: string[]) =>
    execFileSync(program, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  /** The bundle of a name, made of a manifest; `plain` can be installed where there is no device mapper. */
  function makeBundle(
    name: string,
    key: string,
    more: { version?: string; board?: string; format?: string } = {},
  ): string {
    const { version = '1.1.0', board: compatible = BOARD, format = 'plain' } = more;
    rmSync(at('content'), { recursive: true, force: true });
    mkdirSync(at('content'));
    writeFileSync(at('content/root.img'), ROOT);
    writeFileSync(
      at('content/manifest.raucm'),
      `[update]\ncompatible=${compatible}\nversion=${version}\n\n[bundle]\nformat=${format}\n\n[image.rootfs]\nfilename=root.img\n`,
    );
    const file = at(`updates/${name}.raucb`);
    run('rauc', `--cert=${key}.pem`, `--key=${key}.key`, 'bundle', 'content', file);
    return file;
  }
  const altered = (name: string, from: string, change: (octets: Buffer) => Buffer): string => {
    const file = at(`updates/${name}.raucb`);
    writeFileSync(file, change(readFileSync(from)));
    return file;
  };

  const until = async (condition: () => Promise<boolean>) => {
    for (let i = 0; i < 300 && !(await condition()); i++) await sleep(world.clock, 100);
  };

  beforeAll(async () => {
    mkdirSync(at('updates'));
    for (const name of ['mnt', 'logs', 'run']) mkdirSync(at(name));
    for (const name of ['ca', 'foreign'])
      run(
        'openssl',
        ...`req -x509 -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.pem -subj /CN=${name} -days 30`.split(
          ' ',
        ),
      );
    const sign = (name: string, ...days: string[]) => {
      run(
        'openssl',
        ...`req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`.split(' '),
      );
      run(
        'openssl',
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        ...days,
      );
    };
    sign('signer', '-days', '30');
    for (const name of ['slotA.img', 'slotB.img']) {
      writeFileSync(at(name), '');
      truncateSync(at(name), 1024 * 1024);
    }
    writeFileSync(at('image.json'), JSON.stringify({ version: '1.0.0', board: 'rpi-arm64' }));
    // The bootloader: a file per fact.
    writeFileSync(
      at('backend'),
      `#!/bin/sh\ncd ${folder}/run\ncase "$1" in\nget-primary) cat primary 2>/dev/null || echo A;;\nset-primary) echo $2 >primary;;\nget-state) cat $2 2>/dev/null || echo good;;\nset-state) echo $3 >$2;;\nget-current) echo A;;\nesac\n`,
    );
    chmodSync(at('backend'), 0o755);
    const slot = (n: number, name: string) =>
      `[slot.rootfs.${n}]\ndevice=${at(`slot${name}.img`)}\ntype=raw\nbootname=${name}\n\n`;
    writeFileSync(
      at('system.conf'),
      `[system]\ncompatible=${BOARD}\nbootloader=custom\nbundle-formats=plain verity\nstatusfile=${at('status')}\nmountprefix=${at('mnt')}\n\n[handlers]\nbootloader-custom-backend=${at('backend')}\n\n[keyring]\npath=${at('ca.pem')}\nuse-bundle-signing-time=true\n\n${slot(0, 'A')}${slot(1, 'B')}`,
    );
    writeFileSync(
      at('bus.conf'),
      `<busconfig><type>system</type><listen>unix:path=${at('bus')}</listen><auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`,
    );
    const bus = {
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${at('bus')}`,
      DBUS_STARTER_ADDRESS: `unix:path=${at('bus')}`,
      DBUS_STARTER_BUS_TYPE: 'system',
    };
    const start = (program: string, ...words: string[]) =>
      ours.push(spawn(program, words, { stdio: 'ignore', env: { ...process.env, ...bus } }));
    start('dbus-daemon', `--config-file=${at('bus.conf')}`, '--nofork');
    await until(async () => existsSync(at('bus')));
    start('rauc', `--conf=${at('system.conf')}`, 'service', '--override-boot-slot=A');
    // A bus that loses as many questions as the file says.
    writeFileSync(
      at('slow'),
      `#!/bin/sh\nn=$(cat ${at('lost')} 2>/dev/null || echo 0)\n[ "$n" = 0 ] || { echo $((n - 1)) >${at('lost')}; echo 'Timeout was reached' >&2; exit 1; }\nexec rauc "$@"\n`,
    );
    chmodSync(at('slow'), 0o755);
    const words = Object.entries(bus).map(([name, value]) => `${name}=${value}`);
    helper = await serveHelper({
      clock: world.clock,
      log: world.log,
      socket: at('helper.sock'),
      group: process.getgid?.() ?? 0,
      folder: at('updates'),
      keep: at('keep'),
      run: at('run'),
      logs: at('logs'),
      image: at('image.json'),
      rauc: ['env', ...words, at('slow'), `--conf=${at('system.conf')}`],
      reboot: ['touch', at('rebooted')],
    });
    board = raucBoard(world.clock, at('helper.sock'));
    await until(async () => (await board.facts()).ok);
  }, 60_000);
  afterAll(async () => {
    await helper?.close();
    for (const one of ours) one.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is not marked good until somebody proves it', async () => {
    expect(await board.facts()).toMatchObject({
      ok: true,
      value: { slot: 'A', version: '1.0.0', board: BOARD, good: false },
    });
    expect(await board.markGood()).toMatchObject({ ok: true });
    expect(await board.facts()).toMatchObject({ value: { good: true } });
    expect(readFileSync(at('run/A'), 'utf8').trim()).toBe('good');
  });

  test('is asked again where its service was too slow, and is no board without two systems because of that', async () => {
    writeFileSync(at('lost'), '3');
    expect(await board.facts()).toMatchObject({ ok: true, value: { slot: 'A' } });
    writeFileSync(at('lost'), '4');
    expect(await board.facts()).toMatchObject({ ok: false, fault: { code: 'update_install_failed' } });
    expect(readFileSync(at('lost'), 'utf8').trim()).toBe('0');
  });

  test('refuses what is wrong, each with its own reason', async () => {
    const good = makeBundle('good', 'signer', { format: 'verity' });
    const tail = (octets: Buffer) => octets.length - 500;
    const flipped = (octets: Buffer) => {
      octets[tail(octets)] = (octets[tail(octets)] ?? 0) ^ 1;
      return octets;
    };
    symlinkSync(good, at('updates/link.raucb'));
    mkdirSync(at('updates/folder.raucb'));
    writeFileSync(at('outside.raucb'), readFileSync(good));
    const cases: readonly (readonly [string, string])[] = [
      [makeBundle('foreign', 'foreign'), 'update_untrusted'],
      [altered('flipped', good, flipped), 'update_untrusted'],
      [altered('short', good, (octets) => octets.subarray(0, 100_000)), 'update_damaged'],
      [altered('junk', good, () => Buffer.alloc(5000, 7)), 'update_damaged'],
      [altered('empty', good, () => Buffer.alloc(0)), 'update_damaged'],
      [at('updates/link.raucb'), 'update_swapped'],
      [at('updates/folder.raucb'), 'update_swapped'],
      [at('updates/nothing.raucb'), 'update_not_found'],
      [at('outside.raucb'), 'update_not_found'],
      [`${at('updates')}/../outside.raucb`, 'update_not_found'],
    ];
    for (const [file, code] of cases)
      expect([file, await board.inspect(file)]).toMatchObject([file, { ok: false, fault: { code } }]);
  });

  test('keeps its own floor where only root writes: an agent that would have it lower gets no older system, nor one above it refused', async () => {
    expect(await board.facts()).toMatchObject({ value: { floor: '1.0.0' } });
    expect(readFileSync(at('keep/floor'), 'utf8')).toBe('1.0.0\n');
    const older = makeBundle('older', 'signer', { version: '0.9.9' });
    const seen = await board.inspect(older);
    if (!seen.ok) throw new Error('refused');
    expect(await board.install(older, seen.value)).toMatchObject({ ok: false, fault: { code: 'update_too_old' } });
    // Back from a newer system that had proved itself: the older one runs and is good, and the floor stays where it was.
    writeFileSync(at('keep/floor'), '1.3.0\n');
    expect(await board.markGood()).toMatchObject({ ok: true });
    expect(await board.facts()).toMatchObject({ value: { version: '1.0.0', good: true, floor: '1.3.0' } });
    const between = makeBundle('between', 'signer', { version: '1.2.0' });
    const fits = await board.inspect(between);
    if (!fits.ok) throw new Error('refused');
    expect(await board.install(between, fits.value)).toMatchObject({ ok: false, fault: { code: 'update_too_old' } });
    expect(readFileSync(at('slotB.img')).every((octet) => octet === 0)).toBe(true);
    // A damaged one is none, until something proves itself.
    writeFileSync(at('keep/floor'), '');
    expect(await board.markGood()).toMatchObject({ ok: true });
    expect(await board.facts()).toMatchObject({ value: { floor: '1.0.0' } });
  });

  test('says that there is no room for its copy, and leaves nothing half of it', async () => {
    const file = makeBundle('roomless', 'signer');
    rmSync(at('keep/bundle.raucb'), { force: true });
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', at('keep'));
    try {
      expect(await board.inspect(file)).toMatchObject({ ok: false, fault: { code: 'update_no_room' } });
      expect(readdirSync(at('keep'))).toEqual([]);
    } finally {
      run('umount', at('keep'));
    }
  });

  test('does not install what was swapped after the check', async () => {
    const file = makeBundle('swap', 'signer');
    const seen = await board.inspect(file);
    if (!seen.ok) throw new Error('refused');
    expect(seen.value).toMatchObject({ version: '1.1.0', board: BOARD });
    await board.inspect(makeBundle('other', 'signer', { version: '1.2.0' }));
    expect(await board.install(file, seen.value)).toMatchObject({ ok: false, fault: { code: 'update_swapped' } });
    expect(
      readFileSync(at('slotB.img'))
        .subarray(0, 16)
        .every((octet) => octet === 0),
    ).toBe(true);
  });

  test('the agent’s updater installs a bundle that a technician names, and has the board start anew', async () => {
    const source = at('stick.raucb');
    writeFileSync(source, readFileSync(makeBundle('source', 'signer')));
    const updater = new Updater({
      world,
      board,
      state: at('update.json'),
      folder: at('updates'),
      cloud: undefined,
      agent: () => undefined,
      test: async () => ({ ok: true, wan: false, paired: false }),
      paired: () => false,
      busy: () => false,
    });
    await updater.start();
    await expect.poll(async () => (await updater.status()).state).toBe('idle');
    expect(await updater.begin({ job: 'old', file: makeBundle('old', 'signer', { version: '0.9.0' }) })).toMatchObject({
      ok: true,
    });
    await expect
      .poll(async () => (await updater.status()).history[0], { timeout: 10_000 })
      .toMatchObject({ state: 'failed', reason: 'update_too_old' });
    expect(await updater.begin({ job: 'new', file: source })).toMatchObject({ ok: true });
    await expect.poll(() => existsSync(at('rebooted')), { timeout: 15_000 }).toBe(true);
    expect(readFileSync(at('slotB.img')).subarray(0, ROOT.length).equals(ROOT)).toBe(true);
    expect(readFileSync(at('run/primary'), 'utf8').trim()).toBe('B');
    expect((await updater.status()).state).toBe('rebooting');
    await updater.stop();
  }, 40_000);
});
