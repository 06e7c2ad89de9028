/** Bad bundles and RAUC: each is refused, with a reason that the gateway's own words keep apart. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readInfo, refusalIn } from '#device/updater/rauc.ts';
import { COMPATIBLE } from '#images/raspberry-pi/boot/layout.ts';
import { bundleManifest, writeBundle } from '#images/raspberry-pi/bundle.ts';
import { type Authority, makeAuthority } from '#images/raspberry-pi/dev-ca.ts';
import { hashTree } from '#images/raspberry-pi/verity.ts';
import { seed } from '#test/support/seed.ts';
import { numbers } from './power-cut.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-bundles-'));
const at = (name: string) => join(folder, name);
const random = numbers(seed);
const slot = Uint8Array.from({ length: 40_960 }, () => Math.floor(random() * 256));
let ours: Authority;
let good: Buffer;
/** Length of the signature at the end of the good bundle, without the eight bytes that say it. */
let signed: number;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  ours = makeAuthority(at('ours'));
  const conf = readFileSync(join(import.meta.dirname, '../../images/raspberry-pi/boot/system.conf'), 'utf8');
  writeFileSync(
    at('system.conf'),
    conf.replace('/etc/rauc/keyring.pem', ours.keyring).replace('/data/lib/rauc', folder),
  );
  writeBundle(slot, '1.1.0', ours, at('good.raucb'));
  good = readFileSync(at('good.raucb'));
  signed = Number(good.readBigUInt64BE(good.length - 8));
});

/** RAUC's answer about a bundle: what it says of it, or the code of its refusal. */
function judge(file: string): string {
  const told = spawnSync('rauc', [`--conf=${at('system.conf')}`, 'info', '--output-format=json', file], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (told.status === 0) return `taken: ${readInfo(told.stdout)?.board} ${readInfo(told.stdout)?.version}`;
  return refusalIn(told.stderr, 'update_damaged').code;
}
/** Everything that RAUC reads out of a bundle before it installs it, the certificates aside. */
const facts = (file: string) =>
  execFileSync('rauc', [`--conf=${at('system.conf')}`, 'info', file], { encoding: 'utf8', stdio: 'pipe' }).split(
    'Certificate Chain',
  )[0];
function judgeBytes(bytes: Uint8Array): string {
  writeFileSync(at('bad.raucb'), bytes);
  return judge(at('bad.raucb'));
}
const signedBy = (authority: Authority | { certificate: string; key: string }, name: string) => {
  writeBundle(slot, '1.1.0', authority, at(name));
  return judge(at(name));
};

describe('a bundle for RAUC', () => {
  test('that is ours is taken', () => expect(judge(at('good.raucb'))).toBe(`taken: ${COMPATIBLE} 1.1.0`));

  test('of a foreign authority, expired, not valid yet, for another purpose or without its chain is not trusted', () => {
    expect(signedBy(makeAuthority(at('foreign')), 'foreign.raucb')).toBe('update_untrusted');
    const { keyring, key } = ours;
    expect(signedBy({ certificate: ours.certificate, key }, 'chain.raucb')).toBe('update_untrusted');
    expect(signedBy({ certificate: keyring, key: join(folder, 'ours/root.key') }, 'purpose.raucb')).toBe(
      'update_untrusted',
    );
  });

  test.each([
    ['expired', '20240101000000Z', '20240601000000Z'],
    ['early', '20900101000000Z', '20910101000000Z'],
  ])('signed outside its signer’s time (%s) is refused as such', (name, from, until) => {
    const authority = makeAuthority(at(name), { from, until });
    copyFileSync(at('system.conf'), at('kept.conf'));
    writeFileSync(at('system.conf'), readFileSync(at('kept.conf'), 'utf8').replace(ours.keyring, authority.keyring));
    try {
      expect(signedBy(authority, `${name}.raucb`)).toBe('update_expired');
    } finally {
      copyFileSync(at('kept.conf'), at('system.conf'));
    }
  });

  test('for another board says so', () => {
    writeBundle(slot, '1.1.0', ours, at('board.raucb'), 'hearthline-other-board');
    expect(judge(at('board.raucb'))).toBe('taken: hearthline-other-board 1.1.0');
  });

  test('in the format whose content no hash tree guards is refused', () => {
    mkdirSync(at('plain'));
    writeFileSync(at('plain/slot.img'), slot);
    writeFileSync(at('plain/manifest.raucm'), bundleManifest('1.1.0').replace('format=verity', 'format=plain'));
    const signer = [`--cert=${ours.certificate}`, `--key=${ours.key}`, `--intermediate=${ours.intermediate}`];
    execFileSync('rauc', ['bundle', ...signer, at('plain'), at('plain.raucb')], { stdio: 'pipe' });
    expect(judge(at('plain.raucb'))).not.toMatch(/^taken/);
  });

  test('with a changed byte of its signature is refused (20 places)', () => {
    // The value of the signature is the last thing in a CMS message: an ECDSA signature of 70 to 72 octets.
    for (let count = 0; count < 20; count += 1) {
      const bytes = Buffer.from(good);
      const place = good.length - 8 - 64 + Math.floor(random() * 64);
      bytes[place] = (bytes[place] ?? 0) ^ (1 << Math.floor(random() * 8));
      expect(judgeBytes(bytes), `byte ${place} of ${good.length}`).toMatch(/^update_(untrusted|damaged)$/);
    }
  });

  test('with any byte of its signed part changed is refused, or says the very same (60 places)', () => {
    // The root’s certificate travels along and is not looked at (the gateway has its own), so changes to it mean nothing.
    let refused = 0;
    for (let count = 0; count < 60; count += 1) {
      const bytes = Buffer.from(good);
      const place = good.length - 8 - signed + Math.floor(random() * signed);
      bytes[place] = (bytes[place] ?? 0) ^ (1 << Math.floor(random() * 8));
      writeFileSync(at('flip.raucb'), bytes);
      if (judge(at('flip.raucb')).startsWith('taken')) expect(facts(at('flip.raucb'))).toBe(facts(at('good.raucb')));
      else refused += 1;
    }
    expect(refused).toBeGreaterThan(30);
  });

  test('cut off anywhere is refused (20 lengths, the empty file among them)', () => {
    for (let count = 0; count < 20; count += 1) {
      const length = count === 0 ? 0 : Math.floor(random() * good.length);
      expect(judgeBytes(good.subarray(0, length)), `${length} of ${good.length}`).not.toMatch(/^taken/);
    }
  });

  test('that lies about the length of its signature is refused', () => {
    for (const length of [
      0n,
      1n,
      BigInt(signed) - 1n,
      BigInt(signed) + 1n,
      BigInt(good.length),
      1n << 40n,
      (1n << 64n) - 1n,
    ]) {
      const bytes = Buffer.from(good);
      bytes.writeBigUInt64BE(length, good.length - 8);
      expect(judgeBytes(bytes), String(length)).not.toMatch(/^taken/);
    }
  });

  test('with a changed byte of payload or hash tree, or another bundle’s signature, breaks its hash tree', () => {
    const told = execFileSync('rauc', [`--conf=${at('system.conf')}`, 'info', at('good.raucb')], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    const [, salt = ''] =
      told.match(/Verity Salt: +\t?'([0-9a-f]+)'/) ?? told.match(/Verity Salt:\s+'([0-9a-f]+)'/) ?? [];
    const [, root = ''] = told.match(/Verity Hash:\s+'([0-9a-f]+)'/) ?? [];
    const [, tree = ''] = told.match(/Verity Size:\s+'?(\d+)/) ?? [];
    const payload = good.length - 8 - signed - Number(tree);
    const whole = (bytes: Buffer) => {
      const made = hashTree(bytes.subarray(0, payload), Buffer.from(salt, 'hex'));
      return made.root === root && bytes.subarray(payload, payload + made.tree.length).equals(made.tree);
    };
    expect(whole(good)).toBe(true);
    for (let count = 0; count < 20; count += 1) {
      const bytes = Buffer.from(good);
      const place = Math.floor(random() * (payload + Number(tree)));
      bytes[place] = (bytes[place] ?? 0) ^ (1 << Math.floor(random() * 8));
      expect(whole(bytes), `byte ${place}`).toBe(false);
    }
    writeBundle(
      slot.map((byte) => byte ^ 1),
      '1.2.0',
      ours,
      at('other.raucb'),
    );
    const other = readFileSync(at('other.raucb'));
    expect(
      whole(Buffer.concat([other.subarray(0, payload + Number(tree)), good.subarray(payload + Number(tree))])),
    ).toBe(false);
  });
});
