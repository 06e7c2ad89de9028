/** The nine stages, their light, and what is told of them on the LAN. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromLatin1, utf8 } from '#shared/kernel/bytes.ts';
import { queryMessage, readMdns, TYPE } from '../home-network/mdns.ts';
import type { PairingStatus } from '../pairing/status.ts';
import { announcement, asksForUs, type BeaconFacts, readQuestions, SERVICE } from './beacon.ts';
import { patternOf, shown } from './led.ts';
import { STAGES, type StageFacts, stageLine, standing } from './stages.ts';
import { factsOf } from './watch.ts';

const all: StageFacts = {
  storage: true,
  links: ['eth0'],
  addresses: ['eth0 192.0.2.5'],
  uplink: true,
  timed: true,
  cloudSet: true,
  cloudFound: true,
  pairing: 'paired',
  online: true,
};

describe('a gateway stands at', () => {
  test.each<[string, Partial<StageFacts>, string, number, RegExp]>([
    ['ready', {}, 'ready', 9, /in service/],
    ['ready, in the house', { online: false }, 'ready', 9, /cloud is not connected/],
    ['storage', { storage: false }, 'storage', 3, /flash a new card/],
    ['network', { links: [], addresses: [], uplink: false }, 'network', 4, /cable/],
    ['address', { addresses: [], uplink: false }, 'address', 5, /router/],
    ['address, with a LAN of its own', { uplink: false }, 'address', 5, /internet’s side/],
    [
      'cloud, when none is set',
      { cloudSet: false, cloudFound: false, pairing: 'unpaired', online: false },
      'cloud',
      7,
      /hearthline\.json/,
    ],
    [
      'cloud, when it is not found',
      { cloudFound: false, pairing: 'unpaired', problem: 'ENOTFOUND' },
      'cloud',
      7,
      /ENOTFOUND.*goes on trying/,
    ],
    ['pair, with a code', { pairing: 'announced', online: false }, 'pair', 8, /shows a code.*scan/],
    [
      'pair, after a failure',
      { pairing: 'announced', cause: 'The claim has expired' },
      'pair',
      8,
      /The claim has expired/,
    ],
    ['pair, on the way', { pairing: 'pairing' }, 'pair', 8, /pairing/],
  ])('%s', (_, change, stage, number, words) => {
    const now = standing({ ...all, ...change });
    expect(now).toMatchObject({ stage, number });
    expect(stageLine(now)).toMatch(words);
    expect(now.rows.map((row) => row.stage)).toEqual([...STAGES]);
  });

  test('the cloud and beyond without anybody having told the time', () => {
    const now = standing({ ...all, timed: false, pairing: 'announced' });
    expect(now.stage).toBe('pair');
    expect(now.rows[5]).toMatchObject({ stage: 'time', is: 'missing' });
  });

  test('ready to pair with no network, no internet, no name server and no time; not with a dead card', () => {
    const nothing = {
      ...all,
      links: [],
      addresses: [],
      uplink: false,
      timed: false,
      cloudFound: false,
      pairing: 'unpaired',
      online: false,
    } as const;
    expect(standing(nothing).readyToPair).toBe(true);
    expect(standing({ ...nothing, links: ['br-lan'], addresses: ['br-lan 192.168.77.1'] }).readyToPair).toBe(true);
    expect(standing({ ...all, storage: false }).readyToPair).toBe(false);
  });

  test('one stage: those before it are done or passed, those after it are none of "here"', () => {
    const facts = fc.record({
      storage: fc.boolean(),
      links: fc.constantFrom([], ['eth0']),
      addresses: fc.constantFrom([], ['eth0 192.0.2.5']),
      uplink: fc.boolean(),
      timed: fc.boolean(),
      cloudSet: fc.boolean(),
      cloudFound: fc.boolean(),
      pairing: fc.constantFrom('unpaired', 'announced', 'pairing', 'paired'),
      online: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (some) => {
        const { stage, rows } = standing(some as StageFacts);
        const at = STAGES.indexOf(stage);
        for (const row of rows.slice(0, at)) expect(['done', 'missing']).toContain(row.is);
        for (const row of rows.slice(at + 1)) expect(row.is).not.toBe('now');
        for (const row of rows) if (row.is !== 'now') expect(row.next).toBeUndefined();
      }),
    );
  });
});

test('facts come from what the gateway knows', () => {
  const status: PairingStatus = { at: 'starting', gateway: 'gw_1', words: '', online: false, problem: 'no answer' };
  const port = (name: string, host: string, loopback = false) =>
    ({ name, host, family: host.includes(':') ? 6 : 4, loopback, mac: '', prefix: 24 }) as const;
  const see = (pairing: Partial<PairingStatus>, ...addresses: ReturnType<typeof port>[]) =>
    factsOf({ pairing: { ...status, ...pairing }, addresses, storage: true, timed: false, cloudSet: true });
  expect(see({}, port('lo', '127.0.0.1', true))).toMatchObject({
    links: [],
    addresses: [],
    uplink: false,
    problem: 'no answer',
  });
  expect(see({}, port('eth0', 'fe80::1'), port('eth0', '169.254.1.1'))).toMatchObject({
    links: ['eth0'],
    addresses: [],
    uplink: false,
  });
  expect(see({}, port('br-lan', '192.168.77.1'))).toMatchObject({ addresses: ['br-lan 192.168.77.1'], uplink: false });
  expect(see({}, port('br-lan', '192.168.77.1'), port('eth0', '192.0.2.5')).uplink).toBe(true);
  expect(see({ at: 'announced' }, port('lo', '127.0.0.1', true))).toMatchObject({
    uplink: true,
    cloudFound: true,
    pairing: 'announced',
  });
  expect(see({ at: 'configuring' }).pairing).toBe('pairing');
  expect(see({ at: 'paired', online: true })).toMatchObject({ timed: true, uplink: true, online: true });
  expect(see({ at: 'announced', cause: 'claim_expired' }).cause).toContain('has expired');
});

describe('the light', () => {
  test('blinks the number of the stage, and stays on when all is well', () => {
    for (const [i, stage] of STAGES.entries()) {
      const pattern = patternOf(stage);
      let blinks = 0;
      const whole = pattern.reduce((sum, part) => sum + part, 0);
      for (let at = 0; at < whole; ) {
        const { on, lasts = whole } = shown(pattern, at);
        if (on) blinks++;
        at += lasts;
      }
      expect(blinks).toBe(stage === 'ready' ? 0 : i + 1);
      expect(shown(pattern, whole)).toEqual(shown(pattern, 0));
    }
    expect(shown(patternOf('ready'), 12_345)).toEqual({ on: true });
    expect(shown(patternOf('boot'), 200)).toEqual({ on: false, lasts: 200 });
  });
});

describe('on the LAN', () => {
  const facts: BeaconFacts = {
    gateway: 'gw_1',
    host: 'elm',
    address: '192.0.2.5',
    port: 80,
    text: ['stage=pair', 'number=8'],
  };

  test('the records are what another reader reads', () => {
    const records = readMdns(announcement(facts));
    expect(records?.map(({ name, type, ttl, data }) => [name, type, ttl, data])).toEqual([
      [SERVICE, TYPE.PTR, 120, `gw_1.${SERVICE}`],
      [`gw_1.${SERVICE}`, TYPE.SRV, 120, 'elm.local'],
      [`gw_1.${SERVICE}`, TYPE.TXT, 120, ''],
      ['elm.local', TYPE.A, 120, '192.0.2.5'],
    ]);
    expect(readMdns(announcement(facts, true))?.every(({ ttl }) => ttl === 0)).toBe(true);
    expect(new TextDecoder().decode(announcement(facts))).toContain('\nstage=pair\bnumber=8');
  });

  test.each<[string, Uint8Array, boolean]>([
    ['for our service', queryMessage(['_http._tcp.local', '_Hearthline._TCP.local']), true],
    ['for others', queryMessage(['_http._tcp.local', '_sip._udp.local']), false],
    [
      'for our host by a pointer',
      Uint8Array.from([
        ...queryMessage(['x.elm.local']).slice(0, 4),
        0,
        2,
        ...queryMessage(['x.elm.local']).slice(6),
        0xc0,
        14,
        0,
        1,
        0,
        1,
      ]),
      true,
    ],
  ])('a question %s', (_, message, ours) => {
    const questions = readQuestions(message);
    expect(questions !== undefined && asksForUs(questions, facts)).toBe(ours);
  });

  test('answers, broken messages and any octets are no questions, and throw nothing', () => {
    expect(readQuestions(announcement(facts))).toBeUndefined();
    expect(readQuestions(utf8('short'))).toBeUndefined();
    expect(readQuestions(fromLatin1(`\0\0\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01`))).toBeUndefined();
    expect(readQuestions(new Uint8Array(9_001))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
        readQuestions(Uint8Array.from([0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, ...octets]));
      }),
    );
  });
});
