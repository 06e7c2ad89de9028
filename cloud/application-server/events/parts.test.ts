/** The small deciding parts of webhooks: addresses, signatures, times. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { isPublicAddress } from './address.ts';
import { DOWN_AFTER, GIVE_UP_AFTER, restAfter, retryAfter, waitAfter } from './schedule.ts';
import { newSecret, signedHeaders } from './signature.ts';

describe('addresses', () => {
  test.each([
    ...['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.0', '100.128.0.1', '223.255.255.255'],
    ...['2001:4860:4860::8888', '2600::', '2a00:1450:4001:81b::200e', '::ffff:8.8.8.8', '2001:200::1'],
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255'],
    ...['198.51.100.1', '203.0.113.9', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::10.0.0.1', '64:ff9b::a00:1', '100::1', 'fc00::1'],
    ...['fd12::1', 'fe80::1', 'ff02::1', '2001::1', '2001:db8::1', '2002:a00:1::', '3fff::1', '5f00::1'],
    ...[
      '',
      'localhost',
      'example.org',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '1:2:3',
      '::1::2',
      '1.2.3.4%eth0',
      '12345::',
    ],
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));

  test('no text breaks the check', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.%') }), (text) => void isPublicAddress(text)),
    );
  });
});

describe('signatures', () => {
  const world = hostWorld({ level: 'error' });

  test('are those of Standard Webhooks', () => {
    // The example of the libraries' own tests (github.com/standard-webhooks/standard-webhooks).
    const headers = signedHeaders(world, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      at: 1_614_265_330_000,
      body: '{"test": 2432232314}',
    });
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  test('secrets have 24 octets and differ', () => {
    const secret = newSecret(world);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{32}$/);
    expect(newSecret(world)).not.toBe(secret);
  });
});

describe('times', () => {
  test('waits grow to ten minutes and are spread by a fifth', () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((n) => waitAfter(n, 0.5))).toEqual([5e3, 15e3, 45e3, 135e3, 405e3, 600e3, 600e3]);
    expect([waitAfter(1, 0), waitAfter(1, 0.999)]).toEqual([4000, 5998]);
    expect(waitAfter(50, 0.999)).toBeLessThan(GIVE_UP_AFTER);
  });

  test('a receiver rests from the third failure in a row on, at most a minute and a bit', () => {
    expect([DOWN_AFTER - 1, DOWN_AFTER, DOWN_AFTER + 1, 99].map((n) => restAfter(n, 0.5))).toEqual([
      0, 2000, 4000, 60_000,
    ]);
  });

  test.each([
    ['120', 120_000],
    ['999999', 3_600_000],
    ['-1', 0],
    ['soon', 0],
    [undefined, 0],
  ])('Retry-After %s', (header, wait) => expect(retryAfter(header)).toBe(wait));
});
