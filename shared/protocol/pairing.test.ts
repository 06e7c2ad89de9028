import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHECK_WORDS } from './check-words.ts';
import {
  CODE_ALPHABET,
  CODE_RANDOM,
  checkWords,
  codeHash,
  gatewayId,
  makeCode,
  normaliseCode,
  pairingLink,
  readCloudUrl,
  readPairingLink,
  showCode,
} from './pairing.ts';

const code = fc.array(fc.constantFrom(...CODE_ALPHABET), { minLength: 8, maxLength: 8 }).map((all) => all.join(''));
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const KEY = 'ab'.repeat(32);

describe('codes', () => {
  test('the alphabet has 20 letters, none a vowel', () => {
    expect(new Set(CODE_ALPHABET).size).toBe(20);
    expect(CODE_ALPHABET).not.toMatch(/[AEIOUY0-9]/);
  });

  test('any typing of a code is that code', () => {
    fc.assert(
      fc.property(code, fc.array(fc.constantFrom('-', ' ', '')), fc.boolean(), (value, gaps, lower) => {
        const typed = [...value].map((letter, i) => letter + (gaps[i] ?? '')).join('');
        expect(normaliseCode(lower ? typed.toLowerCase() : typed)).toBe(value);
        expect(normaliseCode(showCode(value))).toBe(value);
      }),
    );
  });

  test.each(['', 'BCDFGHJ', 'BCDFGHJKL', 'BCDFGHJA', 'BCDFGHJ1', 'BCDF_GHJK', 'BCDFGHJß', `BCDFGHJK${' '.repeat(25)}`])(
    '%j is none',
    (typed) => {
      expect(normaliseCode(typed)).toBeUndefined();
    },
  );

  test('come evenly from random octets, and from too few not at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: CODE_RANDOM, maxLength: CODE_RANDOM }), (random) => {
        const made = makeCode(random);
        expect(made === undefined).toBe(random.filter((octet) => octet < 240).length < 8);
        if (made !== undefined) expect(normaliseCode(made)).toBe(made);
      }),
    );
    const seen = Array.from({ length: 240 }, (_, octet) => makeCode(new Uint8Array(8).fill(octet))?.charAt(0));
    for (const letter of CODE_ALPHABET) expect(seen.filter((one) => one === letter).length).toBe(12);
    expect(makeCode(new Uint8Array(32).fill(240))).toBeUndefined();
  });

  test('their hash is of the code alone', () => {
    const spy: string[] = [];
    codeHash((data) => {
      spy.push(new TextDecoder().decode(data));
      return data;
    }, 'BCDFGHJK');
    expect(spy).toEqual(['hearthline pairing code BCDFGHJK']);
  });
});

describe('names that follow from a key', () => {
  test('id and words come from different octets', () => {
    fc.assert(
      fc.property(hash, hash, (one, other) => {
        expect(gatewayId(one)).toMatch(/^gw_[0-9a-z]{32}$/);
        expect(gatewayId(one) === gatewayId(other)).toBe(one.subarray(0, 20).join() === other.subarray(0, 20).join());
        expect(checkWords(one).split(' ').length).toBe(4);
        expect(checkWords(one) === checkWords(other)).toBe(one.subarray(28).join() === other.subarray(28).join());
      }),
    );
  });

  test('256 different short plain words', () => {
    expect(new Set(CHECK_WORDS).size).toBe(256);
    for (const word of CHECK_WORDS) expect(word).toMatch(/^[a-z]{3,8}$/);
  });
});

describe('the link in the QR', () => {
  test('gives back what was put in, for any portal', () => {
    fc.assert(
      fc.property(
        code,
        hash,
        fc.constantFrom('https://h.example', 'https://h.example:8443/', 'https://h.example/#x'),
        (value, key, portal) => {
          const keyHash = [...key].map((octet) => octet.toString(16).padStart(2, '0')).join('');
          const link = pairingLink(portal, value, keyHash);
          expect(link).toMatch(/^https:\/\/h\.example(:8443)?\/pair#/);
          expect(readPairingLink(link)).toEqual({ code: value, key: keyHash });
        },
      ),
    );
  });

  test.each([
    '',
    'https://h/pair',
    `https://h/pair#code=BCDFGHJK&key=${KEY}0`,
    `https://h/pair#code=AAAAAAAA&key=${KEY}`,
    '#code=BCDFGHJK',
  ])('%j is none', (link) => {
    expect(readPairingLink(link)).toBeUndefined();
  });
});

describe('the address of the cloud', () => {
  const base64url = Buffer.from(KEY, 'hex').toString('base64url');
  test.each([
    [`https://cloud.example#sha256-${KEY}`, { trust: 'pin', origin: 'https://cloud.example', pin: KEY }],
    [
      `https://cloud.example:8443/#sha256-${base64url}`,
      { trust: 'pin', origin: 'https://cloud.example:8443', pin: KEY },
    ],
    [`https://Cloud.Example#sha256-${KEY.toUpperCase()}`, { trust: 'pin', origin: 'https://cloud.example', pin: KEY }],
    ['https://cloud.example', { trust: 'web', origin: 'https://cloud.example' }],
    ['https://cloud.example/#', { trust: 'web', origin: 'https://cloud.example' }],
    ['http://127.0.0.1:8080', { trust: 'loopback', origin: 'http://127.0.0.1:8080' }],
    ['http://[::1]:8080/', { trust: 'loopback', origin: 'http://[::1]:8080' }],
    ['http://localhost', { trust: 'loopback', origin: 'http://localhost' }],
  ])('%s', (url, read) => {
    expect(readCloudUrl(url)).toEqual(read);
  });

  test.each([
    ['http://cloud.example', 'loopback only'],
    ['http://10.0.0.1:8080', 'loopback only'],
    ['http://127.0.0.1.example', 'loopback only'],
    ['http://localhost.example', 'loopback only'],
    ['https://cloud.example#sha256-abc', 'key hash'],
    [`https://cloud.example#sha512-${KEY}`, 'key hash'],
    [`https://cloud.example#sha256-${KEY}00`, 'key hash'],
    ['https://user@cloud.example', 'form'],
    ['https://cloud.example/path', 'form'],
    ['ftp://cloud.example', 'form'],
    ['cloud.example', 'form'],
    ['', 'form'],
  ])('%s is refused with words', (url, words) => {
    expect(readCloudUrl(url)).toEqual({ refused: expect.stringContaining(words) });
  });

  test('every pin of 32 octets is read in both spellings', () => {
    fc.assert(
      fc.property(hash, (key) => {
        const hex = Buffer.from(key).toString('hex');
        const url = `https://h#sha256-${Buffer.from(key).toString('base64url')}`;
        expect(readCloudUrl(url)).toEqual({ trust: 'pin', origin: 'https://h', pin: hex });
      }),
    );
  });
});
