import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { TnEntry } from '#shared/kernel/world.ts';
import { readIdentity, writeIdentity } from '#shared/sip/identity.ts';
import type { SignedCall } from '#shared/sip/identity-check.ts';
import { divInput, plainInput, tokenOf } from '#shared/sip/passport.ts';
import { authority, signer } from '#test/support/signer.ts';
import { readEntry, speaksFor, writeEntry } from './settings.ts';
import { REMEMBERED, Replays, verifyCaller } from './verify.ts';

const X5U = 'https://c.example/a.pem';
const said = { orig: '442071838750', dest: { tn: ['15550100001'] } };

describe('a signed caller', async () => {
  const world = hostWorld();
  const [root, stranger] = [await authority(world), await authority(world)];
  const good = await signer(world, root, X5U);
  const now = Math.floor(world.clock.wall() / 1000);
  const tools = (chain: string | undefined = good.chain) => ({
    ...{ crypto: world.crypto, authorities: root.certificate, replays: new Replays() },
    certificates: async () => chain,
  });
  const call = (value: string): SignedCall => ({
    values: [value],
    caller: '+442071838750',
    called: ['+15550100001'],
    now,
  });
  /** The verdict on a call that this signer signed. */
  async function judged(by: Awaited<ReturnType<typeof signer>>) {
    return verifyCaller(call(await by.sign(said)), 'c', tools(by.chain));
  }
  /** The same with other octets in one part of the token. */
  async function spoilt(part: number, change: (text: string) => string) {
    const read = readIdentity(await good.sign(said));
    const parts = read?.token.split('.').map((one, i) => (i === part ? change(one) : one)) ?? [];
    return verifyCaller(call(writeIdentity({ info: X5U, ...read, token: parts.join('.') })), 'c', tools());
  }

  it('passes with what it was attested with', async () => {
    expect(await judged(good)).toEqual({ verstat: 'TN-Validation-Passed', attest: 'A' });
    const ranged = await signer(world, root, X5U, [{ start: '442071838700', count: 100 }]);
    expect(await judged(ranged)).toMatchObject({ verstat: 'TN-Validation-Passed' });
  });

  it.each<[string, string, () => Promise<unknown>]>([
    [
      'whose certificate cannot be had',
      'unreachable',
      async () => verifyCaller(call(await good.sign(said)), 'c', { ...tools(), certificates: async () => undefined }),
    ],
    ['of an authority that nobody believes', 'untrusted', async () => judged(await signer(world, stranger, X5U))],
    ['with a certificate for no numbers', 'untrusted', async () => judged(await signer(world, root, X5U, []))],
    [
      'with a certificate for other numbers',
      'untrusted',
      async () => judged(await signer(world, root, X5U, [{ start: '442071838700', count: 50 }])),
    ],
    [
      'with a certificate that is over',
      'untrusted',
      async () => judged(await signer(world, root, X5U, [{ spc: '1' }], { notAfter: now * 1000 - 1000 })),
    ],
    [
      'signed by another key than the certificate’s',
      'invalid',
      async () => verifyCaller(call(await (await signer(world, root, X5U)).sign(said)), 'c', tools()),
    ],
    [
      'with another signature',
      'invalid',
      () => spoilt(2, (text) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)),
    ],
    [
      'with a better attestation than was signed',
      'invalid',
      () =>
        spoilt(1, (text) =>
          Buffer.from(Buffer.from(text, 'base64url').toString().replace('"origid":"1', '"origid":"2')).toString(
            'base64url',
          ),
        ),
    ],
  ])('%s does not pass', async (_name, fault, judge) => {
    expect(await judge()).toMatchObject({ verstat: 'TN-Validation-Failed', fault });
  });

  it('passes where one of several holds (RFC 8224 section 6.2.1), and fails for what says most', async () => {
    const [value, odd] = [await good.sign(said), await (await signer(world, stranger, `${X5U}?odd`)).sign(said)];
    const forged = await (await signer(world, root, X5U)).sign({ ...said, dest: { tn: ['15550100001', '1'] } });
    const with_ = (x5us: Record<string, string | undefined>) => ({
      ...tools(),
      certificates: async (x5u: string) => x5us[x5u],
    });
    const judge = (values: string[], chains = with_({ [X5U]: good.chain })) =>
      verifyCaller({ ...call(value), values }, 'c', chains);
    expect(await judge([forged, odd, value])).toEqual({ verstat: 'TN-Validation-Passed', attest: 'A' });
    expect(await judge([forged, odd])).toMatchObject({ fault: 'invalid' });
    expect(await judge([odd])).toMatchObject({ fault: 'unreachable' });
    expect(await judge([forged, odd], with_({ [X5U]: good.chain, [`${X5U}?odd`]: 'none' }))).toMatchObject({
      fault: 'untrusted',
    });
  });

  it('asks for each certificate once, whatever number of signatures name it', async () => {
    const asked: string[] = [];
    const values = await Promise.all([1, 2, 3].map((n) => good.sign({ ...said, origid: `${n}` })));
    await verifyCaller({ ...call(''), values }, 'c', {
      ...tools(),
      certificates: async (x5u) => {
        asked.push(x5u);
        return undefined;
      },
    });
    expect(asked).toEqual([X5U]);
  });

  it('passes in the plain form, whole and as its signature alone (RFC 8225 section 7)', async () => {
    const input = plainInput({ ...said, x5u: X5U, iat: now });
    const token = tokenOf(input, await world.crypto.sign(good.key.privateKey, utf8(input)));
    for (const form of [token, token.replace(/^[^.]*\.[^.]*/, '.')]) {
      const value = writeIdentity({ token: form, info: X5U });
      const asked = { ...call(value), called: ['+15550100009', '+15550100001'], date: now };
      expect(await verifyCaller(asked, 'c', tools())).toEqual({ verstat: 'TN-Validation-Passed' });
      expect(await verifyCaller({ ...asked, date: now - 1, called: ['+15550100009'] }, 'c', tools())).toMatchObject({
        fault: 'invalid',
      });
    }
  });

  it.each<[string, { included: string[]; permitted: { claim: string; values: string[] }[] }, string | undefined]>([
    ['permits what it says', { included: ['origid'], permitted: [{ claim: 'attest', values: ['A'] }] }, undefined],
    ['permits another attestation', { included: [], permitted: [{ claim: 'attest', values: ['B', 'C'] }] }, 'invalid'],
    ['permits another caller', { included: [], permitted: [{ claim: 'orig', values: ['{"tn":"1"}'] }] }, 'invalid'],
    ['wants a claim that is not there', { included: ['rph'], permitted: [] }, 'invalid'],
    [
      'permits something of a claim that is not there',
      { included: [], permitted: [{ claim: 'rph', values: ['x'] }] },
      undefined,
    ],
  ])('whose certificate %s (RFC 8226 section 8)', async (_name, claims, fault) => {
    const { crypto } = world;
    const readChain: typeof crypto.readChain = async (...asked) => {
      const facts = await crypto.readChain(...asked);
      return facts && { ...facts, claims };
    };
    const verdict = await verifyCaller(call(await good.sign(said)), 'c', {
      ...tools(),
      crypto: { readChain, verify: crypto.verify },
    });
    expect(verdict.fault).toBe(fault);
  });

  it('passes once, and again only as the same call', async () => {
    const value = call(await good.sign(said));
    const one = tools();
    expect(await verifyCaller(value, 'first', one)).toMatchObject({ verstat: 'TN-Validation-Passed' });
    expect(await verifyCaller(value, 'first', one)).toMatchObject({ verstat: 'TN-Validation-Passed' });
    expect(await verifyCaller(value, 'second', one)).toMatchObject({ fault: 'invalid', why: 'used before' });
  });
});

describe('a signature of which anybody can make a second one', () => {
  // ECDSA: with (r, s) also (r, n - s) holds, and needs no key.
  const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  it('counts as the one that was used before', async () => {
    const world = hostWorld();
    const root = await authority(world);
    const good = await signer(world, root, X5U);
    const value = await good.sign(said);
    const read = readIdentity(value);
    const [head = '', body = '', signed = ''] = read?.token.split('.') ?? [];
    const octets = Buffer.from(signed, 'base64url');
    const other = (ORDER - BigInt(`0x${octets.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0');
    const twin = Buffer.concat([octets.subarray(0, 32), Buffer.from(other, 'hex')]).toString('base64url');
    const tools = {
      ...{ crypto: world.crypto, authorities: root.certificate, replays: new Replays() },
      certificates: async () => good.chain,
    };
    const now = Math.floor(world.clock.wall() / 1000);
    const judged = (token: string, callId: string) =>
      verifyCaller(
        {
          ...{ caller: '+442071838750', called: ['+15550100001'], now },
          values: [writeIdentity({ info: X5U, ...read, token })],
        },
        callId,
        tools,
      );
    expect(await judged(`${head}.${body}.${twin}`, 'first')).toMatchObject({ verstat: 'TN-Validation-Passed' });
    expect(await judged(`${head}.${body}.${signed}`, 'second')).toMatchObject({ fault: 'invalid', why: 'used before' });
  });
});

describe('signatures that were good lately', () => {
  it('are forgotten when they are too old to be good again', () => {
    const replays = new Replays();
    expect([
      replays.first('a', '1', 0),
      replays.first('a', '2', 120),
      replays.first('b', '2', 121),
      replays.first('a', '2', 121),
    ]).toEqual([...[true, false, true, true]]);
  });

  it('are so many at the most', () => {
    const replays = new Replays();
    for (let i = 0; i <= REMEMBERED; i++) replays.first(`${i}`, 'c', 0);
    expect([replays.first('0', 'other', 0), replays.first(`${REMEMBERED}`, 'other', 0)]).toEqual([true, false]);
  });
});

describe('whom a certificate speaks for', () => {
  const range = { start: '0015550100', count: 100 };
  it.each<[string, TnEntry[] | undefined, string, boolean]>([
    ['a provider’s, for all', [{ spc: '1' }], '15', true],
    ['nothing', undefined, '15', false],
    ['one number', [{ start: '15', count: 1 }], '15', true],
    ['one other number', [{ start: '15', count: 1 }], '16', false],
    ['the first of a range', [range], '0015550100', true],
    ['the last of a range', [range], '0015550199', true],
    ['one behind a range', [range], '0015550200', false],
    ['one before a range', [range], '0015550099', false],
    ['one of another length', [range], '015550100', false],
    ['one with a sign in it', [range], '00155501*0', false],
    ['the second entry', [{ start: '1', count: 1 }, range], '0015550150', true],
  ])('%s', (_name, numbers, number, speaks) => {
    expect(speaksFor(numbers === undefined ? {} : { numbers }, number)).toBe(speaks);
  });

  it('is within what its issuers may speak for (RFC 8226 section 9)', () => {
    const limits = [[range], [{ start: '0015550150', count: 1 }]];
    const numbers = [{ spc: '1' }];
    expect(speaksFor({ numbers, limits }, '0015550150')).toBe(true);
    expect(speaksFor({ numbers, limits }, '0015550151')).toBe(false);
    expect(speaksFor({ limits }, '0015550150')).toBe(false);
  });

  it('is read as it is shown', () => {
    const entry = fc.oneof(
      fc.record({ spc: fc.stringMatching(/^[A-Z0-9]{1,10}$/) }),
      fc.record({ start: fc.stringMatching(/^[1-8][0-9]{9}$/), count: fc.integer({ min: 1, max: 1_000_000 }) }),
    );
    fc.assert(
      fc.property(entry, (one) => {
        expect(readEntry(writeEntry(one))).toEqual(one);
      }),
      { numRuns: 60 },
    );
    expect([readEntry('20-10'), readEntry('1-20')]).toEqual([undefined, undefined]);
  });
});

describe('a call that was sent on', async () => {
  const world = hostWorld();
  const root = await authority(world);
  const [SENDER, LAST] = ['15550100001', '15550100009'];
  const caller = await signer(world, root, X5U, [{ start: said.orig, count: 1 }]);
  const sender = await signer(world, root, `${X5U}?sender`, [{ start: SENDER, count: 1 }]);
  const stranger = await signer(world, root, `${X5U}?stranger`, [{ start: LAST, count: 1 }]);
  const now = Math.floor(world.clock.wall() / 1000);

  async function sentBy({ key }: typeof sender, x5u: string): Promise<string> {
    const input = divInput({ x5u, dest: { tn: [LAST] }, div: SENDER, iat: now, orig: said.orig });
    const token = tokenOf(input, await world.crypto.sign(key.privateKey, utf8(input)));
    return writeIdentity({ token, info: x5u, alg: 'ES256', ppt: 'div' });
  }
  const judged = (values: readonly string[]) =>
    verifyCaller({ values, caller: `+${said.orig}`, called: [`+${LAST}`], now }, 'c', {
      ...{ crypto: world.crypto, authorities: root.certificate, replays: new Replays() },
      certificates: async (x5u) => ({ [X5U]: caller, [`${X5U}?sender`]: sender })[x5u]?.chain ?? stranger.chain,
    });

  it('passes where each signed for its own number', async () => {
    const values = [await caller.sign(said), await sentBy(sender, `${X5U}?sender`)];
    expect(await judged(values)).toEqual({ verstat: 'TN-Validation-Passed', attest: 'A' });
  });

  it.each([
    ['by somebody who does not speak for who sent it on', stranger, `${X5U}?stranger`, 'untrusted'],
    ['by the caller', caller, X5U, 'untrusted'],
    ['by another key', stranger, `${X5U}?sender`, 'invalid'],
  ])('signed %s does not', async (_name, by, x5u, fault) => {
    expect(await judged([await caller.sign(said), await sentBy(by, x5u)])).toMatchObject({ fault });
  });
});
