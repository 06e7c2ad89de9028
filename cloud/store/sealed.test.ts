import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostCrypto } from '#shared/host/crypto.ts';
import { seal, sealingKey, unseal } from './sealed.ts';

const crypto = hostCrypto();
let n = 0;
const random = { bytes: (length: number) => Uint8Array.from({ length }, () => n++ & 255) };
const key = sealingKey(crypto, 'authority', 'trunk');

describe('a sealed secret', () => {
  it('opens again, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
        const well = text.isWellFormed() ? text : '';
        expect(unseal(crypto, key, context, seal({ crypto, random }, key, context, well))).toBe(well);
      }),
    );
  });

  it('is not the same twice, and holds nothing of the text', () => {
    const [a, b] = [1, 2].map(() => seal({ crypto, random }, key, 'id', 'correct horse battery staple, and more'));
    expect(a).not.toBe(b);
    expect(a).not.toContain(Buffer.from('horse').toString('hex'));
  });

  it('opens under no other key, name or text', () => {
    const text = seal({ crypto, random }, key, 'id', 'secret');
    expect(unseal(crypto, sealingKey(crypto, 'authority', 'other'), 'id', text)).toBeUndefined();
    expect(unseal(crypto, sealingKey(crypto, 'another', 'trunk'), 'id', text)).toBeUndefined();
    expect(unseal(crypto, key, 'id2', text)).toBeUndefined();
    for (let i = 0; i < text.length; i++) {
      const changed = text.slice(0, i) + (text[i] === '0' ? '1' : '0') + text.slice(i + 1);
      expect(unseal(crypto, key, 'id', changed)).toBeUndefined();
    }
    for (const broken of ['', 'zz', text.slice(2), 'ab'.repeat(20)])
      expect(unseal(crypto, key, 'id', broken)).toBeUndefined();
  });
});
