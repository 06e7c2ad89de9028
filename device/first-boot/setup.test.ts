/** The first step of a start on real folders: what it reads, writes, keeps, and answers on the boot partition. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runSetup, type SetupPlaces, tellStage } from './adapter-setup.ts';
import { standing } from './stages.ts';

const CLAIM = `hlc_${'0'.repeat(32)}`;
const good = {
  hostname: 'elm',
  country: 'DE',
  wifi: { mode: 'client', ssid: 'Elm', password: 'correct horse' },
  proxy: 'http://proxy.example:3128',
  ntp: ['time.example'],
  cloud: `https://cloud.example#sha256-${'ab'.repeat(32)}`,
  claim: CLAIM,
  forget: true,
};

let folder: string;
let places: SetupPlaces;
const at = (path: string) => join(folder, path);
const put = (path: string, text: string) => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};
const read = (path: string) => readFileSync(at(path), 'utf8');
const json = (path: string) => JSON.parse(read(path)) as Record<string, unknown>;
const mode = (path: string) => (statSync(at(path)).mode & 0o777).toString(8);
const setup = () => runSetup(places, { state: '/data/hearthline', page: ':80' });
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'));
  places = { boot: at('boot'), data: at('data'), run: at('run'), etc: at('etc'), sys: at('sys'), proc: at('proc') };
  for (const name of ['boot', 'data', 'run']) mkdirSync(at(name));
  put('proc/sys/kernel/hostname', 'localhost\n');
  put('proc/cmdline', 'console=ttyS1 rauc.slot=B hearthline.slot=B hearthline.attempt=1\n');
  put('proc/self/mountinfo', '');
  put('etc/hearthline/image.json', '{"version": "1.2.3", "board": "rpi-arm64"}');
  for (const name of ['eth0', 'wlan0']) put(`sys/class/net/${name}/device/vendor`, '');
  mkdirSync(at('sys/class/net/wlan0/phy80211'), { recursive: true });
  mkdirSync(at('sys/class/net/lo'), { recursive: true });
  symlinkSync('/sys/bus/sdio/drivers/brcmfmac', at('sys/class/net/wlan0/device/driver'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a good hearthline.json', () => {
  beforeEach(() => put('boot/hearthline.json', JSON.stringify(good, undefined, 2)));

  test('gives agent, network and claim what they start with', () => {
    expect(setup()).toMatchObject({ source: 'file', problems: [], faults: [], version: '1.2.3, slot B' });
    expect(json('data/hearthline/device.json')).toEqual({
      state: '/data/hearthline',
      page: ':80',
      cloud: good.cloud,
      proxy: good.proxy,
    });
    expect(json('data/hearthline/claim.json')).toEqual({ claim: CLAIM });
    expect(read('run/hearthline/net/wpa.conf')).toContain('correct horse');
    expect(read('run/systemd/timesyncd.conf.d/10-settings.conf')).toContain('time.example');
    expect(read('proc/sys/kernel/hostname')).toMatch(/^elm/);
    for (const path of [
      'data/hearthline/claim.json',
      'data/hearthline-net/settings.json',
      'data/hearthline-net/kept.json',
      'run/hearthline/net/wpa.conf',
    ])
      expect([path, mode(path)]).toEqual([path, '600']);
  });

  test('is answered beside it, and leaves no secret on the card', () => {
    setup();
    const card = readdirSync(at('boot'))
      .map((name) => read(`boot/${name}`))
      .join('\n');
    expect(card).not.toMatch(/hlc_|horse/);
    expect(json('boot/hearthline.json')).toEqual({ ...good, claim: null, wifi: { ...good.wifi, password: null } });
    const answer = read('boot/hearthline-status.txt');
    for (const words of [
      'image 1.2.3, slot B',
      'is in force',
      'Name: elm',
      'joins Elm (DE)',
      'Claim: taken',
      'https://cloud.example',
    ])
      expect(answer).toContain(words);
    expect(answer.replaceAll('\r\n', '')).not.toContain('\n');
  });

  test('stays in force at the next start, with nothing written anew to the card’s settings', () => {
    setup();
    rmSync(at('data/hearthline/claim.json'));
    const [before, kept] = [read('boot/hearthline.json'), read('data/hearthline-net/kept.json')];
    expect(setup()).toMatchObject({ source: 'file', problems: [] });
    expect([read('boot/hearthline.json'), read('data/hearthline-net/kept.json')]).toEqual([before, kept]);
    expect(read('run/hearthline/net/wpa.conf')).toContain('correct horse');
    expect(existsSync(at('data/hearthline/claim.json'))).toBe(false);
  });

  test('does not pair again a gateway that has a home', () => {
    put('data/hearthline/pairing.json', '{"at": "paired"}');
    expect(setup().notes.join()).toContain('belongs to a home');
    expect(existsSync(at('data/hearthline/claim.json'))).toBe(false);
  });
});

describe('a bad one', () => {
  test('is told with line and cure, and the last good one stays in force', () => {
    put('boot/hearthline.json', '{"hostname": "elm"}');
    setup();
    put('boot/hearthline.json', '{\n  "hostname": "oak",\n}');
    expect(setup()).toMatchObject({ source: 'kept' });
    const answer = read('boot/hearthline-status.txt');
    expect(answer).toContain('has mistakes and was NOT used');
    expect(answer).toContain('line 2, column 20: a comma before }. Take the comma out.');
    expect(answer).toContain('Name: elm');
  });

  test('of any size or kind keeps nobody from starting', () => {
    for (const text of ['', '{', '\0\0', 'x'.repeat(100_000), '[]', '{"claim": 7}']) {
      put('boot/hearthline.json', text);
      const report = setup();
      expect(report.problems.length).toBeGreaterThan(0);
      expect(json('data/hearthline/device.json')).toEqual({ state: '/data/hearthline', page: ':80' });
    }
  });
});

test('with nothing at all the defaults are in force, and two gateways share no secret', () => {
  const first = setup();
  expect(first).toMatchObject({ source: 'nothing', problems: [] });
  expect(first.applied.join()).toContain('none is set');
  const kept = read('data/hearthline-net/kept.json');
  rmSync(at('data'), { recursive: true });
  setup();
  expect(read('data/hearthline-net/kept.json')).not.toBe(kept);
});

describe('what Raspberry Pi Imager put onto the card is in force: name, Wi-Fi and country', () => {
  const LINE = 'hearthline.note=the-kernel-line-stands-in-the-slots cfg80211.ieee80211_regdom=DE';
  const CLOUD_INIT: Readonly<Record<string, string>> = {
    'user-data':
      '#cloud-config\nmanage_resolv_conf: false\nhostname: elm\nmanage_etc_hosts: true\npackages:\n- avahi-daemon\nusers:\n- name: pi\n  groups: users,adm\n  lock_passwd: false\n  passwd: $5$x\ntimezone: Europe/Berlin\nruncmd:\n- [ "true" ]\n',
    'network-config':
      'network:\n  version: 2\n  wifis:\n    wlan0:\n      dhcp4: true\n      regulatory-domain: "DE"\n      access-points:\n        "Elm":\n          password: "correct horse"\n      optional: true\n',
    'cmdline.txt': `${LINE} ds=nocloud;i=rpi-imager-1700000000000\n`,
  };
  const SCRIPT: Readonly<Record<string, string>> = {
    'firstrun.sh': `#!/bin/bash\n\nset +e\n\nif [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then\n   /usr/lib/raspberrypi-sys-mods/imager_custom set_hostname elm\nfi\nif [ -f /usr/lib/userconf-pi/userconf ]; then\n   /usr/lib/userconf-pi/userconf 'pi' '$5$x'\nfi\nif [ -f /usr/lib/raspberrypi-sys-mods/imager_custom ]; then\n   /usr/lib/raspberrypi-sys-mods/imager_custom set_wlan 'Elm' 'correct horse'\nfi\nrm -f /boot/firstrun.sh\nexit 0\n`,
    'cmdline.txt': `${LINE} systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target\n`,
  };
  test.each([
    ['as cloud-init reads it', CLOUD_INIT],
    ['as a script, with the country in the kernel line', SCRIPT],
  ])('%s', (_, files) => {
    for (const [name, text] of Object.entries(files)) put(`boot/${name}`, text);
    expect(setup()).toMatchObject({ source: 'imager', problems: [], faults: [] });
    expect(read('run/hearthline/net/wpa.conf')).toMatch(/^country=DE\n[\s\S]*ssid=456c6d\n\s+psk="correct horse"/);
    expect(read('proc/sys/kernel/hostname')).toMatch(/^elm/);
    const answer = read('boot/hearthline-status.txt');
    expect(answer).toContain('Name: elm');
    expect(answer).toContain('joins Elm (DE)');
    expect(answer).toContain('users and SSH');
    expect(answer).not.toContain('horse');
    // What is in force stays so when Imager's files are gone.
    for (const name of Object.keys(files)) rmSync(at(`boot/${name}`));
    expect(setup()).toMatchObject({ source: 'kept' });
    expect(read('run/hearthline/net/wpa.conf')).toContain('correct horse');
  });
});

test('the house’s own network is handed to the agent alone, and its password is not on the card', () => {
  put('boot/hearthline.json', '{"country": "DE", "wifi": {"mode": "access-point", "ssid": "Elm"}}');
  setup();
  const { password } = json('data/hearthline-net/kept.json');
  expect(json('run/hearthline/wifi.json')).toEqual({ ssid: 'Elm', password });
  expect(mode('run/hearthline/wifi.json')).toBe('600');
  expect(read('boot/hearthline-status.txt')).not.toContain(String(password));
});

test('a boot partition that takes no writes costs the answer alone', () => {
  rmSync(at('boot'), { recursive: true });
  writeFileSync(at('boot'), 'no folder');
  expect(setup().faults).toEqual([expect.stringContaining('the boot partition could not be written')]);
  expect(json('data/hearthline/device.json')).toMatchObject({ page: ':80' });
});

test('the stage that the agent has reached follows into the answer, once for each change', () => {
  tellStage(places);
  expect(existsSync(at('boot/hearthline-status.txt'))).toBe(false);
  setup();
  const facts = {
    storage: true,
    links: ['eth0'],
    addresses: [],
    uplink: false,
    timed: false,
    cloudSet: true,
    cloudFound: false,
    pairing: 'unpaired',
    online: false,
  } as const;
  put(
    'run/hearthline/stage.json',
    JSON.stringify({ gateway: 'gw_1', rows: standing(facts).rows, addresses: ['eth0 fe80::1'] }),
  );
  tellStage(places);
  const answer = read('boot/hearthline-status.txt');
  expect(answer).toContain('Hearthline gateway gw_1');
  expect(answer).toMatch(/4 network +done .*\r\n5 address +HERE .*\r\n +Next: Switch the router on/);
  const { mtimeNs } = statSync(at('boot/hearthline-status.txt'), { bigint: true });
  tellStage(places);
  expect(statSync(at('boot/hearthline-status.txt'), { bigint: true }).mtimeNs).toBe(mtimeNs);
});
