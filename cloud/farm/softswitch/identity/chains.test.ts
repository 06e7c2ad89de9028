import { expect, it } from 'vitest';
import type { ChainFacts } from '#shared/kernel/world.ts';
import { Chains, KNOWN, KNOWN_FOR } from './chains.ts';

function rig() {
  const asked: string[] = [];
  const facts: ChainFacts = { subject: 'x', publicKey: new Uint8Array(), notAfter: 0 };
  const chains = new Chains({
    async readChain(chain, authorities, wall) {
      asked.push(`${chain} ${authorities} ${wall}`);
      return chain === 'bad' ? undefined : facts;
    },
  });
  return { asked, chains, facts };
}

it('a chain is read once, good or bad, and again after a while, whichever way the clock went', async () => {
  const { asked, chains, facts } = rig();
  for (const wall of [0, KNOWN_FOR - 1]) {
    expect(await chains.readChain('good', 'ca', wall)).toBe(facts);
    expect(await chains.readChain('bad', 'ca', wall)).toBeUndefined();
  }
  expect(asked).toEqual(['good ca 0', 'bad ca 0']);
  await chains.readChain('good', 'ca', KNOWN_FOR);
  await chains.readChain('good', 'ca', 0);
  expect(asked).toHaveLength(4);
});

it('what hung on other authorities proves nothing', async () => {
  const { asked, chains } = rig();
  await chains.readChain('good', 'ca', 0);
  await chains.readChain('good', 'other', 0);
  expect(asked).toEqual(['good ca 0', 'good other 0']);
});

it('so many are known, and the oldest is read anew', async () => {
  const { asked, chains } = rig();
  for (let i = 0; i <= KNOWN; i++) await chains.readChain(`${i}`, 'ca', 0);
  await chains.readChain('1', 'ca', 0);
  expect(asked).toHaveLength(KNOWN + 1);
  await chains.readChain('0', 'ca', 0);
  expect(asked).toHaveLength(KNOWN + 2);
});
