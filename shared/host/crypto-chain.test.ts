import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TnEntry } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { authority, certified, extended } from '#test/support/signer.ts';
import { CHAIN_LIMIT } from './crypto-chain.ts';
import { CLAIM_LIMITS, CLAIMS } from './crypto-claims.ts';
import { readNumbers, TN_ENTRIES, writeNumbers } from './crypto-numbers.ts';
import { context, element } from './der.ts';
import { hostWorld } from './world.ts';

const DAY = 86_400_000;
const NUMBERS: TnEntry[] = [{ spc: '1234' }, { start: '15550100000', count: 1000 }, { start: '15550199999', count: 1 }];

describe.each([
  ['the real world', () => hostWorld()],
  ['the virtual world', () => new VirtualWorld({ seed: 7 }).host('a', ['10.0.0.1'])],
])('chains of certificates in %s', (_name, make) => {
  const tools = make();
  const { crypto, clock } = tools;
  const now = clock.wall();
  const made = (async () => {
    const root = await authority(tools, 'Root');
    const middle = await authority(tools, 'Middle', root);
    const [key, other] = [await crypto.createKey(), await crypto.createKey()];
    const under = await certified(tools, middle, key.publicKey, NUMBERS);
    const leaf = await certified(tools, root, key.publicKey, NUMBERS);
    // A certificate that may not issue signs another one.
    const wrong = await certified(tools, { certificate: leaf, key }, other.publicKey, NUMBERS);
    return { root, middle, key, leaf, under, wrong, stranger: await authority(tools, 'Root') };
  })();

  it('gives the first key with its numbers, with and without those between', async () => {
    const { middle, root, key, leaf, under } = await made;
    const direct = await crypto.readChain(leaf, root.certificate, now);
    expect(direct).toMatchObject({ subject: 'SHAKEN 1234', numbers: NUMBERS });
    expect(Buffer.from(direct?.publicKey ?? []).equals(key.publicKey)).toBe(true);
    expect(Math.abs((direct?.notAfter ?? 0) - now - 30 * DAY)).toBeLessThan(60_000);
    for (const chain of [under, under + middle.certificate]) {
      expect(await crypto.readChain(chain, middle.certificate, now)).toMatchObject({ numbers: NUMBERS });
    }
    expect(await crypto.readChain(leaf, leaf, now)).toMatchObject({ numbers: NUMBERS });
  });

  it('knows a certificate that says nothing of numbers', async () => {
    const { root, key } = await made;
    const plain = await certified(tools, root, key.publicKey, []);
    expect(await crypto.readChain(plain, root.certificate, now)).not.toHaveProperty('numbers');
  });

  it('tells what the issuers on the way may speak for (RFC 8226 section 9)', async () => {
    const { root } = await made;
    const few: TnEntry[] = [{ start: '15550100000', count: 10 }];
    const below = await authority(tools, 'Delegate', root, few);
    const under = await certified(tools, below, (await crypto.createKey()).publicKey, NUMBERS);
    const facts = { numbers: NUMBERS, limits: [few] };
    for (const chain of [under, under + below.certificate])
      expect(await crypto.readChain(chain, below.certificate, now)).toMatchObject(facts);
  });

  it('refuses every other chain', async () => {
    const { root, middle, key, leaf, under, wrong, stranger } = await made;
    const old = await certified(tools, root, key.publicKey, NUMBERS, { notAfter: now - 1_000 });
    const young = await certified(tools, root, key.publicKey, NUMBERS, { notBefore: now + DAY });
    const cases: [string, string, string][] = [
      ['an authority of the same name', leaf, stranger.certificate],
      ['no authority', leaf, ''],
      ['a link that is missing', under, root.certificate],
      ['another order', middle.certificate + under, stranger.certificate],
      ['an issuer that may not issue', wrong + leaf, root.certificate],
      ['a certificate that is over', old, root.certificate],
      ['a certificate whose time has not come', young, root.certificate],
      ['no certificate', 'x', root.certificate],
      ['a broken one', leaf.replace(/[A-Za-z]{8}/g, 'AAAAAAAA'), root.certificate],
    ];
    for (const [name, chain, authorities] of cases) {
      expect(await crypto.readChain(chain, authorities, now), name).toBeUndefined();
    }
    expect(await crypto.readChain(leaf, root.certificate, now + 31 * DAY)).toBeUndefined();
  });
});

it('an issuer below one that allows none is refused', async () => {
  const tools = hostWorld();
  const root = await authority(tools, 'Root');
  const middle = await authority(tools, 'Middle', root);
  const { publicKey } = await tools.crypto.createKey();
  const chain = (await certified(tools, middle, publicKey, NUMBERS)) + middle.certificate;
  expect(await tools.crypto.readChain(chain, middle.certificate, tools.clock.wall())).toBeDefined();
  // What our own authorities issue may issue no authority (pathLenConstraint 0).
  expect(await tools.crypto.readChain(chain, root.certificate, tools.clock.wall())).toBeUndefined();
});

it('who may sign certificates alone signs no calls (RFC 5280 section 4.2.1.3)', async () => {
  const tools = hostWorld();
  const root = await authority(tools, 'Root');
  const { publicKey } = await tools.crypto.createKey();
  const chain = await certified(tools, root, publicKey, NUMBERS, { use: 'authority' });
  expect(await tools.crypto.readChain(chain, root.certificate, tools.clock.wall())).toBeUndefined();
});

describe('what claims a certificate permits (RFC 8226 section 8)', async () => {
  const tools = hostWorld();
  const root = await authority(tools, 'Root');
  const read = async (value: Uint8Array) => {
    const plain = await certified(tools, root, (await tools.crypto.createKey()).publicKey, NUMBERS);
    const chain = extended(plain, root.key.privateKey, CLAIM_LIMITS, value);
    return tools.crypto.readChain(chain, root.certificate, tools.clock.wall());
  };
  const ascii = (text: string) => element('ia5String', new TextEncoder().encode(text));
  const said = (text: string) => element('utf8String', new TextEncoder().encode(text));
  const list = element('sequence', element('sequence', ascii('attest'), element('sequence', said('B'), said('C'))));

  it('is told', async () => {
    const value = element('sequence', context(0, false, element('sequence', ascii('origid'))), context(1, false, list));
    const permitted = [{ claim: 'attest', values: ['B', 'C'] }];
    expect(await read(value)).toMatchObject({ claims: { included: ['origid'], permitted } });
    const second = element('sequence', context(1, false, list));
    expect(await read(second)).toMatchObject({ claims: { included: [], permitted } });
  });

  it('up to a hundred of them', async () => {
    const names = (n: number) =>
      element('sequence', context(0, false, element('sequence', ...Array.from({ length: n }, () => ascii('a')))));
    expect(await read(names(CLAIMS))).toBeDefined();
    expect(await read(names(CLAIMS + 1))).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ['nothing', element('sequence')],
    ['something else', element('sequence', context(2, false, list))],
    ['something behind it', element('sequence', context(1, false, list), context(2, false, list))],
    [
      'no value',
      element(
        'sequence',
        context(1, false, element('sequence', element('sequence', ascii('attest'), element('sequence')))),
      ),
    ],
  ])('a certificate that says %s there is not believed', async (_name, value) => {
    expect(await read(value)).toBeUndefined();
  });
});

it('a chain of one character too many is not read', async () => {
  const tools = hostWorld();
  const root = await authority(tools);
  const { publicKey } = await tools.crypto.createKey();
  const padded = (await certified(tools, root, publicKey, NUMBERS)).padEnd(CHAIN_LIMIT, '\n');
  expect(await tools.crypto.readChain(padded, root.certificate, tools.clock.wall())).toBeDefined();
  expect(await tools.crypto.readChain(`${padded}\n`, root.certificate, tools.clock.wall())).toBeUndefined();
});

describe('the numbers of a certificate (RFC 8226 section 9)', () => {
  const entry = fc.oneof(
    fc.record({ spc: fc.stringMatching(/^[A-Z0-9]{1,10}$/) }),
    fc.record({ start: fc.stringMatching(/^[0-9]{1,15}$/), count: fc.integer({ min: 1, max: 2 ** 40 }) }),
  );

  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), (numbers) => {
        expect(readNumbers(writeNumbers(numbers))).toEqual(numbers);
      }),
      { numRuns: 60 },
    );
  });

  const ascii = (text: string) => element('ia5String', new TextEncoder().encode(text));
  it.each<[string, Uint8Array]>([
    ['none', element('sequence')],
    ['one too many', writeNumbers(new Array(TN_ENTRIES + 1).fill({ spc: '1' }))],
    ['an entry of another kind', element('sequence', context(3, false, ascii('1')))],
    ['an empty code', element('sequence', context(0, false, ascii('')))],
    ['a number with a plus sign', element('sequence', context(2, false, ascii('+1')))],
    [
      'a range of one',
      element('sequence', context(1, false, element('sequence', ascii('1'), element('integer', Uint8Array.of(1))))),
    ],
    [
      'a range without end',
      element(
        'sequence',
        context(1, false, element('sequence', ascii('1'), element('integer', new Uint8Array(9).fill(9)))),
      ),
    ],
    ['more behind it', Uint8Array.from([...writeNumbers([{ spc: '1' }]), 0])],
  ])('are refused: %s', (_name, octets) => expect(() => readNumbers(octets)).toThrow(RangeError));
});
