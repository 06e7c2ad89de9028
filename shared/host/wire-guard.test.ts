import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GUARD_LIMITS, WireGuard } from './wire-guard.ts';
import type { Sender } from './wire-guard-shape.ts';

const text = (value: string) => [value.length >> 8, value.length & 255, ...Buffer.from(value, 'latin1')];
const CONNECT_BODY = [...text('MQTT'), 4, 2, 0, 30, ...text('gw_1')];

function packet(first: number, body: readonly number[]): number[] {
  const length: number[] = [];
  let rest = body.length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    length.push(rest > 0 ? digit | 128 : digit);
  } while (rest > 0);
  return [first, ...length, ...body];
}
const connect = (change: (body: number[]) => void = () => {}) => {
  const body = [...CONNECT_BODY];
  change(body);
  return packet(0x10, body);
};
const CONNACK = [0x20, 2, 0, 0];
const opening = { client: connect(), broker: CONNACK };

/** What a guard says to these octets after a good opening packet. */
function verdict(sender: Sender, octets: readonly number[], opened = true): string {
  const guard = new WireGuard(sender, 0);
  if (opened) {
    guard.push(Uint8Array.from(opening[sender]));
    expect(guard.next(0).do).toBe('packet');
  }
  guard.push(Uint8Array.from(octets));
  const outcome = guard.next(0);
  return outcome.do === 'refuse' ? outcome.why : outcome.do;
}

describe('a packet of a gateway', () => {
  const publish = (qos: number, topic: string, rest: number[] = []) =>
    packet(0x30 | (qos << 1), [...text(topic), ...rest]);
  const subscribe = (filters: [string, number][], id = 1) =>
    packet(0x82, [id >> 8, id & 255, ...filters.flatMap(([filter, qos]) => [...text(filter), qos])]);
  const table: [string, number[], string][] = [
    ['QoS 0', publish(0, 'hl/1/g/gw_1/req', [1]), 'packet'],
    ['QoS 1', publish(1, 'hl/1/g/gw_1/req', [0, 1, 9]), 'packet'],
    [
      'QoS 1 without packet identifier',
      publish(1, 'hl/1/g/gw_1/req', [0, 0, 9]),
      'a PUBLISH without packet identifier',
    ],
    ['QoS 1 that ends before it', publish(1, 'a', [1]), 'a PUBLISH without packet identifier'],
    ['QoS 2', publish(2, 'a', [0, 1]), 'quality of service 2'],
    ['QoS 3', publish(3, 'a', [0, 1]), 'quality of service 3'],
    ['retained', packet(0x31, [...text('a')]), 'a retained message'],
    ['DUP with QoS 0', packet(0x38, [...text('a')]), 'DUP without quality of service'],
    ['DUP with QoS 1', packet(0x3a, [...text('a'), 0, 1]), 'packet'],
    ['an empty topic', publish(0, ''), 'a topic of no or too great length'],
    ['a topic of 256', publish(0, 'a'.repeat(256)), 'packet'],
    ['a topic of 257', publish(0, 'a'.repeat(257)), 'a topic of no or too great length'],
    ['a topic beyond its packet', packet(0x30, [0, 9, 97]), 'a topic longer than its packet'],
    ['a wildcard in a topic', publish(0, 'a/#'), 'a topic with characters that none of ours has'],
    ['a NUL in a topic', publish(0, 'a\0'), 'a topic with characters that none of ours has'],
    ['PUBACK', [0x40, 2, 0, 1], 'packet'],
    ['PUBACK of nothing', [0x40, 2, 0, 0], 'packet identifier 0'],
    ['PUBACK of another length', [0x40, 3, 0, 1, 0], 'packet type 4 with length 3'],
    ['SUBSCRIBE', subscribe([['a/#', 1]]), 'packet'],
    ['SUBSCRIBE with wrong flags', packet(0x80, [0, 1, ...text('a'), 1]), 'packet type 8 with flags 0'],
    ['SUBSCRIBE without identifier', subscribe([['a', 1]], 0), 'packet identifier 0'],
    ['SUBSCRIBE to nothing', packet(0x82, [0, 1]), 'no filter'],
    ['SUBSCRIBE to 8', subscribe(Array.from({ length: 8 }, () => ['a', 0])), 'packet'],
    ['SUBSCRIBE to 9', subscribe(Array.from({ length: 9 }, () => ['a', 0])), 'too many filters'],
    ['SUBSCRIBE with QoS 3', subscribe([['a', 3]]), 'a filter with an unknown quality of service'],
    ['SUBSCRIBE cut short', packet(0x82, [0, 1, ...text('a')]), 'a filter longer than its packet'],
    ['UNSUBSCRIBE', packet(0xa2, [0, 1, ...text('a')]), 'packet'],
    ['PINGREQ', [0xc0, 0], 'packet'],
    ['PINGREQ with a body', [0xc0, 1, 0], 'packet type 12 with length 1'],
    ['DISCONNECT', [0xe0, 0], 'packet'],
    ['PUBREC', [0x50, 2, 0, 1], 'packet type 5 is not for a client'],
    ['PUBREL', [0x62, 2, 0, 1], 'packet type 6 is not for a client'],
    ['AUTH (MQTT 5)', [0xf0, 0], 'packet type 15 is not for a client'],
    ['type 0', [0, 0], 'packet type 0 is not for a client'],
    ['a broker’s CONNACK', CONNACK, 'packet type 2 is not for a client'],
    ['a second CONNECT', connect(), 'a second opening packet'],
    ['a length of five octets', [0x30, 255, 255, 255, 255, 1], 'a remaining length without end'],
    ['a length longer than needed', [0xc0, 0x80, 0], 'a remaining length longer than needed'],
    ['an announced 250 MB', [0x30, 0xff, 0xff, 0xff, 0x77], 'a packet of 251658244 octets where 65536 are allowed'],
  ];
  test.each(table)('%s', (_name, octets, expected) => {
    expect(verdict('client', octets)).toBe(expected);
  });
});

describe('a CONNECT', () => {
  const table: [string, number[], string, number | undefined][] = [
    ['good', connect(), 'packet', undefined],
    [
      'another protocol',
      connect((b) => {
        b[2] = 88;
      }),
      'not MQTT',
      undefined,
    ],
    [
      'MQTT 5',
      connect((b) => {
        b[6] = 5;
      }),
      'a protocol level other than 4',
      1,
    ],
    [
      'the reserved flag',
      connect((b) => {
        b[7] = 3;
      }),
      'the reserved CONNECT flag',
      undefined,
    ],
    [
      'a will',
      connect((b) => {
        b[7] = 6;
      }),
      'a will',
      5,
    ],
    [
      'a lasting session',
      connect((b) => {
        b[7] = 0;
      }),
      'a session that outlives its connection',
      5,
    ],
    [
      'a password without a name',
      connect((b) => {
        b[7] = 0x42;
      }),
      'a password without a name',
      undefined,
    ],
    [
      'no keep-alive',
      connect((b) => {
        b[9] = 0;
      }),
      'keep-alive out of range',
      5,
    ],
    [
      'a keep-alive of 300',
      connect((b) => {
        b[8] = 1;
        b[9] = 44;
      }),
      'packet',
      undefined,
    ],
    [
      'a keep-alive of 301',
      connect((b) => {
        b[8] = 1;
        b[9] = 45;
      }),
      'keep-alive out of range',
      5,
    ],
    [
      'no client identifier',
      packet(0x10, [...CONNECT_BODY.slice(0, 10), 0, 0]),
      'a client identifier of wrong length',
      2,
    ],
    ['64 characters', packet(0x10, [...CONNECT_BODY.slice(0, 10), ...text('a'.repeat(64))]), 'packet', undefined],
    [
      '65 characters',
      packet(0x10, [...CONNECT_BODY.slice(0, 10), ...text('a'.repeat(65))]),
      'a client identifier of wrong length',
      2,
    ],
    ['trailing octets', packet(0x10, [...CONNECT_BODY, 0]), 'a CONNECT whose fields do not fill it', undefined],
    ['a user name', packet(0x10, [...text('MQTT'), 4, 0x82, 0, 30, ...text('a'), ...text('u')]), 'packet', undefined],
    [
      'a user name that is not there',
      packet(0x10, [...text('MQTT'), 4, 0x82, 0, 30, ...text('a')]),
      'a CONNECT whose fields do not fill it',
      undefined,
    ],
    [
      '4096 octets',
      packet(0x10, [...text('MQTT'), 4, 0x82, 0, 30, ...text('a'), ...text('u'.repeat(4078))]),
      'packet',
      undefined,
    ],
    [
      '4097 octets',
      packet(0x10, [...text('MQTT'), 4, 0x82, 0, 30, ...text('a'), ...text('u'.repeat(4079))]),
      'a packet of 4097 octets where 4096 are allowed',
      undefined,
    ],
    ['not first', [0xc0, 0], 'another packet before the first', undefined],
  ];
  test.each(table)('%s', (_name, octets, expected, code) => {
    const guard = new WireGuard('client', 0);
    guard.push(Uint8Array.from(octets));
    const outcome = guard.next(0);
    expect(outcome.do === 'refuse' ? outcome.why : outcome.do).toBe(expected);
    expect(outcome.do === 'refuse' ? outcome.reply?.[3] : undefined).toBe(code);
  });
});

describe('a packet of the broker', () => {
  const table: [string, number[], string][] = [
    ['PUBLISH', packet(0x32, [...text('a'), 0, 1]), 'packet'],
    [
      'PUBLISH that would end an mqtt.js process',
      packet(0x32, [...text('a'), 0, 0]),
      'a PUBLISH without packet identifier',
    ],
    ['PUBLISH of QoS 2', packet(0x34, [...text('a'), 0, 1]), 'quality of service 2'],
    ['SUBACK', [0x90, 3, 0, 1, 1], 'packet'],
    ['SUBACK without codes', [0x90, 2, 0, 1], 'malformed SUBACK'],
    ['PINGRESP', [0xd0, 0], 'packet'],
    ['UNSUBACK', [0xb0, 2, 0, 1], 'packet'],
    ['a gateway’s SUBSCRIBE', packet(0x82, [0, 1, ...text('a'), 1]), 'packet type 8 is not for a broker'],
    ['a second CONNACK', CONNACK, 'a second opening packet'],
    ['128 MiB', [0x30, 0x80, 0x80, 0x80, 0x40], 'a packet of 134217733 octets where 65536 are allowed'],
  ];
  test.each(table)('%s', (_name, octets, expected) => {
    expect(verdict('broker', octets)).toBe(expected);
  });
});

describe('budgets', () => {
  const PING = Uint8Array.of(0xc0, 0);
  const opened = () => {
    const guard = new WireGuard('client', 0);
    guard.push(Uint8Array.from(connect()));
    guard.next(0);
    return guard;
  };

  test('the burst passes, the next packet waits for its token, and so on at the rate', () => {
    const guard = opened();
    for (let i = 0; i < 1000; i++) guard.push(PING);
    let now = 0;
    let passed = 0;
    const waits: number[] = [];
    while (passed < 500) {
      const outcome = guard.next(now);
      if (outcome.do === 'packet') passed++;
      else if (outcome.do === 'wait') {
        waits.push(passed);
        now = outcome.until;
      } else throw new Error(outcome.do);
    }
    // One of the burst was the CONNECT.
    expect(waits[0]).toBe(GUARD_LIMITS.packetBurst - 1);
    expect(now).toBeCloseTo(((500 - 399) * 1000) / GUARD_LIMITS.packetsPerSecond, 0);
  });

  test('octets count as well', () => {
    const guard = opened();
    const large = Uint8Array.from(packet(0x30, [...text('a'), ...new Array(60_000).fill(0)]));
    let now = 0;
    let octets = 0;
    while (octets < 3 * 1024 * 1024) {
      guard.push(large);
      for (let outcome = guard.next(now); outcome.do !== 'more'; outcome = guard.next(now)) {
        if (outcome.do === 'wait') now = outcome.until;
        else if (outcome.do === 'packet') octets += outcome.data.length;
        else throw new Error(outcome.do);
      }
    }
    const seconds = (octets - GUARD_LIMITS.byteBurst) / GUARD_LIMITS.bytesPerSecond;
    expect(now / 1000).toBeGreaterThan(seconds - 0.5);
    expect(now / 1000).toBeLessThan(seconds + 0.5);
  });

  test('who goes on sending while it must wait is closed, and little is kept', () => {
    const guard = opened();
    const chunk = new Uint8Array(16_384);
    for (let i = 0; i < chunk.length; i += 2) chunk[i] = 0xc0;
    let most = 0;
    for (let i = 0; i < 100; i++) {
      guard.push(chunk);
      while (guard.next(0).do === 'packet');
      most = Math.max(most, guard.held);
    }
    expect(most).toBeLessThanOrEqual(GUARD_LIMITS.packet + 256 * 1024);
    expect(guard.next(0)).toMatchObject({ do: 'refuse', why: 'octets sent in spite of back-pressure' });
    expect(guard.held).toBe(0);
  });
});

describe('time', () => {
  test('the first packet must be whole in 10 s', () => {
    const guard = new WireGuard('client', 1000);
    guard.push(Uint8Array.from(connect().slice(0, -1)));
    expect(guard.due).toBe(11_000);
    expect(guard.next(10_999).do).toBe('more');
    expect(guard.next(11_000)).toMatchObject({ do: 'refuse', why: 'no first packet in time' });
  });

  test('afterwards there is no deadline', () => {
    const guard = new WireGuard('client', 0);
    guard.push(Uint8Array.from(connect()));
    guard.next(0);
    expect(guard.due).toBe(Number.POSITIVE_INFINITY);
    expect(guard.next(1e9).do).toBe('more');
  });
});

describe('any octets', () => {
  const good = fc.constantFrom<number[]>(
    connect(),
    packet(0x32, [...text('hl/1/g/gw_1/event'), 0, 7, ...new Array(300).fill(65)]),
    packet(0x30, [...text('hl/1/g/gw_1/tele'), ...new Array(5000).fill(66)]),
    packet(0x82, [0, 1, ...text('hl/1/d/gw_1/#'), 1]),
    [0x40, 2, 0, 1],
    [0xc0, 0],
  );

  test('packets come out whole and in order, however the octets are cut', () => {
    fc.assert(
      fc.property(fc.array(good, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 700 })), (packets, cuts) => {
        const stream = [connect(), ...packets.filter((octets) => octets[0] !== 0x10)];
        const octets = Uint8Array.from(stream.flat());
        const guard = new WireGuard('client', 0);
        const got: number[][] = [];
        let at = 0;
        for (let i = 0; at < octets.length; i++) {
          const cut = cuts[i % Math.max(1, cuts.length)] ?? octets.length;
          guard.push(octets.slice(at, at + cut));
          at += cut;
          for (let next = guard.next(0); next.do === 'packet'; next = guard.next(0)) got.push([...next.data]);
        }
        expect(got).toEqual(stream);
        expect(guard.held).toBe(0);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  test('20,000 damaged streams: never a throw, never more kept than allowed, every packet well-shaped', () => {
    fc.assert(
      fc.property(
        fc.array(good, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom('set', 'cut', 'insert')), { maxLength: 4 }),
        fc.constantFrom<Sender>('client', 'broker'),
        (packets, damages, sender) => {
          const octets = [...opening[sender], ...packets.flat()];
          for (const [at, value, how] of damages) {
            if (how === 'set') octets[at % octets.length] = value;
            else
              octets.splice(
                at % octets.length,
                how === 'cut' ? 1 + (value % 8) : 0,
                ...(how === 'insert' ? [value] : []),
              );
          }
          const guard = new WireGuard(sender, 0);
          guard.push(Uint8Array.from(octets));
          for (let next = guard.next(0); next.do === 'packet'; next = guard.next(0)) {
            expect(next.data.length).toBeLessThanOrEqual(GUARD_LIMITS.packet);
            if ((next.data[0] ?? 0) >> 4 === 3) expect(((next.data[0] ?? 0) >> 1) & 3).toBeLessThan(2);
          }
          expect(guard.held).toBeLessThanOrEqual(octets.length);
        },
      ),
      { numRuns: 20_000, seed: 7 },
    );
  });
});
