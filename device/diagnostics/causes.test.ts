/** That what the checks say fits the cause, where several causes look alike: facts that were seen with each, and what was said of them. */
import { describe, expect, test } from 'vitest';
import { checks } from './checks/table.ts';
import type { Facts, Probe, StreamQuality } from './facts.ts';
import { judge, rootOf } from './judge.ts';

const WALL = Date.UTC(2026, 10, 22);
const DAY = 86_400_000;
const well: Probe = { ok: true, ms: 3 };
const failed = (code: string, text = code): Probe => ({ ok: false, code, text });
const named = { servers: ['10.0.0.53'], asked: 'cloud.example', answer: well, addresses: ['10.9.9.9'] };

/** A paired gateway without a fault. */
const healthy = {
  quick: false,
  ...{ wall: WALL, uptime: 600_000, profile: 'residential-gateway', jump: 0, starts: 1, dropped: 0 },
  board: { nameservers: ['10.0.0.53'], links: new Map() },
  storage: { write: well, damaged: [] },
  addresses: [{ name: 'eth0', host: '10.0.0.2', family: 4, loopback: false, mac: '', prefix: 24 }],
  names: { servers: [] },
  cloud: {
    ...{ host: 'cloud.example', here: false, discovery: well, tcp: well, tls: well },
    mqtt: { host: '10.0.0.1', port: 8883 },
    own: { notBefore: WALL - DAY, notAfter: WALL + 80 * DAY },
  },
  pairing: { at: 'paired', home: 'home_1' },
  voice: {
    lines: [{ number: '+1', kind: 'phone', phones: ['udp 192.168.1.2:5060'], upstream: 'held' }],
    upstream: { flow: 'up', target: { host: '10.0.0.1', port: 5061 } },
    ...{ refusals: [], listener: well, softswitch: well, dropped: 0 },
  },
  media: { engine: well, port: well, streams: [] },
} as unknown as Facts;

/** The bond with the cloud. */
const held = {
  ...{ link: { at: 'ready', epoch: 1 }, offset: 0, lasts: 60_000, greetings: 1, refused: {}, greeted: [], since: 0 },
  ...{ applied: { system: 1, voice: 1 }, outbox: { waiting: 0, octets: 0, lost: 0 } },
} as unknown as NonNullable<Facts['agent']>;

const stream = (change: Partial<StreamQuality>): Facts => ({
  ...healthy,
  media: {
    ...healthy.media,
    streams: [{ id: 'c1.callee', received: 500, loss: 0, jitter: 1, silentFor: 0, ...change }],
  },
});
const discovery = (probe: Probe, more: Partial<Facts> = {}, cloud: Partial<Facts['cloud']> = {}): Facts => ({
  ...healthy,
  ...more,
  cloud: { ...healthy.cloud, discovery: probe, ...cloud },
});
const nobody = { tcp: failed('ETIMEDOUT'), tls: failed('ETIMEDOUT') };
const said = (facts: Facts) => {
  const root = rootOf(judge(facts, checks));
  return [root?.id, `${root?.evidence} ${root?.cause} ${root?.next}`];
};

test('nothing is said of a healthy one', () => {
  expect(rootOf(judge(healthy, checks))).toBeUndefined();
});

describe('the root and what is said of it', () => {
  test.each<[string, Facts, string, RegExp]>([
    [
      'a name server gives an address where nobody is, the cloud is still held',
      discovery(failed('EHOSTUNREACH'), { names: named }),
      'cloud.discovery',
      /cloud\.example is 10\.9\.9\.9 by the name server.*gives a wrong one.*Ask the operator/,
    ],
    [
      'a name server gives an address where nobody is, and the cloud is gone as well',
      discovery(failed('ETIMEDOUT'), { names: named }, nobody),
      'cloud.reach',
      /10\.9\.9\.9 by the name server.*no internet.*Ask the operator/,
    ],
    [
      'a name server gives the address of a machine that refuses',
      discovery(failed('ECONNREFUSED'), { names: named }, nobody),
      'cloud.reach',
      /10\.9\.9\.9 by the name server.*Ask the operator/,
    ],
    [
      'nobody at an address without a name',
      discovery(failed('ECONNREFUSED')),
      'cloud.discovery',
      /^ECONNREFUSED Nobody answers at the cloud’s web address\. Check the cloud’s HTTPS port/,
    ],
    [
      'a name that is not in the certificate, never found before',
      discovery(
        failed('ECERT', "Hostname/IP does not match certificate's altnames: Host: cloud.example."),
        {},
        { mqtt: undefined as never, tcp: undefined as never, tls: undefined as never },
      ),
      'cloud.discovery',
      /for another name than the one in --cloud/,
    ],
    [
      'the cloud of another operator behind the same address',
      discovery(failed('ECERT', 'the certificate is not of the pinned authority'), {}, nobody),
      'cloud.discovery',
      /Another cloud.*pair the gateway again/,
    ],
    [
      'the same by the web’s authorities',
      discovery(failed('DEPTH_ZERO_SELF_SIGNED_CERT')),
      'cloud.discovery',
      /Another cloud/,
    ],
    [
      'another machine by a wrong name',
      discovery(failed('ECERT', 'the certificate is not of the pinned authority'), { names: named }),
      'cloud.discovery',
      /10\.9\.9\.9.*the name server gives a wrong address/,
    ],
    [
      'large packets that are lost on the way, seen by the web address',
      discovery(failed('ETIMEDOUT'), { names: named }, { tls: failed('ETIMEDOUT') }),
      'cloud.discovery',
      /large packets are lost.*MTU.*1280/,
    ],
    [
      'the same, seen by MQTT alone',
      { ...healthy, cloud: { ...healthy.cloud, tls: failed('ETIMEDOUT') } },
      'cloud.tls',
      /large packets are lost/,
    ],
    [
      'a name server that is silent while the cloud is held',
      { ...healthy, names: { ...named, answer: failed('ETIMEDOUT') }, agent: held },
      'network.names',
      /name server does not answer/,
    ],
    [
      'a part that talks to the cloud and never started',
      { ...healthy, agent: { ...held, link: { at: 'stopped', epoch: 0 } as never } },
      'cloud.mqtt',
      /has not started/,
    ],
    [
      'a clock far ahead',
      discovery(failed('ECERT', 'the certificate is not valid now; check the clock')),
      'cloud.discovery',
      /clock is wrong.*NTP/,
    ],
    ['the same by the web’s authorities', discovery(failed('CERT_HAS_EXPIRED')), 'cloud.discovery', /clock is wrong/],
    [
      'a web server that is none of ours',
      discovery(failed('EHTTP')),
      'cloud.discovery',
      /does not answer as it should/,
    ],
    [
      'a clock behind the day of the certificate',
      { ...healthy, wall: WALL - 3 * DAY },
      'power.clock',
      /2026-11-19.*before the gateway’s own certificate was made.*behind/,
    ],
    [
      'a clock two hours ahead while MQTT is blocked',
      { ...healthy, cloud: { ...healthy.cloud, ahead: -7_200_000 } },
      'power.clock-offset',
      /2 h behind/,
    ],
    [
      'the phone’s sound',
      stream({ peer: '192.168.1.2', silentFor: 6_000 }),
      'media.one-way',
      /nothing from 192.168.1.2.*The phone sends no sound/,
    ],
    [
      'the cloud’s sound',
      stream({ peer: '10.0.0.1', silentFor: 6_000 }),
      'media.one-way',
      /nothing from 10.0.0.1.*drops UDP/,
    ],
    [
      'sound of who is not known',
      stream({ peer: '10.7.7.7', silentFor: 6_000 }),
      'media.one-way',
      /wrong address in SDP/,
    ],
    [
      'loss on the way here',
      stream({ loss: 0.3, remoteLoss: 0.1 }),
      'media.loss',
      /30 % of what the other side sends lost/,
    ],
    [
      'loss on the way there',
      stream({ peer: '10.0.0.1', loss: 0.1, remoteLoss: 0.3 }),
      'media.loss',
      /30 % of what goes to 10.0.0.1 lost/,
    ],
  ])('%s', (_what, facts, id, words) => {
    expect(said(facts)).toEqual([id, expect.stringMatching(words)]);
  });

  test('a name that is not known for the moment takes no other answer away', () => {
    const facts = { ...healthy, names: { ...named, answer: failed('ETIMEDOUT') }, agent: held };
    expect(judge(facts, checks).filter(({ because }) => because !== undefined)).toEqual([]);
    const { agent: _none, ...apart } = facts;
    expect(judge(apart, checks).some(({ because }) => because === 'network.names')).toBe(true);
  });

  test('a clock a second off, as far as the web server can tell, is well', () => {
    expect(said({ ...healthy, cloud: { ...healthy.cloud, ahead: -1_000 } })[0]).toBeUndefined();
  });
});
