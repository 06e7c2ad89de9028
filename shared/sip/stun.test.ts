import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, hex } from '../kernel/bytes.ts';
import { answerStun } from './stun.ts';

/** Transaction id and addresses of the sample responses of RFC 5769 section 2.2 and 2.3. */
const ID = 'b7e7a701bc34d686fa87dfae';
const request = (text: string) => fromHex(text) ?? new Uint8Array();
const plain = request(`000100002112a442${ID}`);

describe('a STUN binding request', () => {
  it.each([
    ['IPv4', { host: '192.0.2.1', port: 32853 }, '0020000800 01a147e112a643'],
    [
      'IPv6',
      { host: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 },
      '0020001400 02a1470113a9faa5d3f179bc25f4b5bed2b9d9',
    ],
  ])('is answered with the address it came from, as in RFC 5769: %s', (_family, from, attribute) => {
    const body = attribute.replace(' ', '');
    const length = (body.length / 2).toString(16).padStart(4, '0');
    expect(hex(answerStun(plain, from) ?? new Uint8Array())).toBe(`0101${length}2112a442${ID}${body}`);
  });

  it('with attributes is answered too; an abbreviated IPv6 address is read', () => {
    const more = request(`000100082112a442${ID}8022000461626364`);
    expect(answerStun(more, { host: '::1', port: 1 })).toHaveLength(44);
    expect(answerStun(plain, { host: 'fe80::1:2', port: 1 })).toHaveLength(44);
  });

  it.each([
    ['a response', `010100002112a442${ID}`],
    ['another cookie', `00010000 2112a443${ID}`.replace(' ', '')],
    ['a length that is not its own', `000100042112a442${ID}`],
    ['half a header', '000100002112a442'],
  ])('%s is not answered', (_what, text) => {
    expect(answerStun(request(text), { host: '192.0.2.1', port: 1 })).toBeUndefined();
  });

  it('any octets give an answer of at most twice their number, or none', () => {
    const octets = fc.uint8Array({ minLength: 0, maxLength: 64 });
    fc.assert(
      fc.property(octets, (data) => (answerStun(data, { host: '10.0.0.1', port: 5 })?.length ?? 0) <= 2 * data.length),
    );
  });
});
