import { describe, expect, it } from 'vitest';
import { SIP_LIMITS, SipGuard, SOURCE_LIMIT } from './sip-guard.ts';
import { localFor } from './sip-local.ts';

describe('allowance', () => {
  it('says how long to wait, and each source has its own', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, rate: 10, burst: 2 });
    expect([0, 0, 0].map(() => guard.admit('192.0.2.1', 0))).toEqual([0, 0, 100]);
    expect(guard.admit('192.0.2.2', 0)).toBe(0);
    expect(guard.admit('192.0.2.1', 50)).toBe(50);
    expect(guard.admit('192.0.2.1', 100)).toBe(0);
    expect([0, 0, 0].map(() => guard.admit('192.0.2.1', 60_000))).toEqual([0, 0, 100]);
  });

  it('who has proved itself is not counted for ten minutes, its neighbours are', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, burst: 1 });
    expect(SIP_LIMITS.trust).toBe(600_000);
    guard.trust('192.0.2.1', 1_000);
    expect([0, 0, 0].map(() => guard.admit('192.0.2.1', 600_999))).toEqual([0, 0, 0]);
    expect([0, 0].map(() => guard.admit('192.0.2.1', 601_000))).toEqual([0, 5]);
    expect([0, 0].map(() => guard.admit('192.0.2.2', 2_000))).toEqual([0, 5]);
    // A further proof counts from then on.
    guard.trust('192.0.2.1', 700_000);
    expect([guard.trusts('192.0.2.1', 1_299_999), guard.trusts('192.0.2.1', 1_300_000)]).toEqual([true, false]);
  });

  it('a host with a whole IPv6 prefix is one source', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, burst: 1 });
    expect(guard.admit('2001:db8::1', 0)).toBe(0);
    expect(guard.admit('2001:db8::2', 0)).toBeGreaterThan(0);
  });

  it('remembers a bounded number of sources: the one known longest starts anew', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, burst: 1 });
    const address = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    for (let i = 0; i < SOURCE_LIMIT; i++) guard.admit(address(i), 0);
    expect(guard.admit(address(0), 0)).toBeGreaterThan(0);
    guard.admit(address(SOURCE_LIMIT), 0);
    expect(guard.admit(address(0), 0)).toBe(0);
  });
});

describe('connections', () => {
  it('with a believed certificate count by themselves', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, connections: 1, connectionsPerSource: 1, proven: 2 });
    expect(guard.opened('192.0.2.1', false, 0)).toBe(true);
    expect(guard.opened('192.0.2.1', false, 0)).toBe(false);
    expect([1, 2, 3].map(() => guard.opened('192.0.2.1', true, 0))).toEqual([true, true, false]);
    guard.closed('192.0.2.1', true);
    expect(guard.opened('192.0.2.1', false, 0)).toBe(false);
    expect(guard.opened('192.0.2.1', true, 0)).toBe(true);
    guard.closed('192.0.2.1', false);
    expect(guard.opened('192.0.2.1', false, 0)).toBe(true);
  });
});

describe('connections of a source that proved itself', () => {
  it('are no strangers’, the earlier ones neither, and have a limit of their own', () => {
    const guard = new SipGuard({ ...SIP_LIMITS, connections: 2, connectionsPerSource: 1, known: 2 });
    expect([guard.opened('192.0.2.1', false, 0), guard.opened('192.0.2.2', false, 0), guard.isFull]).toEqual([
      true,
      true,
      true,
    ]);
    guard.trust('192.0.2.1', 0);
    expect([guard.isFull, guard.isStranger('192.0.2.1'), guard.isStranger('192.0.2.2')]).toEqual([false, false, true]);
    // They stay so while they last, whenever the proof was.
    expect([1, 2].map(() => guard.opened('192.0.2.1', false, 1e9))).toEqual([true, false]);
    guard.closed('192.0.2.1', false);
    guard.closed('192.0.2.1', false);
    expect([guard.opened('192.0.2.1', false, 1e9), guard.isStranger('192.0.2.1'), guard.isFull]).toEqual([
      true,
      true,
      true,
    ]);
    // A close that nobody counted changes nothing.
    guard.closed('192.0.2.9', false);
    expect(guard.isFull).toBe(true);
  });
});

describe('localFor', () => {
  const net = {
    addresses: () => [
      { name: 'eth0', host: '192.0.2.7', family: 4 as const, loopback: false, mac: '', prefix: 24 },
      { name: 'eth0', host: '2001:db8::7', family: 6 as const, loopback: false, mac: '', prefix: 64 },
      { name: 'lo', host: '127.0.0.1', family: 4 as const, loopback: true, mac: '', prefix: 8 },
    ],
  };
  it.each([
    ['192.0.2.9', '198.51.100.1', undefined, '192.0.2.9'],
    ['0.0.0.0', '198.51.100.1', undefined, '192.0.2.7'],
    ['0.0.0.0', '198.51.100.1', '203.0.113.5', '203.0.113.5'],
    ['0.0.0.0', '127.0.0.1', '203.0.113.5', '127.0.0.1'],
    ['::', '2001:db8::9', undefined, '2001:db8::7'],
    ['::', '::1', undefined, '::1'],
    // A public address serves its own family, a name both.
    ['::', '2001:db8::9', '203.0.113.5', '2001:db8::7'],
    ['::', '198.51.100.1', '203.0.113.5', '203.0.113.5'],
    ['::', '198.51.100.1', '2001:db8::5', '192.0.2.7'],
    ['::', '2001:db8::9', '2001:db8::5', '2001:db8::5'],
    ['::', '2001:db8::9', 'sip.example', 'sip.example'],
  ])('bound to %s, towards %s, public %s: %s', (bound, remote, publicHost, host) => {
    expect(localFor(net, { host: bound, port: 5060 }, remote, publicHost)).toEqual({ host, port: 5060 });
  });
});
