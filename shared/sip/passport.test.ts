import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toBase64 } from '../kernel/base64.ts';
import { latin1, utf8 } from '../kernel/bytes.ts';
import {
  canonicalNumber,
  DEST_LIMIT,
  divInput,
  type Passport,
  readFull,
  readSent,
  readToken,
  signingInput,
  TOKEN_LIMIT,
  tokenOf,
} from './passport.ts';

const GOOD: Passport = {
  x5u: 'https://certificates.example.net/passport.pem',
  attest: 'A',
  dest: { tn: ['12155551213'] },
  iat: 1_443_208_345,
  orig: '12155551212',
  origid: '123e4567-e89b-12d3-a456-426655440000',
};
const SIGNATURE = new Uint8Array(64).fill(7);
const part = (value: unknown) =>
  toBase64(utf8(JSON.stringify(value)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const HEADER = { alg: 'ES256', ppt: 'shaken', typ: 'passport', x5u: GOOD.x5u };
const CLAIMS = { attest: 'A', dest: GOOD.dest, iat: GOOD.iat, orig: { tn: GOOD.orig }, origid: GOOD.origid };
const token = (header: unknown, claims: unknown, signature = SIGNATURE) =>
  tokenOf(`${part(header)}.${part(claims)}`, signature);

describe('a PASSporT', () => {
  it('stands in canonical JSON: keys in order, no white space (RFC 8588 section 4)', () => {
    const [header = '', claims = ''] = signingInput(GOOD)
      .split('.')
      .map((one) => Buffer.from(one, 'base64url').toString());
    expect(header).toBe(
      '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://certificates.example.net/passport.pem"}',
    );
    expect(claims).toBe(
      '{"attest":"A","dest":{"tn":["12155551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}',
    );
  });

  const digits = fc.stringMatching(/^[0-9]{1,15}$/);
  const dest = fc.oneof(
    fc.record({ tn: fc.array(digits, { minLength: 1, maxLength: DEST_LIMIT }) }),
    fc.constant({ uri: ['urn:service:sos'] }),
  );
  const any = fc.record({
    x5u: fc.stringMatching(/^https:\/\/[a-z]{1,9}\/[a-z0-9.~%]{0,20}$/),
    attest: fc.constantFrom('A' as const, 'B' as const, 'C' as const),
    iat: fc.nat(),
    orig: digits,
    origid: fc.uuid(),
    dest,
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(any, fc.uint8Array({ minLength: 64, maxLength: 64 }), (passport, signature) => {
        const written = tokenOf(signingInput(passport), signature);
        fc.pre(written.length <= TOKEN_LIMIT);
        expect(readToken(written)).toEqual({ passport, input: signingInput(passport), signature });
      }),
      { numRuns: 60 },
    );
  });

  it('never makes reading fail otherwise than by a value', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.{}"[] ') }), (text) => {
        readToken(text);
        readToken(`${part(HEADER)}.${latin1(utf8(text))}.x`);
      }),
      { numRuns: 60 },
    );
  });

  it.each<[string, string]>([
    ['alg none', token({ ...HEADER, alg: 'none' }, CLAIMS)],
    ['another algorithm', token({ ...HEADER, alg: 'RS256' }, CLAIMS)],
    ['another kind', token({ ...HEADER, ppt: 'div' }, CLAIMS)],
    ['another type', token({ ...HEADER, typ: 'jwt' }, CLAIMS)],
    ['an extension that has to be understood', token({ ...HEADER, crit: ['x'], x: 1 }, CLAIMS)],
    ['no address of the certificate', token({ ...HEADER, x5u: undefined }, CLAIMS)],
    ['no signature', `${part(HEADER)}.${part(CLAIMS)}.`],
    ['a signature of another length', token(HEADER, CLAIMS, new Uint8Array(63))],
    ['two parts', `${part(HEADER)}.${part(CLAIMS)}`],
    ['four parts', `${token(HEADER, CLAIMS)}.x`],
    ['the compact form', `..${token(HEADER, CLAIMS).split('.')[2]}`],
    ['padding', `${part(HEADER)}.${part(CLAIMS)}=.${token(HEADER, CLAIMS).split('.')[2]}`],
    ['a list for an object', token([HEADER], CLAIMS)],
    ['no JSON', `${part(HEADER)}.e30x.${token(HEADER, CLAIMS).split('.')[2]}`],
    ['an unknown attestation', token(HEADER, { ...CLAIMS, attest: 'D' })],
    ['a caller with a plus sign', token(HEADER, { ...CLAIMS, orig: { tn: '+12155551212' } })],
    ['no caller', token(HEADER, { ...CLAIMS, orig: {} })],
    ['no callee', token(HEADER, { ...CLAIMS, dest: {} })],
    ['one callee too many', token(HEADER, { ...CLAIMS, dest: { tn: new Array(DEST_LIMIT + 1).fill('1') } })],
    ['a callee that is no text', token(HEADER, { ...CLAIMS, dest: { tn: [1] } })],
    ['a time that is none', token(HEADER, { ...CLAIMS, iat: '1443208345' })],
    ['a time before all', token(HEADER, { ...CLAIMS, iat: -1 })],
    ['an origin that is no name of one', token(HEADER, { ...CLAIMS, origid: 'x'.repeat(65) })],
    ['inherited fields', token(HEADER, JSON.parse('{"__proto__":{"attest":"A"}}'))],
    ['one character too many', token({ ...HEADER, x: 'x'.repeat(TOKEN_LIMIT) }, CLAIMS)],
  ])('is refused with %s', (_name, text) => expect(readToken(text)).toBeUndefined());

  it('is read with claims that nobody here knows', () => {
    expect(readToken(token({ ...HEADER, x: 1 }, { ...CLAIMS, div: {} }))?.passport).toEqual(GOOD);
  });
});

it.each([
  ['+1 (215) 555-1212', '12155551212'],
  ['12155551212', '12155551212'],
  ['*67', '*67'],
  ['1+2', undefined],
  ['anonymous', undefined],
  ['', undefined],
  ['1234567890123456', undefined],
])('the canonical form of %s is %s', (text, canonical) => expect(canonicalNumber(text)).toBe(canonical));

describe('a PASSporT of who sent a call on', () => {
  const sent = { x5u: GOOD.x5u, dest: { tn: ['12155551214'] }, div: '12155551213', iat: GOOD.iat, orig: GOOD.orig };
  const header = { ...HEADER, ppt: 'div' };
  const claims = { dest: sent.dest, div: { tn: sent.div }, iat: sent.iat, orig: { tn: sent.orig } };

  it('stands in canonical JSON (RFC 8946 section 4) and is read as it was written', () => {
    const [head = '', body = ''] = divInput(sent)
      .split('.')
      .map((one) => Buffer.from(one, 'base64url').toString());
    expect(head).toBe(JSON.stringify(header));
    expect(body).toBe(
      '{"dest":{"tn":["12155551214"]},"div":{"tn":"12155551213"},"iat":1443208345,"orig":{"tn":"12155551212"}}',
    );
    expect(readSent(tokenOf(divInput(sent), SIGNATURE))?.passport).toEqual(sent);
  });

  it.each<[string, string]>([
    ['of another kind', token(HEADER, claims)],
    ['without div', token(header, { ...claims, div: undefined })],
    ['sent on by a URI', token(header, { ...claims, div: { uri: 'sip:a@b' } })],
    ['sent on by a number that is none', token(header, { ...claims, div: { tn: '+1' } })],
    ['without a caller', token(header, { ...claims, orig: undefined })],
    ['to nobody', token(header, { ...claims, dest: {} })],
    ['by another algorithm', token({ ...header, alg: 'none' }, claims)],
    ['too long', token(header, { ...claims, hi: '1'.repeat(TOKEN_LIMIT) })],
  ])('%s is none', (_name, text) => expect(readSent(text)).toBeUndefined());

  describe('with what it was before (RFC 8946 section 5)', () => {
    const signed = (input: string) => tokenOf(input, SIGNATURE);
    const caller = signed(signingInput({ ...GOOD, dest: { tn: [sent.div] } }));
    const full = signed(divInput(sent, caller));
    const next = { ...sent, div: '12155551214', dest: { tn: ['12155551215'] } };
    const names = (text: string) => readFull(text)?.sentOn.map(({ passport }) => passport.div);

    it('stands in canonical JSON, under a kind of its own', () => {
      const [head = '', body = ''] = full.split('.').map((one) => Buffer.from(one, 'base64url').toString());
      expect(head).toBe(JSON.stringify({ ...HEADER, ppt: 'div-o' }));
      expect(body).toBe(
        `{"dest":{"tn":["12155551214"]},"div":{"tn":"12155551213"},"iat":1443208345,"opt":"${caller}","orig":{"tn":"12155551212"}}`,
      );
      expect([readSent(full), readToken(full)]).toEqual([undefined, undefined]);
    });

    it('is read whole, once or twice, around whatever kind', () => {
      expect(readFull(full)).toMatchObject({ token: readToken(caller), sentOn: [{ passport: sent }] });
      expect(names(signed(divInput(next, full)))).toEqual([sent.div, next.div]);
      const aroundDiv = readFull(signed(divInput(next, signed(divInput(sent)))));
      expect([aroundDiv?.token, aroundDiv?.sentOn.length]).toEqual([undefined, 2]);
    });

    it.each<[string, string]>([
      ['of a call that was for somebody else', signed(divInput({ ...sent, div: '19' }, caller))],
      ['of another caller’s call', signed(divInput({ ...sent, orig: '19' }, caller))],
      ['around nothing', signed(divInput(sent, 'x'))],
      ['around no text', token({ ...header, ppt: 'div-o' }, { ...claims, opt: { a: 1 } })],
      ['without it', token({ ...header, ppt: 'div-o' }, claims)],
      ['of the plain kind', token(header, { ...claims, opt: caller })],
      ['around one that is wrong inside', signed(divInput(next, signed(divInput({ ...sent, div: '19' }, caller))))],
      ['too long', signed(divInput(sent, caller.padEnd(TOKEN_LIMIT, 'x')))],
    ])('one %s is none', (_name, text) => expect(readFull(text)).toBeUndefined());
  });
});
