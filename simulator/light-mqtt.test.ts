import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import {
  connectPacket,
  PacketReader,
  pubackPacket,
  publishPacket,
  type Received,
  subscribePacket,
} from './light-mqtt.ts';

describe('the packets of a light gateway', () => {
  it.each([
    ['CONNECT', connectPacket('gw_1', 30), '101000044d5154540402001e000467775f31'],
    ['SUBSCRIBE', subscribePacket(1, 'a/#'), '820800010003612f2301'],
    ['PUBACK', pubackPacket(258), '40020102'],
    ['PUBLISH', publishPacket(7, 'a/b', utf8('hi')), '32090003612f6200076869'],
  ])('%s', (_name, octets, expected) => {
    expect(hex(octets)).toBe(expected);
  });

  it('a body of 128 octets and more has a longer length', () => {
    expect(hex(publishPacket(1, 'a', new Uint8Array(200)).subarray(0, 3))).toBe('32cd01');
  });
});

describe('PacketReader', () => {
  const sent = fc.record({ id: fc.integer({ min: 1, max: 65_535 }), payload: fc.uint8Array({ maxLength: 400 }) });

  it('finds the same packets however the octets are cut', () => {
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 90 })), (messages, cuts) => {
        const octets = messages.flatMap(({ id, payload }) => [
          ...publishPacket(id, 'hl/1/d/gw/res', payload),
          ...pubackPacket(id),
        ]);
        const reader = new PacketReader();
        const found: Received[] = [];
        let at = 0;
        for (const cut of [...cuts, octets.length]) {
          found.push(...reader.take(Uint8Array.from(octets.slice(at, at + cut))));
          at += cut;
        }
        expect(found.map((one) => ('payload' in one ? { ...one, payload: [...one.payload] } : one))).toEqual(
          messages.flatMap(({ id, payload }) => [
            { is: 'publish', id, topic: 'hl/1/d/gw/res', payload: [...payload] },
            { is: 'puback', id },
          ]),
        );
      }),
    );
  });

  it.each([
    ['20020000', [{ is: 'connack', code: 0 }]],
    ['20020005', [{ is: 'connack', code: 5 }]],
    ['9003000180', [{ is: 'suback', code: 128 }]],
    ['d000', [{ is: 'other' }]],
    ['30050001616869', [{ is: 'publish', id: 0, topic: 'a', payload: utf8('hi') }]],
  ])('%s', (octets, expected) => {
    const bytes = Uint8Array.from(octets.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    expect(new PacketReader().take(bytes)).toEqual(expected);
  });

  it('throws on a length that never ends', () => {
    expect(() => new PacketReader().take(Uint8Array.of(0x30, 255, 255, 255, 255, 1))).toThrow('four octets');
  });
});
