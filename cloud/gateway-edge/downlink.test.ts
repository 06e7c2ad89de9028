import { describe, expect, test } from 'vitest';
import { WireGuard } from '#shared/host/wire-guard.ts';
import { CONNECTION_BUFFER, Downlink, publishPacket, QUEUE_LIMIT, STALL_LIMIT, WINDOW } from './downlink.ts';

const payload = (octets: number) => new Uint8Array(octets);
const idOf = (packet: Uint8Array | undefined) => (packet === undefined ? 0 : (packet[5] ?? 0) * 256 + (packet[6] ?? 0));

describe('a packet', () => {
  test('is an MQTT PUBLISH with QoS 1', () => {
    expect([...publishPacket('ab', Uint8Array.of(7, 8), 258)]).toEqual([0x32, 8, 0, 2, 97, 98, 1, 2, 7, 8]);
  });

  test.each([0, 121, 122, 123, 16_377, 16_378, 16_379, 60_000])('of %i octets passes the gateway’s guard', (octets) => {
    const guard = new WireGuard('broker', 0);
    const packet = publishPacket('t', payload(octets), 1);
    guard.push(Uint8Array.from([0x20, 2, 0, 0, ...packet]));
    guard.next(0);
    expect(guard.next(0)).toMatchObject({ do: 'packet', data: packet });
    expect(guard.next(0).do).toBe('more');
  });
});

describe('the window', () => {
  test(`lets ${WINDOW} go unacknowledged; each acknowledgement lets one more go, in order`, () => {
    const downlink = new Downlink();
    for (let i = 1; i <= WINDOW + 2; i++) downlink.push('t', Uint8Array.of(i), 0, 0);
    const sent: (number | undefined)[] = [];
    for (let packet = downlink.next(0, 0); packet !== undefined; packet = downlink.next(0, 0)) sent.push(packet.at(-1));
    expect(sent).toEqual(Array.from({ length: WINDOW }, (_, i) => i + 1));
    downlink.acknowledged(3, 0);
    expect(downlink.next(0, 0)?.at(-1)).toBe(WINDOW + 1);
    expect(downlink.next(0, 0)).toBeUndefined();
    downlink.acknowledged(999, 0);
    expect(downlink.next(0, 0)).toBeUndefined();
  });

  test('packet identifiers go round and never repeat one that is under way', () => {
    const downlink = new Downlink();
    downlink.push('t', payload(1), 0, 0);
    const first = idOf(downlink.next(0, 0));
    expect(first).toBe(1);
    const seen = new Set<number>();
    for (let i = 0; i < 65_535; i++) {
      downlink.push('t', payload(1), 0, 0);
      const id = idOf(downlink.next(0, 0));
      expect(id).not.toBe(first);
      expect(id).not.toBe(0);
      seen.add(id);
      downlink.acknowledged(id, 0);
    }
    expect(seen.size).toBe(65_534);
  });
});

describe('a gateway that does not read', () => {
  test('is full at 256 kB, what the connection holds included', () => {
    const downlink = new Downlink();
    const block = payload(16 * 1024);
    for (let i = 0; i < 15; i++) expect(downlink.push('t', block, 0, 0)).toBe(true);
    expect(downlink.push('t', block, 1, 0)).toBe(false);
    expect(downlink.push('t', block, 0, 0)).toBe(true);
    expect(downlink.octets).toBe(QUEUE_LIMIT);
    expect(downlink.push('t', payload(1), 0, 0)).toBe(false);
  });

  test('is given nothing more while its connection is full', () => {
    const downlink = new Downlink();
    downlink.push('t', payload(1), 0, 0);
    expect(downlink.next(CONNECTION_BUFFER + 1, 0)).toBeUndefined();
    expect(downlink.next(CONNECTION_BUFFER, 0)).toBeDefined();
  });

  test('has stalled after 5 s in which nothing moved: no acknowledgement and no octet', () => {
    const downlink = new Downlink();
    for (let i = 0; i <= WINDOW; i++) downlink.push('t', payload(10), 0, 1000);
    while (downlink.next(0, 1000) !== undefined);
    expect(downlink.stalled(0, 1000 + STALL_LIMIT - 1)).toBe(false);
    expect(downlink.stalled(0, 1000 + STALL_LIMIT)).toBe(true);
    downlink.acknowledged(1, 7000);
    expect(downlink.stalled(0, 7000 + STALL_LIMIT - 1)).toBe(false);
    expect(downlink.stalled(500, 7000 + STALL_LIMIT)).toBe(true);
    expect(downlink.stalled(400, 7000 + STALL_LIMIT)).toBe(false);
    expect(downlink.stalled(400, 7000 + 2 * STALL_LIMIT - 1)).toBe(false);
    expect(downlink.stalled(400, 7000 + 2 * STALL_LIMIT)).toBe(true);
  });

  test('has not stalled while nothing waits, however long ago the last thing was', () => {
    const downlink = new Downlink();
    downlink.push('t', payload(10), 0, 0);
    downlink.next(0, 0);
    expect(downlink.stalled(0, 1e6)).toBe(false);
    downlink.acknowledged(1, 1e6);
    downlink.push('t', payload(10), 0, 2e6);
    expect(downlink.stalled(0, 2e6 + 1)).toBe(false);
  });
});
