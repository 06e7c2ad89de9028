import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { plainAddress } from './address.ts';

it.each([
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:0db8:0000:1:0:0:0:0001', '2001:db8:0:1::1'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['::1', '::1'],
  ['fe80:0:0:0:1:0:0:0', 'fe80::1:0:0:0'],
  ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
  // No address, or none that has one form: as it is.
  ['192.0.2.1', '192.0.2.1'],
  ['Carrier.example', 'Carrier.example'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['1:2:3', '1:2:3'],
  ['1::2::3', '1::2::3'],
  ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:9'],
])('%s is %s', (given, expected) => {
  expect(plainAddress(given)).toBe(expected);
});

it('is the form that a browser and the system give', () => {
  const group = fc.constantFrom('0', '0', '0', '1', 'ab', '0c0d', 'FFFF');
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const given = groups.join(':');
      expect(isIPv6(given)).toBe(true);
      expect(`[${plainAddress(given)}]`).toBe(new URL(`http://[${given}]/`).hostname);
      expect(plainAddress(plainAddress(given))).toBe(plainAddress(given));
    }),
  );
});
