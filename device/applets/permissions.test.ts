import { describe, expect, it } from 'vitest';
import type { Permissions } from '#shared/protocol/applet-manifest.ts';
import { granted, isLocalAddress, mayAsk, mayReach } from './permissions.ts';

const all: Permissions = {
  'call.control': { numbers: ['+1555*', '700', '*'], concurrent: 2 },
  'media.play': { items: ['rain'] },
  'lan.http': {
    devices: ['Front door', 'urn:schemas-upnp-org:device:Light:1'],
    methods: ['POST'],
    paths: ['/open', '/light/*'],
  },
};
const code = (fault: { code: string } | undefined) => fault?.code ?? 'ok';

describe('verbs that an applet may ask for', () => {
  it.each([
    ['call.create', { from: '+15550001', to: '+15550002' }, 0, all, 'ok'],
    ['call.create', { from: '+15550001', to: '112' }, 0, all, 'not_permitted'],
    ['call.create', { from: '+15550001', to: '9-1-1' }, 0, all, 'not_permitted'],
    ['call.create', { from: '+15550001', to: '+15550002' }, 2, all, 'not_permitted'],
    [
      'call.create',
      { from: '+15550001', to: '+491234' },
      0,
      { 'call.control': { numbers: ['+1555*'], concurrent: 1 } },
      'not_permitted',
    ],
    [
      'call.create',
      { from: 'line_1', to: '+15550002' },
      0,
      { 'call.control': { numbers: ['+1555*'], concurrent: 1 } },
      'not_permitted',
    ],
    ['call.create', { from: '+15550001', to: '+15550002' }, 0, {}, 'not_permitted'],
    ['session.end', { session: 'ses_1' }, 0, all, 'ok'],
    ['session.end', { session: 'ses_1' }, 0, {}, 'not_permitted'],
    ['media.play', { to: 'line_1', item: 'rain' }, 0, all, 'ok'],
    ['media.play', { to: 'line_1', item: 'rainbow' }, 0, all, 'not_permitted'],
    ['balance.set', {}, 0, all, 'not_permitted'],
    ['__proto__', {}, 0, all, 'not_permitted'],
  ] as const)('%s %j with %i up: %s', (verb, request, live, permissions, expected) => {
    expect(code(mayAsk(permissions as Permissions, verb, request, live))).toBe(expected);
  });
});

describe('appliances that an applet may reach', () => {
  const door = { name: 'Front door', kind: 'x' };
  it.each([
    [door, 'POST', '/open', 'ok'],
    [{ name: 'Any', kind: 'urn:schemas-upnp-org:device:Light:1' }, 'POST', '/light/on', 'ok'],
    [door, 'GET', '/open', 'not_permitted'],
    [door, 'POST', '/opened', 'not_permitted'],
    [door, 'POST', '/light/../open', 'not_permitted'],
    [door, 'POST', '/light//evil', 'not_permitted'],
    [door, 'POST', '/light/%2e%2e', 'not_permitted'],
    [door, 'POST', '/light/\r\nx', 'not_permitted'],
    [{ name: 'Safe', kind: 'y' }, 'POST', '/open', 'not_permitted'],
  ] as const)('%j %s %s: %s', (device, method, path, expected) => {
    expect(code(mayReach(all, device, { method, path }))).toBe(expected);
  });
  it('none without the permission', () =>
    expect(code(mayReach({}, door, { method: 'POST', path: '/open' }))).toBe('not_permitted'));
});

it.each([
  ['192.168.1.20', true],
  ['10.1.2.3', true],
  ['172.31.0.1', true],
  ['172.32.0.1', false],
  ['169.254.1.1', true],
  ['fe80::1', true],
  ['fd00::1', true],
  ['8.8.8.8', false],
  ['2001:db8::1', false],
  ['100.64.0.1', false],
])('%s is on the LAN: %s', (host, expected) => expect(isLocalAddress(host)).toBe(expected));

it('grants are what the manifest asks for and the subscriber consented to', () => {
  expect(Object.keys(granted(all, ['media.play', 'storage', 'lan.http']))).toEqual(['media.play', 'lan.http']);
});
