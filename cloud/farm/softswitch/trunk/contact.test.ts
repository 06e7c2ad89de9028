import { expect, it } from 'vitest';
import { followsTo } from './contact.ts';

const ADDRESSES = [
  ['0.0.0.0', '224.0.1.75', '240.0.0.1', '255.255.255.255', '::', 'ff02::1'],
  ['127.0.0.1', '127.9.9.9', '::1'],
  ['169.254.1.1', 'fe80::1', 'febf::1'],
  ['10.0.0.9', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '100.127.0.1', 'fc00::1', 'fdff::1'],
  ['203.0.113.8', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '169.253.0.1', '223.255.0.1', '2001:db8::1'],
] as const;
const all = ADDRESSES.flatMap((hosts, reach) => hosts.map((host) => ({ host, reach })));
const trunk = { name: 'x', host: 'x', mode: 'address' } as const;

it('an address that is known less far than the one from which the carrier speaks is not followed', () => {
  for (const from of all)
    for (const to of all)
      expect([from.host, to.host, followsTo(trunk, from.host, to.host)]).toEqual([
        ...[from.host, to.host, to.reach > 0 && to.reach >= from.reach],
      ]);
});

it('the operator may want it followed, or nothing; what is nobody’s address is never followed', () => {
  for (const { host: to, reach } of all)
    for (const { host: from } of all) {
      expect(followsTo({ ...trunk, followContact: true }, from, to)).toBe(reach > 0);
      expect(followsTo({ ...trunk, followContact: false }, from, to)).toBe(false);
    }
});
