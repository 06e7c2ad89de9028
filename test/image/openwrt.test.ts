/** The OpenWrt package: its scripts on a router's shell with stand-ins for procd and uci, and its agent with the C library that it brings. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeExecutable } from '#images/executable/build.ts';
import { bundle } from '#images/executable/bundle.ts';
import { makeIpk } from '#images/openwrt/build.ts';
import { LoopbackCloud } from '../interop/loopback-cloud.ts';
import { eventually } from '../interop/netns.ts';
import { hasProgram } from '../peers.ts';
import { OpenWrtRoot } from './openwrt-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-ipk-test-'));
const spec = { executable: join(folder, 'hearthline'), licences: join(folder, 'licences'), effort: 1 };
const CONFIG = 'etc/config/hearthline';
const JSON_FILE = 'var/run/hearthline/device.json';

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasProgram('qemu-aarch64-static') || !hasProgram('unshare'))('the OpenWrt package', () => {
  let router: OpenWrtRoot;
  let ipk: string;
  const init = (action: string) => router.run([], '/bin/sh', '/etc/rc.common', '/etc/init.d/hearthline', action);
  const set = (name: string, value: string) => {
    const text = router.read(CONFIG).replace(new RegExp(`option ${name} '.*'`), `option ${name} '${value}'`);
    writeFileSync(router.path(CONFIG), text);
  };
  const settings = () => JSON.parse(router.read(JSON_FILE)) as Record<string, string>;

  beforeAll(async () => {
    makeExecutable('arm64', await bundle(), spec.executable);
    writeFileSync(spec.licences, 'the licences');
    ipk = makeIpk(spec, folder);
    router = new OpenWrtRoot();
  }, 120_000);
  afterAll(() => router.close(), 30_000);

  it('is the same from build to build', () => {
    const again = makeIpk(spec, mkdtempSync(join(folder, 'again')));
    const [one, two] = [ipk, again].map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'));
    expect(one).toBe(two);
    expect(() => makeIpk({ ...spec, arch: 'mips_24kc' }, folder)).toThrow('no 64-bit Arm');
  }, 60_000);

  it('leaves a router being made alone but for its user', async () => {
    const made = new OpenWrtRoot();
    try {
      const install = readFileSync(join(import.meta.dirname, '../../images/openwrt/scripts/postinst'), 'utf8');
      writeFileSync(made.path('tmp/postinst'), install);
      writeFileSync(made.path('etc/init.d/hearthline'), '#!/bin/sh\necho touched >/tmp/touched\n', { mode: 0o755 });
      for (let times = 0; times < 2; times++)
        expect(await made.run(['IPKG_INSTROOT=/'], '/bin/sh', '/tmp/postinst')).toEqual({
          code: 0,
          out: '',
          error: '',
        });
      expect(made.read('etc/passwd').match(/^hearthline:/gm)).toHaveLength(1);
      expect(existsSync(made.path('tmp/touched'))).toBe(false);
      expect(existsSync(made.path('tmp/uci'))).toBe(false);
    } finally {
      await made.close();
    }
  }, 60_000);

  it('is installed: user, firewall, started with the router, and told what to do next', async () => {
    const ran = await router.install(ipk);
    expect(ran).toMatchObject({
      code: 0,
      out: expect.stringContaining('uci set hearthline.main.cloud'),
      error: expect.stringContaining('no cloud yet'),
    });
    expect(router.read('etc/passwd')).toMatch(/^hearthline:x:852:852:/m);
    expect(router.read('tmp/uci').trim().split('\n')).toEqual(
      expect.arrayContaining([
        'firewall.hearthline_wan.src=wan',
        'firewall.hearthline_wan.target=REJECT',
        'firewall.hearthline_sip.dest_port=5060',
      ]),
    );
    expect(existsSync(router.path('etc/uci-defaults/90-hearthline'))).toBe(false);
    expect(readlinkSync(router.path('etc/rc.d/S95hearthline'))).toBe('../init.d/hearthline');
    expect(router.read('lib/upgrade/keep.d/hearthline')).toBe('/etc/hearthline/\n');
    expect((await router.run([], '/usr/bin/hearthline', '--version')).out).toMatch(/^hearthline .*linux-arm64/);
  }, 60_000);

  it('hands procd the agent with settings from uci', async () => {
    set('cloud', 'https://cloud.example:8443#sha256-abc_D-1');
    set('sip_port', '5070');
    const ran = await init('start');
    expect(ran).toMatchObject({ code: 0, error: '' });
    expect(ran.out.trim().split('\n')).toEqual([
      'open ',
      'param command /usr/bin/hearthline device --config /var/run/hearthline/device.json',
      'param file /var/run/hearthline/device.json',
      'param user hearthline',
      'param no_new_privs 1',
      'param respawn 3600 5 0',
      'param limits nofile=4096 4096',
      'param term_timeout 15',
      'param stdout 1',
      'param stderr 1',
      'close',
    ]);
    expect(settings()).toEqual({
      state: '/etc/hearthline',
      cloud: 'https://cloud.example:8443#sha256-abc_D-1',
      profile: 'residential-gateway',
      sip: '127.0.0.1:5070',
      media: ':20000-29999',
      page: '127.0.0.1:8081',
      log: 'warn',
    });
    const [state, file] = [statSync(router.path('etc/hearthline')), statSync(router.path(JSON_FILE))];
    expect([state.uid, state.mode & 0o777, file.uid, file.gid, file.mode & 0o777]).toEqual([852, 0o700, 0, 852, 0o640]);
    const triggers = (await init('triggers')).out;
    for (const line of ['trigger reload hearthline', 'trigger interface lan', 'validation validate_agent'])
      expect(triggers).toContain(line);
  }, 60_000);

  it.each([
    ['sip_port', '70000', 'wrong value'],
    ['profile', 'toaster', 'wrong value'],
    ['enabled', 'perhaps', 'wrong value'],
    ['rtp_first', '100', 'wrong value'],
    ['rtp_first', '29999', 'rtp_first must be lower'],
    ['network', 'no lan', 'wrong value'],
    ['network', 'guest', 'no address yet'],
    ['cloud', 'ftp://x', 'no cloud yet'],
    ['cloud', '', 'no cloud yet'],
    ['cloud', 'https://x","state":"/', 'may not hold'],
    ['cloud', 'https://x\\', 'may not hold'],
    ['state', 'etc', 'not a path'],
    ['state', '/etc/a b', 'may not hold'],
    ['console', '/dev/tty$(reboot)', 'may not hold'],
  ])(
    'starts nothing with %s = %s, and says why',
    async (name, value, why) => {
      const before = router.read(CONFIG);
      set(name, value.replaceAll('$', '$$$$'));
      const ran = await init('start');
      writeFileSync(router.path(CONFIG), before);
      expect(ran).toMatchObject({ code: 1, out: '', error: expect.stringContaining(why) });
    },
    20_000,
  );

  it('starts nothing, in silence, where it is disabled', async () => {
    const before = router.read(CONFIG);
    set('enabled', '0');
    expect(await init('start')).toEqual({ code: 0, out: '', error: '' });
    writeFileSync(router.path(CONFIG), before);
  }, 20_000);

  it('has an agent that runs by its own C library, with its children, and gets a code', async () => {
    const cloud = await LoopbackCloud.start();
    try {
      set('cloud', cloud.cloud.config.bound.http ?? '');
      set('sip_port', '0');
      set('page_port', '0');
      set('rtp_first', '43700');
      set('rtp_last', '43799');
      const ran = await init('start');
      const command = /^param command (.*)$/m.exec(ran.out)?.[1]?.split(' ') ?? [];
      const ready = router.path('etc/hearthline/ready.json');
      let said = '';
      // Started again where it ends, as procd does: its first start under an emulator may find the media engine too slow.
      for (let starts = 0; starts < 3 && !existsSync(ready); starts++) {
        const child = await router.start('852:852', [], ...command, '--ready', '/etc/hearthline/ready.json');
        for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said += data));
        await eventually(() => existsSync(ready) || child.exitCode !== null, 90_000, 'the agent');
      }
      expect(existsSync(ready), said).toBe(true);
      const { pairing } = JSON.parse(router.read('etc/hearthline/ready.json')) as { pairing: { code: string | null } };
      expect(pairing.code).toMatch(/^[0-9A-Z-]{6,}$/);
      // The media engine is a child of the same file.
      expect(existsSync(router.path('etc/hearthline/media/engine.sock'))).toBe(true);
    } finally {
      await cloud.stop();
    }
  }, 300_000);

  it('is upgraded with its settings kept, and removed without a rule left', async () => {
    const before = router.read(CONFIG);
    expect(await router.install(ipk, true)).toMatchObject({ code: 0, out: expect.stringMatching(/^stop\nopen/) });
    expect(router.read(CONFIG)).toBe(before);
    expect(router.read('tmp/uci').match(/hearthline_wan=rule/g)).toHaveLength(1);
    const upgrade = await router.run(['PKG_UPGRADE=1'], '/bin/sh', '/tmp/opkg/control/prerm', 'upgrade');
    expect(upgrade).toEqual({ code: 0, out: '', error: '' });
    const gone = await router.run([], '/bin/sh', '/tmp/opkg/control/prerm', 'remove');
    expect(gone).toMatchObject({ code: 0, out: 'stop\ncommit firewall\n' });
    expect(router.read('tmp/uci')).not.toContain('hearthline');
  }, 60_000);
});
