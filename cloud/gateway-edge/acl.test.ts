import { describe, expect, test } from 'vitest';
import type { Peer } from '#shared/kernel/world.ts';
import { claimOf, clientIdOf, type Identity, mayPublish, maySubscribe } from './acl.ts';

const KEY = 'ab'.repeat(32);
const gateway: Identity = { kind: 'gateway', gateway: 'gw_1', home: 'home_1', serial: '1' };
const applicant: Identity = { kind: 'applicant', keyHash: KEY };

describe('a certificate', () => {
  const peer = {
    kind: 'certificate',
    subject: 'gw_1',
    keyHash: KEY,
    trusted: true,
    selfSigned: false,
    serial: '5',
  } as const;
  const table: [string, Peer, unknown][] = [
    ['of ours is a gateway', peer, { kind: 'gateway', gateway: 'gw_1', serial: '5' }],
    ['of ours with another subject is nobody', { ...peer, subject: 'cloud' }, undefined],
    ['of ours with a subject that is no topic level is nobody', { ...peer, subject: 'gw_/+' }, undefined],
    ['of its own is an applicant', { ...peer, trusted: false, selfSigned: true }, { kind: 'applicant', keyHash: KEY }],
    [
      'of its own that calls itself a gateway is an applicant',
      { ...peer, subject: 'gw_2', trusted: false, selfSigned: true },
      { kind: 'applicant', keyHash: KEY },
    ],
    ['of somebody else is nobody', { ...peer, trusted: false }, undefined],
    ['that did not come is nobody', { kind: 'none' }, undefined],
  ];
  test.each(table)('%s', (_name, given, claim) => {
    expect(claimOf(given)).toEqual(claim);
  });

  test('names the client', () => {
    expect([clientIdOf(gateway), clientIdOf(applicant)]).toEqual(['gw_1', KEY]);
  });
});

describe('publishing', () => {
  const table: [Identity, string, string | undefined][] = [
    [gateway, 'hl/1/g/gw_1/hello', 'hello'],
    [gateway, 'hl/1/g/gw_1/req', 'req'],
    [gateway, 'hl/1/g/gw_1/res', 'res'],
    [gateway, 'hl/1/g/gw_1/event', 'event'],
    [gateway, 'hl/1/g/gw_1/reported', 'reported'],
    [gateway, 'hl/1/g/gw_1/tele', 'tele'],
    [gateway, 'hl/1/g/gw_1/other', undefined],
    [gateway, 'hl/1/g/gw_1', undefined],
    [gateway, 'hl/1/g/gw_1/req/x', undefined],
    [gateway, 'hl/1/g/gw_2/req', undefined],
    [gateway, 'hl/1/g/gw_11/req', undefined],
    [gateway, 'hl/1/g//req', undefined],
    [gateway, 'hl/1/d/gw_1/cmd', undefined],
    [gateway, 'hl/1/d/gw_2/cmd', undefined],
    [gateway, `hl/1/p/${KEY}/up/req`, undefined],
    [gateway, 'hl/2/g/gw_1/req', undefined],
    [gateway, '$SYS/edge/new/clients', undefined],
    [gateway, '/hl/1/g/gw_1/req', undefined],
    [applicant, `hl/1/p/${KEY}/up/req`, 'req'],
    [applicant, `hl/1/p/${KEY}/up/res`, 'res'],
    [applicant, `hl/1/p/${KEY}/up/hello`, undefined],
    [applicant, `hl/1/p/${KEY}/down/cmd`, undefined],
    [applicant, `hl/1/p/${'cd'.repeat(32)}/up/req`, undefined],
    [applicant, `hl/1/g/${KEY}/req`, undefined],
    [applicant, 'hl/1/g/gw_1/req', undefined],
  ];
  test.each(table)('%o to %s', (identity, topic, channel) => {
    expect(mayPublish(identity, topic)).toBe(channel);
  });
});

describe('subscribing', () => {
  const table: [Identity, string, number, boolean][] = [
    [gateway, 'hl/1/d/gw_1/#', 1, true],
    [gateway, 'hl/1/d/gw_1/#', 0, true],
    [gateway, 'hl/1/d/gw_1/#', 2, false],
    [gateway, 'hl/1/d/gw_1/cmd', 1, false],
    [gateway, 'hl/1/d/gw_1/+', 1, false],
    [gateway, 'hl/1/d/gw_2/#', 1, false],
    [gateway, 'hl/1/d/+/#', 1, false],
    [gateway, 'hl/1/d/#', 1, false],
    [gateway, 'hl/1/g/gw_1/#', 1, false],
    [gateway, 'hl/1/g/+/req', 1, false],
    [gateway, `hl/1/p/${KEY}/down/#`, 1, false],
    [gateway, '#', 1, false],
    [gateway, '+/#', 1, false],
    [gateway, '$SYS/#', 1, false],
    [gateway, '$share/g/hl/1/d/gw_1/#', 1, false],
    [gateway, '', 1, false],
    [applicant, `hl/1/p/${KEY}/down/#`, 1, true],
    [applicant, `hl/1/p/${KEY}/#`, 1, false],
    [applicant, `hl/1/p/${KEY}/up/#`, 1, false],
    [applicant, 'hl/1/p/+/down/#', 1, false],
    [applicant, `hl/1/d/${KEY}/#`, 1, false],
    [applicant, '#', 1, false],
  ];
  test.each(table)('%o to %s with QoS %i', (identity, filter, qos, allowed) => {
    expect(maySubscribe(identity, filter, qos)).toBe(allowed);
  });
});
