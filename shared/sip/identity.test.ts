import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IDENTITY_LIMIT, readIdentity, writeIdentity } from './identity.ts';
import { claimsOf, FRESH, RANG_FOR, type SignedCall, VALUES } from './identity-check.ts';
import { divInput, type Passport, plainInput, readToken, type Sent, signingInput, tokenOf } from './passport.ts';

describe('the Identity header field', () => {
  it('reads the example of RFC 8224 section 4, with spaces', () => {
    expect(
      readIdentity('eyJh.eyJk.rq3p ; info = <https://biloxi.example.org/biloxi.cert> ;alg=ES256;ppt="shaken"'),
    ).toEqual({
      ...{ token: 'eyJh.eyJk.rq3p', info: 'https://biloxi.example.org/biloxi.cert', alg: 'ES256', ppt: 'shaken' },
    });
  });

  const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
  it('is read as it was written', () => {
    const any = fc.record(
      {
        token: fc.stringMatching(/^[A-Za-z0-9_.-]{1,80}$/),
        info: fc.stringMatching(/^https:\/\/[a-z]{1,9}\/[a-z0-9.~%]{0,20}$/),
        alg: word,
        ppt: word,
      },
      { requiredKeys: ['token', 'info'] },
    );
    fc.assert(
      fc.property(any, (identity) => {
        expect(readIdentity(writeIdentity(identity))).toEqual(identity);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['no parameters', 'eyJh.eyJk.rq3p'],
    ['no info', 'eyJh.eyJk.rq3p;alg=ES256'],
    ['info that comes later', 'eyJh.eyJk.rq3p;alg=ES256;info=<https://x/y>'],
    ['info without brackets', 'eyJh.eyJk.rq3p;info=https://x/y'],
    ['an empty info', 'eyJh.eyJk.rq3p;info=<>'],
    ['a token of other characters', '"eyJh";info=<https://x/y>'],
    ['a parameter twice', 'eyJh;info=<https://x/y>;alg=a;alg=b'],
    ['one character too many', `${'e'.repeat(IDENTITY_LIMIT)};info=<https://x/y>`],
  ])('is refused with %s', (_name, text) => expect(readIdentity(text)).toBeUndefined());
});

const NOW = 1_800_000_000;
const X5U = 'https://c.example/a.pem';
const PASSPORT: Passport = {
  ...{ x5u: X5U, attest: 'A', dest: { tn: ['15550100002'] }, iat: NOW, orig: '15550100001', origid: 'o' },
};
const value = (more: Partial<Passport> = {}, header: { info?: string; alg?: string; ppt?: string } = {}) =>
  writeIdentity({
    token: tokenOf(signingInput({ ...PASSPORT, ...more }), new Uint8Array(64)),
    ...{ info: X5U, alg: 'ES256', ppt: 'shaken', ...header },
  });
const call = (values: string[], more: Partial<SignedCall> = {}): SignedCall => ({
  ...{ values, caller: '+15550100001', called: ['+15550100003', '+15550100002'], now: NOW, ...more },
});

/** As a call of which one signature at most can hold. */
const claimOf = (asked: SignedCall) => claimsOf(asked)[0];
/** One of the kind that has no name, whole and as its signature alone (RFC 8225 section 7). */
const PLAIN = { x5u: X5U, orig: PASSPORT.orig, iat: NOW };
const plain = (said = { ...PLAIN, dest: PASSPORT.dest }) =>
  writeIdentity({ token: tokenOf(plainInput(said), new Uint8Array(64)), info: X5U });
const compact = () => plain().replace(/^[^.]*\.[^.]*/, '.');

describe('which signature decides', () => {
  it.each<[string, SignedCall]>([
    ['one that fits', call([value()])],
    ['one beside a kind that is not known here', call([value({}, { ppt: 'rph' }), value()])],
    ['one without alg', call([value().replace(';alg=ES256', '')])],
    ['one of the kind without a name', call([plain()])],
    ['its signature alone', call([compact()], { date: NOW })],
    ['one beside another that is malformed', call(['x', value()])],
    ['one told twice', call([value(), value()])],
    ['one as old as may be', call([value({ iat: NOW - FRESH })])],
    ['one as much ahead as may be', call([value({ iat: NOW + FRESH })])],
  ])('%s is looked at', (_name, asked) => expect(claimOf(asked)).toHaveProperty('token'));

  it.each<[string, SignedCall, string]>([
    ['none', call([]), 'missing'],
    ['only one of an unknown kind', call([value({}, { ppt: 'rph' })]), 'missing'],
    ['only one that is malformed', call(['x']), 'invalid'],
    ['a signature alone without Date', call([compact()]), 'invalid'],
    ['a signature alone for an old Date', call([compact()], { date: NOW - FRESH - 1 }), 'stale'],
    ['a signature alone of a kind', call([`${compact()};ppt="shaken"`], { date: NOW }), 'invalid'],
    ['a kind in the token that the header field lacks', call([value().replace(';ppt="shaken"', '')]), 'invalid'],
    ['more than are looked at', call(new Array(VALUES + 1).fill(value({}, { ppt: 'rph' }))), 'invalid'],
    ['another algorithm', call([value({}, { alg: 'none' })]), 'invalid'],
    ['another address in the token', call([value({}, { info: 'https://c.example/b.pem' })]), 'invalid'],
    ['one that is too old', call([value({ iat: NOW - FRESH - 1 })]), 'stale'],
    ['one from the future', call([value({ iat: NOW + FRESH + 1 })]), 'stale'],
    ['another caller', call([value()], { caller: '+15550100009' }), 'invalid'],
    ['a caller without a number', call([value()], { caller: 'anonymous' }), 'invalid'],
    ['another callee', call([value()], { called: ['+15550100009'] }), 'invalid'],
    ['a callee that is no number', call([value({ dest: { uri: ['urn:service:sos'] } })]), 'invalid'],
  ])('%s does not pass', (_name, asked, fault) => {
    const verstat = fault === 'missing' ? 'No-TN-Validation' : 'TN-Validation-Failed';
    expect(claimOf(asked)).toMatchObject({ verdict: { verstat, fault } });
  });

  it('of several each has its turn (RFC 8224 section 6.2.1)', () => {
    const claims = claimsOf(call([value({ orig: '15550100009' }), plain(), value({ attest: 'C' })]));
    expect(claims.map((one) => ('verdict' in one ? one.verdict.why : (one.token.passport.attest ?? 'plain')))).toEqual([
      'signed for another caller',
      'C',
      'plain',
    ]);
  });

  it('what a signature alone is over names one callee: each number has its turn', () => {
    const claims = claimsOf(call([compact()], { date: NOW }));
    expect(claims.map((one) => 'token' in one && one.token.passport.dest.tn)).toEqual([
      ['15550100003'],
      ['15550100002'],
    ]);
    expect('token' in (claims[1] ?? {}) && claims[1]).toMatchObject({
      token: { input: plainInput({ ...PLAIN, dest: PASSPORT.dest }) },
    });
  });
});

describe('a call that was sent on (RFC 8946)', () => {
  const [FIRST, SECOND, LAST] = ['15550100011', '15550100012', '15550100002'];
  /** The caller calls the first, who sends it to the second, who sends it to the last. */
  const shaken = (more: Partial<Passport> = {}) => value({ dest: { tn: [FIRST] }, iat: NOW - 20, ...more });
  const sent = (div: string, dest: string, more: Partial<Sent> = {}, header: { info?: string; alg?: string } = {}) =>
    writeIdentity({
      token: tokenOf(
        divInput({ x5u: X5U, dest: { tn: [dest] }, div, iat: NOW, orig: PASSPORT.orig, ...more }),
        new Uint8Array(64),
      ),
      ...{ info: X5U, alg: 'ES256', ppt: 'div', ...header },
    });
  const one = (more: Partial<Sent> = {}) => sent(FIRST, SECOND, { iat: NOW - 10, ...more });
  const two = (more: Partial<Sent> = {}, header = {}) => sent(SECOND, LAST, more, header);

  it.each<[string, string[], string[]]>([
    ['once', [shaken({ dest: { tn: [SECOND] } }), two()], [SECOND]],
    ['twice', [shaken(), one(), two()], [FIRST, SECOND]],
    ['twice, told in another order', [two(), one(), shaken()], [FIRST, SECOND]],
    ['past a way that leads nowhere', [shaken(), sent(FIRST, '1'), sent('1', '2'), one(), two()], [FIRST, SECOND]],
    ['nowhere else', [shaken({ dest: { tn: [LAST] }, iat: NOW }), one()], []],
    ['after it rang long', [shaken({ dest: { tn: [SECOND] }, iat: NOW - RANG_FOR }), two()], [SECOND]],
  ])('%s', (_name, values, by) => {
    const claim = claimOf(call(values));
    expect(claim && 'sentOn' in claim && claim.sentOn.map(({ passport }) => passport.div)).toEqual(by);
  });

  /** The same in one header field each, with what came before in it. */
  const tokenIn = (text: string) => readIdentity(text)?.token ?? '';
  const full = (said: Partial<Sent> & Pick<Sent, 'div' | 'dest'>, before: string, header = {}) => {
    const input = divInput({ x5u: X5U, iat: NOW, orig: PASSPORT.orig, ...said }, tokenIn(before));
    return writeIdentity({
      token: tokenOf(input, new Uint8Array(64)),
      info: X5U,
      alg: 'ES256',
      ppt: 'div-o',
      ...header,
    });
  };
  const once = (header = {}) => full({ div: FIRST, dest: { tn: [SECOND] }, iat: NOW - 10 }, shaken(), header);
  const twice = (said: Partial<Sent> = {}, header = {}) =>
    full({ div: SECOND, dest: { tn: [LAST] }, ...said }, once(), header);

  it.each<[string, string[]]>([
    ['alone', [twice()]],
    ['beside what is in it', [shaken(), one(), twice()]],
    ['once, and then in the plain way', [once(), two()]],
    ['in the plain way, and then so', [shaken(), full({ div: SECOND, dest: { tn: [LAST] } }, one())]],
  ])('in the full form %s (section 5)', (_name, values) => {
    const claim = claimOf(call(values));
    expect(claim && 'sentOn' in claim && claim.sentOn.map(({ passport }) => passport.div)).toEqual([FIRST, SECOND]);
    expect(claim && 'token' in claim && claim.token.passport).toEqual(readToken(tokenIn(shaken()))?.passport);
  });

  it('in the full form of two who call: each has its turn', () => {
    const claims = claimsOf(call([shaken({ origid: 'other' }), twice()]));
    expect(claims.map((one) => 'token' in one && one.token.passport.origid)).toEqual(['other', PASSPORT.origid]);
  });

  it.each<[string, string[], string]>([
    ['to somebody else', [once()], 'invalid'],
    ['too long ago', [twice({ iat: NOW - FRESH - 1 })], 'stale'],
    ['with another address', [twice({}, { info: 'https://c.example/b.pem' })], 'missing'],
    ['by another algorithm', [twice({}, { alg: 'none' })], 'missing'],
    ['so often that the ways are many', [shaken(), ...Array.from({ length: 5 }, () => twice())], 'invalid'],
  ])('in the full form %s does not pass', (_name, values, fault) => {
    expect(claimOf(call(values))).toMatchObject({ verdict: { fault } });
  });

  it.each<[string, string[], string]>([
    ['by somebody whom it was not for', [shaken({ dest: { tn: ['19'] } }), one(), two()], 'invalid'],
    ['with a piece missing', [shaken(), two()], 'invalid'],
    ['to somebody else', [shaken(), one()], 'invalid'],
    ['in a circle', [shaken(), one(), sent(SECOND, FIRST)], 'invalid'],
    ['with another caller', [shaken(), one(), two({ orig: '15550100099' })], 'invalid'],
    ['with another address', [shaken(), one(), two({}, { info: 'https://c.example/b.pem' })], 'invalid'],
    ['with another algorithm', [shaken(), one(), two({}, { alg: 'none' })], 'invalid'],
    ['with nobody who called', [one(), two()], 'missing'],
    ['too long ago', [shaken(), one(), two({ iat: NOW - FRESH - 1 })], 'stale'],
    ['longer after than it rings', [shaken({ iat: NOW - 11 - RANG_FOR }), one(), two()], 'stale'],
    ['before it was called', [shaken({ iat: NOW - 9 + FRESH }), one({ iat: NOW - 10 }), two()], 'stale'],
  ])('%s does not pass', (_name, values, fault) => {
    expect(claimOf(call(values))).toMatchObject({ verdict: { fault } });
  });
});
