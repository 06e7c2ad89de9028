/** What the boot partition's settings come to, with what is kept from earlier starts and what Raspberry Pi Imager wrote. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { ImageSettings } from '#shared/protocol/image-settings.ts';
import { type Decision, decide, type Found, type KeptSettings, readKept } from './decide.ts';
import { type ImagerFiles, readImager } from './imager.ts';

const CLAIM = `hlc_${'0'.repeat(32)}`;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const wifi = { mode: 'client', ssid: 'Elm', password: 'correct horse' } as const;
const run = (file: unknown, more: Partial<Found> = {}): Decision =>
  decide({
    file: file === undefined ? undefined : utf8(typeof file === 'string' ? file : JSON.stringify(file)),
    imager: {},
    kept: {},
    paired: false,
    sha256,
    ...more,
  });

describe('settings', () => {
  test('of a good file are in force and kept, the claim aside', () => {
    const done = run({ country: 'DE', wifi, claim: CLAIM });
    expect(done).toMatchObject({ source: 'file', settings: { country: 'DE', wifi }, claim: CLAIM, problems: [] });
    expect(done.keep).toEqual({ settings: { country: 'DE', wifi }, claim: sha256(CLAIM) });
    expect(done.rewritten).toBe(JSON.stringify({ country: 'DE', wifi, claim: null }));
    expect(JSON.stringify(done.keep)).not.toContain(CLAIM);
  });

  test('of a bad file change nothing: the last good ones stay, and every mistake is told', () => {
    const kept: KeptSettings = { settings: { hostname: 'old' }, claim: 'ab'.repeat(32) };
    const done = run(`{"hostname": "new",\n "claim": "${CLAIM}",}`, { kept });
    expect(done).toMatchObject({ source: 'kept', settings: { hostname: 'old' }, keep: kept });
    expect([done.claim, done.rewritten]).toEqual([undefined, undefined]);
    expect(done.problems).toEqual([expect.stringContaining('line 2, column')]);
    expect(run('{').settings).toEqual({});
    // What Imager wrote is older than they are: it stands in for them only where there are none.
    const imager = { 'user-data': '#cloud-config\nhostname: elm\n' };
    expect(run('{', { kept, imager })).toMatchObject({ source: 'kept', settings: { hostname: 'old' } });
    expect(run('{', { imager })).toMatchObject({ source: 'imager', settings: { hostname: 'elm' } });
  });

  test('stay when the file is gone, and go when it is empty', () => {
    const kept: KeptSettings = { settings: { hostname: 'old' } };
    expect(run(undefined, { kept })).toMatchObject({ source: 'kept', settings: { hostname: 'old' } });
    expect(run({}, { kept })).toMatchObject({ source: 'file', settings: {}, keep: { settings: {} } });
    expect(run(undefined)).toMatchObject({ source: 'nothing', settings: {} });
  });

  test('whose password was taken off the card work on at the next start, for the same network only', () => {
    const first = run({ country: 'DE', wifi, forget: true });
    expect(first.rewritten).not.toContain('horse');
    const again = run(first.rewritten, { kept: first.keep });
    expect(again).toMatchObject({ problems: [], settings: { wifi }, rewritten: undefined });
    const other = run(first.rewritten?.replace('Elm', 'Oak'), { kept: first.keep });
    expect(other).toMatchObject({ source: 'kept', settings: { wifi: { ssid: 'Elm' } } });
    expect(other.problems[0]).toContain('"password": "…"');
    // The password of somebody's network is none for a network of our own that has its name.
    const own = run(first.rewritten?.replace('client', 'access-point'), { kept: first.keep });
    expect(own).toMatchObject({ source: 'kept', settings: { wifi: { mode: 'client' } } });
  });
});

describe('a claim', () => {
  test('that stays on the card is used once; another one is used again', () => {
    const first = run({ claim: CLAIM, forget: false });
    expect([first.claim, first.rewritten]).toEqual([CLAIM, undefined]);
    const second = run({ claim: CLAIM, forget: false }, { kept: first.keep });
    expect([second.claim, second.notes.length]).toEqual([undefined, 1]);
    const other = CLAIM.replace('_0', '_1');
    expect(run({ claim: other, forget: false }, { kept: second.keep }).claim).toBe(other);
  });

  test('is not used by a gateway that has a home, and leaves the card all the same', () => {
    const done = run({ claim: CLAIM }, { paired: true });
    expect([done.claim, done.rewritten]).toEqual([undefined, '{"claim":null}']);
    expect(done.notes.join()).toContain('belongs to a home already');
  });
});

const NETWORK = `network:
  version: 2
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "DE"
      access-points:
        "Elm \\"1\\" Street":
          hidden: true
          password: "${'ab'.repeat(32)}"
      optional: true
`;

describe('what Raspberry Pi Imager writes', () => {
  test.each<[string, ImagerFiles, ImageSettings | undefined]>([
    ['nothing', {}, undefined],
    ['nothing that says anything', { 'user-data': '#cloud-config\n', 'network-config': '' }, undefined],
    [
      'cloud-init',
      { 'network-config': NETWORK, 'user-data': '#cloud-config\nhostname: Elm-1\nmanage_etc_hosts: true\n' },
      {
        hostname: 'elm-1',
        country: 'DE',
        wifi: { mode: 'client', ssid: 'Elm "1" Street', password: 'ab'.repeat(32), hidden: true },
      },
    ],
    [
      'plain and single quotes, CR LF',
      {
        'network-config':
          "a:\r\n  access-points:\r\n    'it''s':\r\n      password: 12345678\r\n  regulatory-domain: gb\r\n",
      },
      { country: 'GB', wifi: { mode: 'client', ssid: "it's", password: '12345678' } },
    ],
    [
      'the script of older versions',
      {
        'firstrun.sh': `   /usr/lib/raspberrypi-sys-mods/imager_custom set_hostname oak\n   /usr/lib/raspberrypi-sys-mods/imager_custom set_wlan  -h 'O'"'"'Hara' 'secret words' 'fr'\n`,
      },
      {
        hostname: 'oak',
        country: 'FR',
        wifi: { mode: 'client', ssid: "O'Hara", password: 'secret words', hidden: true },
      },
    ],
    [
      'the country in the kernel line alone',
      {
        'cmdline.txt':
          'hearthline.note=x cfg80211.ieee80211_regdom=GB cfg80211.ieee80211_regdom=jp ds=nocloud;i=rpi-imager-1\n',
        'network-config': 'n:\n  access-points:\n    "Elm":\n      password: "12345678"\n',
      },
      { country: 'JP', wifi: { mode: 'client', ssid: 'Elm', password: '12345678' } },
    ],
    [
      'another country in the file of the network',
      { 'cmdline.txt': 'cfg80211.ieee80211_regdom=GB', 'network-config': 'regulatory-domain: DE\n' },
      { country: 'DE' },
    ],
    ['our own kernel line', { 'cmdline.txt': 'hearthline.note=the-kernel-line-stands-in-the-slots\n' }, undefined],
    ['no country', { 'cmdline.txt': 'cfg80211.ieee80211_regdom=GBR xcfg80211.ieee80211_regdom=FR' }, undefined],
    ['a network without a password', { 'network-config': 'x:\n  access-points:\n    "open":\n  y: 1\n' }, undefined],
  ])('%s', (_, files, settings) => expect(readImager(files)?.settings).toEqual(settings));

  test('is in force without a file, gives way to what a file says, and tells what it leaves out', () => {
    const imager = {
      'network-config': NETWORK,
      'user-data': 'hostname: elm\nusers:\n- name: pi\ntimezone: Europe/Berlin\n',
    };
    const alone = run(undefined, { imager });
    expect(alone).toMatchObject({ source: 'imager', settings: { hostname: 'elm', country: 'DE' } });
    expect(alone.notes.join()).toMatch(/users and SSH.*time zone/);
    expect(run({ hostname: 'oak' }, { imager }).settings).toMatchObject({
      hostname: 'oak',
      country: 'DE',
      wifi: { mode: 'client' },
    });
  });

  test('that breaks our rules is left out, and said so', () => {
    const imager = {
      'network-config': NETWORK.replace('      regulatory-domain: "DE"\n', ''),
      'user-data': 'hostname: elm\n',
    };
    const done = run(undefined, { imager });
    expect(done.settings).toEqual({ hostname: 'elm' });
    expect(done.notes.join()).toContain('country');
  });

  test('may be any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab:\'"\\ \n-access-points'), maxLength: 60 }), (text) => {
        readImager({
          'network-config': `access-points:\n ${text}`,
          'user-data': text,
          'firstrun.sh': `imager_custom set_wlan ${text}`,
          'cmdline.txt': `cfg80211.ieee80211_regdom=${text}`,
        });
      }),
    );
  });
});

test('what is kept is read back with care', () => {
  const good = { settings: { hostname: 'a' }, claim: 'ab'.repeat(32) };
  expect(readKept(utf8(JSON.stringify(good)))).toEqual(good);
  for (const bad of ['', 'null', '{"settings": {"hostname": 7}, "claim": 7}', '[]'])
    expect(readKept(utf8(bad))).toEqual({});
  expect(readKept(undefined)).toEqual({});
});
