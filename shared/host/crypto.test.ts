import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import { hex as hexOf, utf8 } from '../kernel/bytes.ts';
import type { IssueOptions } from '../kernel/world.ts';
import { hostCrypto } from './crypto.ts';
import { keyHashOf, REQUEST_LIMIT } from './crypto-x509.ts';

const crypto = hostCrypto();
const START = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

async function authority() {
  const key = await crypto.createKey();
  const certificate = await crypto.issue({
    subject: 'Test authority',
    publicKey: key.publicKey,
    signer: key.privateKey,
    notBefore: 0,
    notAfter: START + 3650 * DAY,
    use: 'authority',
  });
  return { key, certificate };
}

async function issued(more: Partial<IssueOptions> = {}) {
  const ca = await authority();
  const key = await crypto.createKey();
  const certificate = await crypto.issue({
    subject: 'gw_one',
    publicKey: key.publicKey,
    issuer: ca.certificate,
    signer: ca.key.privateKey,
    notBefore: START,
    notAfter: START + 90 * DAY,
    use: 'client',
    ...more,
  });
  return { ca, key, certificate };
}

describe('certificates', () => {
  test('carry what was asked, and nothing else', async () => {
    const { key, certificate } = await issued();
    const facts = await crypto.readCertificate(certificate);
    expect(facts).toMatchObject({
      subject: 'gw_one',
      keyHash: key.keyHash,
      notBefore: START,
      notAfter: START + 90 * DAY,
    });
    expect(facts?.serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  test('are believed by another implementation, in their time and for their use', async () => {
    for (const use of ['client', 'server'] as const) {
      const { ca, certificate } = await issued({ use, names: ['gateway.example', '192.0.2.7', '2001:db8::7'] });
      const read = new X509Certificate(certificate);
      const root = new X509Certificate(ca.certificate);
      expect(read.checkIssued(root)).toBe(true);
      expect(read.verify(root.publicKey)).toBe(true);
      expect(read.ca).toBe(false);
      expect(root.ca).toBe(true);
      expect(read.keyUsage).toEqual([use === 'client' ? '1.3.6.1.5.5.7.3.2' : '1.3.6.1.5.5.7.3.1']);
      expect(read.checkHost('gateway.example')).toBe('gateway.example');
      expect(read.checkHost('other.example')).toBeUndefined();
      expect(read.checkIP('192.0.2.7')).toBe('192.0.2.7');
      expect(read.checkIP('2001:db8::7')).toBe('2001:db8::7');
      expect(read.checkIP('2001:db8::8')).toBeUndefined();
    }
  });

  test.skipIf(spawnSync('openssl', ['version']).status !== 0)('pass the strict check of openssl', async () => {
    const { ca, certificate } = await issued({ use: 'server', names: ['localhost'] });
    const folder = mkdtempSync(join(tmpdir(), 'hearthline-crypto-'));
    try {
      writeFileSync(`${folder}/leaf.pem`, certificate);
      writeFileSync(`${folder}/ca.pem`, ca.certificate);
      const at = String(START / 1000 + 60);
      const strict = ['verify', '-x509_strict', '-attime', at, '-CAfile', `${folder}/ca.pem`, `${folder}/leaf.pem`];
      const run = spawnSync('openssl', strict);
      expect(run.stdout.toString()).toContain('OK');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('of years from 2050 on use the other form of time', async () => {
    const { certificate } = await issued({ notBefore: 0, notAfter: 253_402_300_799_000 });
    const read = new X509Certificate(certificate);
    expect(read.validFromDate.getTime()).toBe(0);
    expect(read.validToDate.getTime()).toBe(253_402_300_799_000);
  });

  test('never share a serial number', async () => {
    const serials = new Set<string | undefined>();
    for (let i = 0; i < 200; i++) serials.add((await crypto.readCertificate((await issued()).certificate))?.serial);
    expect(serials.size).toBe(200);
  });

  test('are made of P-256 keys and short names only', async () => {
    const { ca } = await issued();
    const options = { signer: ca.key.privateKey, notBefore: 0, notAfter: START, use: 'client' } as const;
    await expect(crypto.issue({ ...options, subject: 'x', publicKey: utf8('no key') })).rejects.toThrow('P-256');
    await expect(crypto.issue({ ...options, subject: 'x'.repeat(65), publicKey: ca.key.publicKey })).rejects.toThrow(
      '64',
    );
    await expect(crypto.issue({ ...options, subject: '', publicKey: ca.key.publicKey })).rejects.toThrow('64');
  });

  test('are none where the text is none', async () => {
    for (const text of ['', 'no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      expect(await crypto.readCertificate(text)).toBeUndefined();
    }
  });
});

describe('requests', () => {
  test('tell who asks and prove the key', async () => {
    const key = await crypto.createKey();
    const read = await crypto.readRequest(await crypto.createRequest(key, 'gw_ö'));
    expect(read).toMatchObject({ subject: 'gw_ö', keyHash: key.keyHash });
    expect(read?.keyHash).toBe(keyHashOf(key.publicKey));
  });

  test('signed by another key than they ask for are refused', async () => {
    const [mine, other] = [await crypto.createKey(), await crypto.createKey()];
    const forged = await crypto.createRequest({ ...mine, publicKey: other.publicKey }, 'gw_one');
    expect(await crypto.readRequest(forged)).toBeUndefined();
  });

  test('longer than the limit are not looked at', async () => {
    const request = await crypto.createRequest(await crypto.createKey(), 'gw_one');
    expect(await crypto.readRequest(request + '\n'.repeat(REQUEST_LIMIT - request.length))).toBeDefined();
    expect(await crypto.readRequest(request + '\n'.repeat(REQUEST_LIMIT - request.length + 1))).toBeUndefined();
  });

  test('of another curve are refused', () => {
    const run = spawnSync('openssl', [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-384',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      '/CN=gw_one',
    ]);
    if (run.status !== 0) return;
    return expect(crypto.readRequest(run.stdout.toString())).resolves.toBeUndefined();
  });

  test('of another implementation are read', async () => {
    const run = spawnSync('openssl', [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      '/CN=gw_one',
    ]);
    if (run.status !== 0) return;
    expect((await crypto.readRequest(run.stdout.toString()))?.subject).toBe('gw_one');
  });

  test('changed in any octet are refused, whatever the change', async () => {
    const key = await crypto.createKey();
    const request = await crypto.createRequest(key, 'gw_one');
    const octets = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
    await fc.assert(
      fc.asyncProperty(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(octets);
        changed[at] = (changed[at] ?? 0) ^ change;
        const lines = changed.toString('base64').match(/.{1,64}/g) ?? [];
        const text = `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
        const read = await crypto.readRequest(text);
        expect(read).toBeUndefined();
      }),
      { numRuns: 400 },
    );
  });

  test('that are any text at all throw nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (octets) => {
        const body = Buffer.from(octets).toString('base64');
        const text = `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
        expect(await crypto.readRequest(text)).toBeUndefined();
        expect(await crypto.readRequest(body)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

describe('primitives', () => {
  test('a text is hashed octet by octet, whatever its characters, in both worlds', () => {
    const world = new VirtualWorld({ seed: 1 });
    const worlds = [crypto, world.host('a', ['10.0.0.1']).crypto];
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom('md5' as const, 'sha256' as const, 'sha1' as const),
        (octets, name) => {
          const text = String.fromCharCode(...octets);
          for (const one of worlds)
            expect(one.hashText(name, text)).toBe(hexOf(crypto.hash(name, Uint8Array.from(octets))));
        },
      ),
    );
  });

  test('signatures are checked against key and data', async () => {
    const [key, other] = [await crypto.createKey(), await crypto.createKey()];
    const signature = await crypto.sign(key.privateKey, utf8('yes'));
    expect(signature.length).toBe(64);
    expect(await crypto.verify(key.publicKey, utf8('yes'), signature)).toBe(true);
    expect(await crypto.verify(key.publicKey, utf8('no'), signature)).toBe(false);
    expect(await crypto.verify(other.publicKey, utf8('yes'), signature)).toBe(false);
    expect(await crypto.verify(utf8('no key'), utf8('yes'), signature)).toBe(false);
  });

  test('hashes are the published ones (RFC 1321, FIPS 180-4, RFC 4231 case 2)', () => {
    const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex');
    expect(hex(crypto.hash('md5', utf8('abc')))).toBe('900150983cd24fb0d6963f7d28e17f72');
    expect(hex(crypto.hash('sha1', utf8('abc')))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
    expect(hex(crypto.hash('sha256', utf8('abc')))).toMatch(/^ba7816bf8f01cfea414140de5dae2223/);
    expect(hex(crypto.hmac('sha256', utf8('Jefe'), utf8('what do ya want for nothing?')))).toMatch(/^5bdcc146bf60754e/);
  });

  test('equality is of length and content', () => {
    expect(crypto.equal(utf8('a'), utf8('a'))).toBe(true);
    expect(crypto.equal(utf8('a'), utf8('b'))).toBe(false);
    expect(crypto.equal(utf8('a'), utf8('ab'))).toBe(false);
  });

  test('a password has one hash per salt, whichever way its letters are composed', async () => {
    const salt = new Uint8Array(16);
    const hash = await crypto.passwordHash('caf\u00e9', salt);
    expect(hash.length).toBe(32);
    expect(await crypto.passwordHash('cafe\u0301', salt)).toEqual(hash);
    expect(await crypto.passwordHash('caf\u00e9', Uint8Array.of(1, ...salt.subarray(1)))).not.toEqual(hash);
    expect(await crypto.passwordHash('cafe', salt)).not.toEqual(hash);
  });
});
