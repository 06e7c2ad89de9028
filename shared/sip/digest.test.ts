import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AUTH_PARAM_LIMIT,
  authorize,
  challenge,
  checkNonce,
  type DigestAlgorithm,
  type DigestCredentials,
  type DigestHash,
  digestHa1,
  makeNonce,
  NONCE_LIFETIME,
  NONCE_WINDOW,
  NonceCounts,
  parseCredentials,
  verify,
} from './digest.ts';
import type { Credentials } from './types.ts';

const hash: DigestHash = (algorithm, text) =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text, 'latin1')
    .digest('hex');
const secret = '07'.repeat(32);

const both = (username: string, realm: string, password: string): Credentials => ({
  username,
  realm,
  ha1: {
    md5: digestHa1('MD5', username, realm, password, hash),
    sha256: digestHa1('SHA-256', username, realm, password, hash),
  },
});
const alice = both('alice', 'home.example', 'secret');
const asked = { method: 'REGISTER', uri: 'sip:home.example', credentials: alice, cnonce: 'abc', nc: 1, hash };

/** RFC 7616 section 3.9.1. */
describe('the examples of RFC 7616', () => {
  it.each<[DigestAlgorithm, string]>([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('%s', (algorithm, response) => {
    const header = `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
    const value = authorize(header, {
      method: 'GET',
      uri: '/dir/index.html',
      credentials: both('Mufasa', 'http-auth@example.org', 'Circle of Life'),
      cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
      nc: 1,
      hash,
    });
    expect(value).toContain(`response="${response}"`);
    expect(value).toContain('opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"');
  });
});

describe('challenge and answer', () => {
  const nonce = makeNonce(1_000_000, secret, hash, 'aa55');
  const challenges = challenge({ realm: 'home.example', nonce });

  it('offer SHA-256 before MD5', () => {
    expect(challenges).toEqual([
      `Digest realm="home.example", nonce="${nonce}", algorithm=SHA-256, qop="auth"`,
      `Digest realm="home.example", nonce="${nonce}", algorithm=MD5, qop="auth"`,
    ]);
    expect(challenge({ realm: 'a"b', nonce, algorithms: ['MD5'], stale: true })).toEqual([
      `Digest realm="a\\"b", nonce="${nonce}", algorithm=MD5, qop="auth", stale=true`,
    ]);
  });

  it.each<[string, string[], string | undefined]>([
    ['the stronger one', challenges.toReversed(), 'SHA-256'],
    ['what there is', challenges.slice(1), 'MD5'],
    ['MD5 where none is named', ['Digest realm="home.example", nonce="x", qop="auth"'], 'MD5'],
    ['nothing of a stranger', challenge({ realm: 'evil.example', nonce }), undefined],
    ['no unknown algorithm', ['Digest realm="home.example", nonce="x", algorithm=SHA-512, qop="auth"'], undefined],
    ['no auth-int', ['Digest realm="home.example", nonce="x", qop="auth-int"'], undefined],
    ['no other scheme', ['Basic realm="home.example"'], undefined],
    ['no challenge without nonce', ['Digest realm="home.example"'], undefined],
    ['nothing malformed', ['Digest realm="home.example', 'Digest', ''], undefined],
  ])('the client takes %s', (_, values, algorithm) => {
    const header = authorize(values, asked);
    expect(header === undefined ? undefined : parseCredentials(header)?.algorithm).toBe(algorithm);
  });

  it('the client takes the first of two that are alike', () => {
    const two = ['one', 'two'].flatMap((name) => challenge({ realm: 'home.example', nonce: name }));
    for (const values of [two, two.filter((one) => one.includes('MD5'))])
      expect(parseCredentials(authorize(values, asked) ?? '')?.nonce).toBe('one');
  });

  it('counts in hexadecimal (RFC 7616 section 3.4)', () => {
    const value = authorize(challenges, { ...asked, nc: 255 }) ?? '';
    expect(parseCredentials(value)?.nc).toBe('000000ff');
    expect(value).toContain('nc=000000ff');
  });

  it('the client answers a server without qop as RFC 2069 has it', () => {
    const value = authorize('Digest realm="home.example", nonce="n"', asked);
    const expected = hash('MD5', `${alice.ha1.md5}:n:${hash('MD5', 'REGISTER:sip:home.example')}`);
    expect(value).toContain(`response="${expected}"`);
    expect(value).not.toContain('qop');
    expect(parseCredentials(value ?? '')).toBeUndefined();
  });

  it.each(['MD5', 'SHA-256'] as const)('the server verifies %s, and only the right thing', (algorithm) => {
    const header = authorize(challenge({ realm: 'home.example', nonce, algorithms: [algorithm] }), asked);
    const credentials = parseCredentials(header ?? '') as DigestCredentials;
    const check = (change: Partial<DigestCredentials>, more: object = {}): boolean =>
      verify({
        method: 'REGISTER',
        uri: 'sip:home.example',
        credentials: { ...credentials, ...change },
        ha1: alice.ha1,
        hash,
        ...more,
      });
    expect(check({})).toBe(true);
    expect(check({ response: credentials.response.toUpperCase() })).toBe(true);
    expect(check({}, { uri: 'sip:HOME.example' })).toBe(true);
    expect(check({}, { uri: 'sip:other.example' })).toBe(false);
    expect(check({}, { uri: 'junk' })).toBe(false);
    expect(check({}, { method: 'INVITE' })).toBe(false);
    expect(check({}, { ha1: both('alice', 'home.example', 'wrong').ha1 })).toBe(false);
    expect(check({ nc: '00000002' })).toBe(false);
    expect(check({ cnonce: 'x' })).toBe(false);
    expect(check({ nonce: 'x' })).toBe(false);
    expect(check({ response: credentials.response.slice(1) })).toBe(false);
    expect(check({ response: '' })).toBe(false);
    expect(check({ algorithm: algorithm === 'MD5' ? 'SHA-256' : 'MD5' })).toBe(false);
  });
});

describe('parseCredentials', () => {
  const parts: Record<string, string> = {
    username: '"a\\"b"',
    realm: '"r, s"',
    nonce: '"n"',
    uri: '"sip:h"',
    response: '"00"',
    algorithm: 'md5',
    qop: 'auth',
    nc: '0000000a',
    cnonce: '"c"',
  };
  const header = (change: Record<string, string | undefined> = {}): string =>
    `Digest ${Object.entries({ ...parts, ...change })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} = ${value}`)
      .join(' , ')}`;

  it('reads quotes, commas in quotes and white space', () => {
    expect(parseCredentials(header())).toEqual({
      username: 'a"b',
      realm: 'r, s',
      nonce: 'n',
      uri: 'sip:h',
      response: '00',
      algorithm: 'MD5',
      qop: 'auth',
      nc: '0000000a',
      cnonce: 'c',
    });
    expect(parseCredentials(header({ algorithm: undefined }))?.algorithm).toBe('MD5');
    expect(parseCredentials(header({ qop: '"auth"' }))?.qop).toBe('auth');
    for (const nc of ['01234567', '89abcdef', 'ABCDEF09']) expect(parseCredentials(header({ nc }))?.nc).toBe(nc);
  });

  it.each([
    ...['username', 'realm', 'nonce', 'uri', 'response', 'qop', 'nc', 'cnonce'].map((name) =>
      header({ [name]: undefined }),
    ),
    header({ algorithm: 'MD5-sess' }),
    header({ qop: 'auth-int' }),
    header({ nc: '1' }),
    header({ nc: '0000000g' }),
    header({ nc: '000000001' }),
    header({ cnonce: '"open' }),
    header({ uri: 'sip:h' }),
    `${header()}, username="again"`,
    `${header()} x`,
    `${header()}, `.concat('x'),
    header().replace('Digest', 'NoOneKnowsThisScheme'),
    'Digest',
    '',
    `Digest ${Array.from({ length: AUTH_PARAM_LIMIT + 1 }, (_, i) => `p${i}=1`).join(',')}`,
  ])('refuses %j', (text) => {
    expect(parseCredentials(text)).toBeUndefined();
  });

  it('takes as many parameters as allowed', () => {
    const extra = Array.from({ length: AUTH_PARAM_LIMIT - Object.keys(parts).length }, (_, i) => `p${i}=1`);
    expect(parseCredentials([header(), ...extra].join(','))).toBeDefined();
    expect(parseCredentials([header(), ...extra, 'more=1'].join(','))).toBeUndefined();
  });
});

describe('nonces', () => {
  const now = 1_790_000_000_000;
  const nonce = makeNonce(now, secret, hash, '0123');

  it.each<[string, number, string]>([
    ['at once', 0, 'ok'],
    ['at the end of its life', NONCE_LIFETIME, 'ok'],
    ['after it', NONCE_LIFETIME + 1, 'stale'],
    ['with a clock a little behind', -2000, 'ok'],
    ['with a clock set back', -2001, 'stale'],
  ])('are judged %s', (_, later, verdict) => {
    expect(checkNonce(nonce, now + later, secret, hash)).toBe(verdict);
  });

  it('are refused after any change, and under another secret', () => {
    for (let i = 0; i < nonce.length; i++) {
      const changed = nonce.slice(0, i) + (nonce[i] === '0' ? '1' : '0') + nonce.slice(i + 1);
      expect(checkNonce(changed, now, secret, hash)).toBe('bad');
    }
    expect(checkNonce(nonce, now, '0'.repeat(64), hash)).toBe('bad');
    for (const junk of ['', 'x', nonce.slice(1), `${nonce}0`, 'f'.repeat(200)]) {
      expect(checkNonce(junk, now, secret, hash)).toBe('bad');
    }
  });

  it('differ by their salt', () => {
    expect(makeNonce(now, secret, hash, '4567')).not.toBe(nonce);
  });
});

describe('NonceCounts', () => {
  const at = (time: number): string => makeNonce(time, secret, hash);
  const nc = (n: number): string => n.toString(16).padStart(8, '0');

  it('takes each count once, late ones inside the window', () => {
    const counts = new NonceCounts();
    const nonce = at(1);
    const script: [number, string][] = [
      [1, 'ok'],
      [1, 'replay'],
      [3, 'ok'],
      [2, 'ok'],
      [2, 'replay'],
      [3, 'replay'],
      [3 + NONCE_WINDOW, 'ok'],
      [3, 'replay'],
      [4, 'ok'],
      [4, 'replay'],
      [500, 'ok'],
      [500 - NONCE_WINDOW, 'ok'],
      [500 - NONCE_WINDOW - 1, 'replay'],
      [0xffffffff, 'ok'],
      [0xffffffff, 'replay'],
    ];
    for (const [count, verdict] of script) expect([count, counts.take(nonce, nc(count))]).toEqual([count, verdict]);
  });

  it('takes no count twice, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 200 }), (order) => {
        const counts = new NonceCounts();
        const taken = order.filter((n) => counts.take(at(1), nc(n)) === 'ok');
        expect(new Set(taken).size).toBe(taken.length);
        let high = 0;
        for (const n of order) {
          if (n > high) expect(taken).toContain(n);
          high = Math.max(high, n);
        }
      }),
    );
  });

  it('keeps 10,000 nonces and no more', () => {
    const counts = new NonceCounts();
    for (let time = 1; time <= 10_001; time++) counts.take(at(time), nc(1));
    expect(counts.size).toBe(10_000);
    expect(counts.take(at(1), nc(2))).toBe('stale');
    expect(counts.take(at(2), nc(2))).toBe('ok');
  });

  it('stays bounded, and forgetting lets no replay through', () => {
    const counts = new NonceCounts(3);
    for (const time of [10, 20, 30]) expect(counts.take(at(time), nc(1))).toBe('ok');
    expect(counts.take(at(40), nc(1))).toBe('ok');
    expect(counts.size).toBe(3);
    expect(counts.take(at(10), nc(1))).toBe('stale');
    expect(counts.take(at(10), nc(2))).toBe('stale');
    expect(counts.take(at(20), nc(1))).toBe('replay');
    expect(counts.take(at(20), nc(2))).toBe('ok');
  });
});
