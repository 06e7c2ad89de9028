import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TnEntry } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { authority, certified } from '#test/support/signer.ts';
import { CHAIN_LIMIT } from './crypto-chain.ts';
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

it('a chain of one character too many is not read', async () => {
  const tools = hostWorld();
  const root = await authority(tools);
  const padded = root.certificate.padEnd(CHAIN_LIMIT, '\n');
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
