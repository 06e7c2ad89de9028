/** `hearthline flash` as its user runs it, on files in the place of cards. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '#shared/host/config.ts';
import { readManifest, writeManifest } from '#shared/protocol/image-manifest.ts';
import type { Command } from './command.ts';
import { settingsText } from './flash/settings.ts';
import { Interrupted, Target, writeImage } from './flash/write.ts';
import { flashCommand } from './flash.ts';
import { flashKeyCommand, flashSignCommand } from './flash-sign.ts';

const MIB = 1024 * 1024;
const tools = ['/usr/sbin/mkfs.vfat', '/usr/bin/mtype'].every((tool) => existsSync(tool));
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

let folder: string;
/** The content of the release: a partition table, a FAT of 8 MiB, some octets behind it. */
let content: Buffer;
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flash-'));
  content = Buffer.alloc(12 * MIB + 512);
  content.writeUInt8(0x0c, 450);
  content.writeUInt32LE(2048, 454);
  content.writeUInt32LE((8 * MIB) / 512, 458);
  content.writeUInt16BE(0x55aa, 510);
  for (let i = 9.5 * MIB; i < content.length; i += 8) content.writeDoubleLE(i * Math.PI, i);
  if (tools) {
    writeFileSync(at('fat'), Buffer.alloc(8 * MIB));
    execFileSync('/usr/sbin/mkfs.vfat', ['-F', '16', '-s', '1', at('fat')], { stdio: 'ignore' });
    content.set(readFileSync(at('fat')), MIB);
  }
  writeFileSync(at('gw.img'), content);
  const packed = zstdCompressSync(content);
  writeFileSync(at('gw.img.zst'), packed);
  const facts = {
    version: '1.2.3',
    date: '2026-11-22',
    url: 'https://example.invalid/gw.img.zst',
    icon: 'https://example.invalid/icon.png',
    extract: { size: content.length, sha256: sha256(content) },
    download: { size: packed.length, sha256: sha256(packed) },
  };
  writeFileSync(at('gw.manifest.json'), writeManifest(facts));
  for (const name of ['key', 'other']) expect((await run(flashKeyCommand, at(name))).code).toBe(0);
  expect((await run(flashSignCommand, at('gw.manifest.json'), at('key'))).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  for (const name of ['card', 'bad.img.zst', 'bad.manifest.json', 'bad.sig']) rmSync(at(name), { force: true });
});

async function run(command: Command, ...argv: string[]) {
  const said: string[] = [];
  const input = readConfig(argv, command.options, {});
  if (!input.ok) throw new Error(input.fault);
  const out = (text: string) => void said.push(text);
  const code = await command.run(input.value, {
    out,
    error: out,
    environment: {},
    unread: new AbortController().signal,
  });
  return { code, said: said.join('\n') };
}
const flash = (...argv: string[]) => run(flashCommand, ...argv);
const signed = (...more: string[]) => flash(at('gw.img.zst'), at('card'), '--key', at('key.pub'), ...more);

describe('a card', () => {
  test('gets the image, whole, and keeps nothing of what was there', async () => {
    writeFileSync(at('card'), Buffer.alloc(15 * MIB, 7));
    const { code, said } = await signed();
    expect([code, said]).toEqual([0, expect.stringContaining('is ready and was read back')]);
    expect(said).toContain('to pair it, name the cloud in hearthline.json');
    expect(readFileSync(at('card')).equals(content)).toBe(true);
    expect((await signed('--verify')).said).toContain('octet by octet');
  });

  test('gets one that is not compressed as well, and tells programs what it does', async () => {
    const { code, said } = await flash(at('gw.img'), at('card'), '--key', at('key.pub'), '--json');
    expect(code).toBe(0);
    const events = said.split('\n').map((line) => JSON.parse(line) as { event: string; phase?: string });
    expect(new Set(events.map(({ phase }) => phase))).toEqual(new Set(['check', 'write', 'verify', undefined]));
    expect(events.at(-1)).toMatchObject({ event: 'done', size: content.length, sha256: sha256(content) });
  });

  test.skipIf(!tools)(
    'gets its settings, which another program reads from it; comparing names the partition',
    async () => {
      const flags = [
        '--wifi',
        'Elm Street',
        '--wifi-password',
        'correct horse',
        '--country',
        'de',
        '--claim',
        `hlc_${'0'.repeat(32)}`,
      ];
      const cloud = `https://cloud.example#sha256-${'ab'.repeat(32)}`;
      expect((await signed('--cloud', cloud)).said).toContain('it shows its pairing code');
      const done = await signed(...flags, '--cloud', cloud);
      expect([done.code, done.said]).toEqual([0, expect.stringContaining('it pairs by itself, by its claim')]);
      execFileSync('/bin/dd', [`if=${at('card')}`, `of=${at('fat')}`, 'bs=1M', 'skip=1', 'count=8'], {
        stdio: 'ignore',
      });
      execFileSync('/usr/sbin/fsck.vfat', ['-n', at('fat')], { stdio: 'ignore' });
      expect(JSON.parse(execFileSync('/usr/bin/mtype', ['-i', at('fat'), '::hearthline.json']).toString())).toEqual({
        country: 'DE',
        wifi: { mode: 'client', ssid: 'Elm Street', password: 'correct horse' },
        cloud,
        claim: `hlc_${'0'.repeat(32)}`,
      });
      const compared = await signed('--verify', '--json');
      expect([compared.code, JSON.parse(compared.said.split('\n').at(-1) ?? '')]).toMatchObject([
        2,
        { differing: ['partition 1'] },
      ]);
    },
  );

  test('gets another password for the network that its file names', () => {
    const wifi = { mode: 'client', ssid: 'Elm', password: 'battery staple' };
    writeFileSync(at('own.json'), JSON.stringify({ country: 'DE', wifi }));
    const text = settingsText({ settings: at('own.json'), 'wifi-mode': 'client', 'wifi-password': 'correct horse' });
    expect(text.ok && JSON.parse(text.value ?? '')).toMatchObject({ wifi: { ssid: 'Elm', password: 'correct horse' } });
  });

  test('gets nothing while its settings are wrong', async () => {
    writeFileSync(at('bad.json'), '{\n "wifi": {"mode": "client", "ssid": "x",}\n}');
    const { code, said } = await signed('--settings', at('bad.json'));
    expect([code, said]).toEqual([3, expect.stringContaining('bad.json: line 2')]);
    expect((await signed('--wifi', 'x', '--wifi-password', 'correct horse')).said).toContain('give --country DE');
    expect((await signed('--wifi', 'x', '--country', 'DE')).said).toContain('set HEARTHLINE_WIFI_PASSWORD');
    const alone = await signed('--wifi-password', 'correct horse');
    expect([alone.code, alone.said]).toEqual([3, '--wifi-password is given without --wifi: name the network as well.']);
    writeFileSync(at('own.json'), '{"hostname": "elm"}');
    const beside = await signed('--settings', at('own.json'), '--wifi-password', 'correct horse');
    expect([beside.code, beside.said]).toEqual([3, alone.said]);
    writeFileSync(at('own.json'), '{"country": "DE", "wifi": {"mode": "client", "ssid": "Elm"}}');
    expect((await signed('--settings', at('own.json'))).code).toBe(3);
    const off = await signed('--wifi-mode', 'off', '--wifi-password', 'correct horse');
    expect([off.code, off.said]).toEqual([3, expect.stringContaining('--wifi-mode off')]);
    expect((await signed('--cloud', 'https://x#sha256-…')).said).toContain('cloud: Behind # stands sha256-');
    expect((await signed('--address', '192.0.2.1/24')).said).toContain('gateway');
    expect(existsSync(at('card'))).toBe(false);
  });
});

describe('an image is not taken', () => {
  /** Another image with the same manifest and signature; of those one may be missing, or be another. */
  const spoil = (change: (data: Buffer) => Buffer, other?: 'sig' | 'manifest.json', text?: string) => {
    for (const end of ['.manifest.json', '.sig']) copyFileSync(at(`gw${end}`), at(`bad${end}`));
    writeFileSync(at('bad.img.zst'), change(readFileSync(at('gw.img.zst'))));
    if (other !== undefined) rmSync(at(`bad.${other}`));
    if (text !== undefined) writeFileSync(at(`bad.${other}`), text);
  };
  const bad = (...more: string[]) => flash(at('bad.img.zst'), at('card'), '--key', at('key.pub'), ...more);
  const same = (data: Buffer) => data;

  test.each<[string, () => void, string]>([
    [
      'when one octet is another',
      () => spoil((data) => Buffer.from(data.map((octet, i) => (i === 5_000 ? octet ^ 1 : octet)))),
      'SHA-256 differs',
    ],
    ['when it is cut off', () => spoil((data) => data.subarray(0, -1)), 'not downloaded whole'],
    ['when it has a tail', () => spoil((data) => Buffer.concat([data, Buffer.of(0)])), 'not downloaded whole'],
    ['without a manifest', () => spoil(same, 'manifest.json'), 'manifest.json is missing'],
    ['without a signature', () => spoil(same, 'sig'), 'not signed'],
    ['with a signature that is none', () => spoil(same, 'sig', 'x'), 'signature is wrong'],
    [
      'with a manifest that was changed after it was signed',
      () => spoil(same, 'manifest.json', readFileSync(at('gw.manifest.json'), 'utf8').replace('1.2.3', '1.2.4')),
      'signature is wrong',
    ],
    ['with a manifest that is none', () => spoil(same, 'manifest.json', '{'), 'signature is wrong'],
  ])('%s', async (_, prepare, words) => {
    prepare();
    const { code, said } = await bad();
    expect(code).toBeGreaterThan(1);
    expect(said).toContain(words);
    expect(existsSync(at('card'))).toBe(false);
  });

  test('signed by others, or with no key to check it by', async () => {
    expect((await flash(at('gw.img.zst'), at('card'), '--key', at('other.pub'))).said).toContain('signature is wrong');
    expect((await flash(at('gw.img.zst'), at('card'))).said).toContain('--key FILE');
    expect((await flash(at('gw.img.zst'), at('card'), '--key', at('key'))).said).toContain('no public key');
    expect(existsSync(at('card'))).toBe(false);
    expect((await flash(at('gw.img.zst'), at('card'), '--key', `${at('other.pub')},${at('key.pub')}`)).code).toBe(0);
  });

  test('unsigned, unless the person says so; its hash counts all the same', async () => {
    spoil((data) => Buffer.from(data.map((octet, i) => (i === 5_000 ? octet ^ 1 : octet))));
    expect((await bad('--unsigned')).said).toContain('SHA-256 differs');
    rmSync(at('bad.manifest.json'));
    spoil((data) => data.subarray(0, data.length >> 1));
    rmSync(at('bad.manifest.json'));
    expect((await bad('--unsigned')).said).toContain('cut off or damaged');
    expect((await flash(at('gw.img.zst'), at('card'), '--unsigned')).code).toBe(0);
  });

  test('when it is none, though the person takes it unsigned', async () => {
    writeFileSync(at('card'), 'kept');
    for (const [octets, words] of [
      [Buffer.from('#!/bin/sh\n'), 'no partition table'],
      [Buffer.alloc(0), 'no partition table'],
      [Buffer.alloc(MIB, 7), 'no partition table'],
      [zstdCompressSync(Buffer.alloc(MIB, 7)), 'no partition table'],
      [zstdCompressSync(content).fill(7, 4, 40), 'cannot be unpacked'],
      [content.with(450, 0x83) as Uint8Array, 'the first partition is no FAT (type 83)'],
    ] as const) {
      writeFileSync(at('bad.img.zst'), octets);
      const { code, said } = await bad('--unsigned');
      expect([code, said]).toEqual([2, expect.stringContaining(words)]);
    }
    expect(readFileSync(at('card'), 'utf8')).toBe('kept');
  });

  test('for another board, or whose content is another than its manifest says: the card starts nothing', async () => {
    const text = readFileSync(at('gw.manifest.json'), 'utf8');
    expect(readManifest(text.replace('"rpi-arm64"', '"other"'))).toMatchObject({
      fault: 'the image is for other, not for rpi-arm64',
    });
    spoil(same);
    for (const [from, to] of [
      [sha256(content), 'ab'.repeat(32)],
      [String(content.length), String(content.length - 512)],
    ] as const) {
      writeFileSync(at('bad.manifest.json'), text.replace(from, to));
      expect((await bad('--unsigned')).said).toMatch(/content is not what|holds more than/);
      expect(readFileSync(at('card')).subarray(0, MIB).equals(Buffer.alloc(MIB))).toBe(true);
    }
  });
});

describe('writing', () => {
  test('that is interrupted leaves no partition table', async () => {
    await using image = await open(at('gw.img.zst'));
    const target = await Target.open(at('card'), false);
    let blocks = 0;
    const job = { image, size: content.length, told: () => void blocks++, stopped: () => blocks >= 2 };
    await expect(writeImage(target, job)).rejects.toThrow(Interrupted);
    await target.close();
    const left = readFileSync(at('card'));
    expect(left.subarray(0, MIB).equals(Buffer.alloc(MIB))).toBe(true);
    expect(left.length).toBeLessThanOrEqual(8 * MIB);
  });

  test('to a device that is full, gone or forbidden gets words', async () => {
    const full = await Target.open('/dev/full', false);
    await expect(full.write(4_096, Buffer.alloc(10))).rejects.toThrow('/dev/full is full at 4.1 kB');
    await full.close();
    await expect(Target.open('/dev/no-such-disk', true)).rejects.toThrow('is gone');
    await expect(Target.open(at('no/such/folder'), false)).rejects.toThrow('is gone');
  });

  test('reads back and finds what the card has lost', async () => {
    const { firstDifference } = await import('./flash/write.ts');
    await using image = await open(at('gw.img.zst'));
    let target = await Target.open(at('card'), false);
    const job = { image, size: content.length, told: () => {}, stopped: () => false };
    const written = await writeImage(target, job);
    await written.finish();
    expect(await firstDifference(target, written, job)).toBeUndefined();
    await target.write(9 * MIB + 5, Buffer.of(0xff));
    expect(await firstDifference(target, written, job)).toBe(8 * MIB);
    await target.close();
    truncateSync(at('card'), 6 * MIB);
    target = await Target.open(at('card'), false);
    expect(await firstDifference(target, written, job)).toBe(4 * MIB);
    await target.close();
  });
});

test('--check says line, fault and fix of a settings file', async () => {
  writeFileSync(at('good.json'), '{"country": "DE"}');
  writeFileSync(at('wrong.json'), '{\n"country": DE}');
  expect(await flash('--check', at('good.json'))).toEqual({ code: 0, said: `${at('good.json')}: good.` });
  const wrong = await flash('--check', at('wrong.json'));
  expect(wrong).toEqual({
    code: 2,
    said: `${at('wrong.json')}: line 2, column 12: DE stands without quotes. Write "DE".`,
  });
  expect((await flash('--check', at('wrong.json'), '--json')).said).toContain('"good":false');
  for (const words of [['--check'], ['--check', at('none.json')], ['one'], ['a', 'b', 'c']])
    expect((await flash(...words)).code).toBe(3);
});
