/** Gathers the facts that the checks judge: asks the parts of the gateway, reads the board, and tries the network. */

import { latin1 } from '#shared/kernel/bytes.ts';
import { within } from '#shared/kernel/time.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { readCloudUrl } from '#shared/protocol/pairing.ts';
import type { Agent } from '../agent/agent.ts';
import type { ModemReport } from '../emergency-modem/report.ts';
import type { HomeNetwork } from '../home-network/discovery.ts';
import type { DeviceFacts } from '../home-network/inventory.ts';
import type { Cloud } from '../pairing/discovery.ts';
import type { Identity } from '../pairing/states.ts';
import type { PairingStatus } from '../pairing/status.ts';
import type { SipEdge } from '../sip-edge/server.ts';
import type { Updater } from '../updater/updater.ts';
import { isIpText } from './addresses.ts';
import { readBoard } from './board.ts';
import { type Facts, NOBODY, type Probe, type StreamQuality } from './facts.ts';
import type { LogEntry } from './log-book.ts';
import { PROBE_TIME, tried, tryConnect, tryDiscovery, tryDisk, tryListener, tryMediaPort, tryName } from './probe.ts';

/** The parts of the gateway that are asked; each may be missing at one time or another. */
export interface Sources {
  pairing(): PairingStatus;
  cloud(): Cloud | undefined;
  identity(): Pick<Identity, 'certificate' | 'key' | 'authority'> | undefined;
  agent(): Agent | undefined;
  edge(): SipEdge | undefined;
  network(): HomeNetwork | undefined;
  devices(): readonly DeviceFacts[];
  updater(): Updater;
  /** Undefined where there is no emergency modem. */
  modem(): ModemReport | undefined;
}

export interface GatherOptions {
  readonly world: World;
  readonly sources: Sources;
  readonly engine: MediaEngine;
  readonly cloudUrl: string;
  /** The gateway's state folder. */
  readonly state: string;
  readonly profile: string;
  /** Monotonic ms at which the user agent started. */
  readonly startedAt: number;
  /** What is watched over time. */
  readonly watched: { jump(): number; starts(): number; dropped(now: number): number };
  readonly log: () => readonly LogEntry[];
}

const RECENT = 600_000;
const STREAMS = 32;

export async function gather(options: GatherOptions, quick: boolean): Promise<Facts> {
  const { world, sources, profile, startedAt, watched } = options;
  const { clock, net, disk } = world;
  const addresses = net.addresses();
  const agent = sources.agent()?.insight();
  const devices = sources.devices();
  const network = sources.network();
  const modem = sources.modem();
  const board = readBoard(
    disk,
    addresses.filter((one) => !one.loopback).map(({ name }) => name),
  );
  const [cloud, names, voice, media, storage] = await Promise.all([
    cloudFacts(options, quick),
    nameFacts(options, board, quick),
    voiceFacts(options, quick),
    mediaFacts(options, quick),
    storageFacts(options),
  ]);
  const now = clock.mono();
  return {
    quick,
    wall: Math.floor(clock.wall()),
    uptime: now - startedAt,
    profile,
    jump: watched.jump(),
    starts: watched.starts(),
    board: await board,
    storage,
    addresses,
    names,
    cloud,
    pairing: sources.pairing(),
    ...(agent === undefined
      ? {}
      : {
          agent: {
            ...agent,
            lasts: now - agent.since,
            greetings: agent.greeted.filter((at) => now - at < RECENT).length,
          },
        }),
    voice: { ...voice, dropped: watched.dropped(voice.counts.dropped) },
    media,
    ...(modem === undefined ? {} : { modem }),
    ...(network === undefined ? {} : { lan: { lans: network.lans(), devices: devices.length } }),
    ...lastError(options.log(), clock.wall()),
  };
}

async function cloudFacts({ world, sources, cloudUrl }: GatherOptions, quick: boolean): Promise<Facts['cloud']> {
  const url = readCloudUrl(cloudUrl);
  const origin = 'refused' in url ? undefined : URL.parse(url.origin);
  const host = origin?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const found = sources.cloud();
  const identity = sources.identity();
  const read = async (certificate: string | undefined) =>
    certificate === undefined || certificate === '' ? undefined : world.crypto.readCertificate(certificate);
  const [own, authority, discovery, door] = await Promise.all([
    read(identity?.certificate),
    read(found?.authority),
    quick || 'refused' in url ? {} : tryDiscovery(world, url),
    quick || found === undefined ? undefined : tryDoor(world, found.mqtt, sources),
  ]);
  return {
    host,
    here: /^(localhost|127\.[0-9.]+|::1)$/.test(host),
    ...discovery,
    ...(found === undefined ? {} : { mqtt: found.mqtt }),
    ...door,
    ...(own === undefined ? {} : { own }),
    ...(authority === undefined ? {} : { authority }),
  };
}

/** A port of the cloud: what TLS says of it, and where that fails, whether anybody listens at all. */
async function tryDoor(
  world: World,
  at: Address,
  sources: Sources,
): Promise<{ readonly tcp: Probe; readonly tls: Probe }> {
  const { certificate = '', key = '', authority } = sources.identity() ?? {};
  const ca = authority ?? sources.cloud()?.authority ?? '';
  const shown = certificate === '' ? {} : { certificate, key };
  const tls = await tryConnect(world, { ...at, timeout: PROBE_TIME / 2, tls: { ca, ...shown } });
  if (tls.ok) return { tcp: tls, tls };
  // Who speaks, however wrongly, is there. A handshake that never comes looks like nobody: then TCP alone is asked.
  if (!NOBODY.has(tls.code)) return { tcp: { ok: true, ms: 0 }, tls };
  return { tcp: await tryConnect(world, { ...at, timeout: PROBE_TIME / 2 }), tls };
}

async function nameFacts(
  { world, cloudUrl }: GatherOptions,
  board: ReturnType<typeof readBoard>,
  quick: boolean,
): Promise<Facts['names']> {
  const url = readCloudUrl(cloudUrl);
  const host = 'refused' in url ? '' : (URL.parse(url.origin)?.hostname ?? '');
  const { nameservers: servers } = await board;
  if (host === '' || host === 'localhost' || isIpText(host)) return { servers };
  if (await inHosts(world, host)) return { servers };
  if (quick || servers.length === 0) return { servers, asked: host };
  return { servers, asked: host, ...(await tryName(world, servers, host)) };
}

/** A name that stands in /etc/hosts needs no server. */
async function inHosts({ disk }: World, name: string): Promise<boolean> {
  const octets = await disk.read('/etc/hosts').catch(() => undefined);
  if (octets === undefined) return false;
  return latin1(octets)
    .split('\n')
    .some((line) => (line.split('#')[0] ?? '').trim().split(/\s+/).slice(1).includes(name));
}

const NOTHING = {
  lines: [],
  upstream: { flow: 'stopped' },
  refusals: [],
  counts: { connections: 0, dropped: 0, received: 0, sent: 0 },
  calls: [],
} as const;

async function voiceFacts({ world, sources }: GatherOptions, quick: boolean): Promise<Omit<Facts['voice'], 'dropped'>> {
  const edge = sources.edge();
  if (edge === undefined) return NOTHING;
  const insight = edge.insight();
  const { target } = insight.upstream;
  const [listener, softswitch] = await Promise.all([
    tryListener(world, edge.bound.udp),
    quick || target === undefined ? undefined : tryDoor(world, target, sources),
  ]);
  return { ...insight, listener, ...(softswitch === undefined ? {} : { softswitch: softswitch.tcp }) };
}

async function mediaFacts({ world, engine }: GatherOptions, quick: boolean): Promise<Facts['media']> {
  const streams: StreamQuality[] = [];
  const alive = await tried(world, async () => {
    const nodes = await within(world.clock, PROBE_TIME / 2, engine.list(), undefined);
    if (nodes === undefined) return { ok: false, code: 'ETIMEDOUT', text: 'the media engine does not answer' };
    const ends = nodes.filter(({ kind }) => kind === 'endpoint').slice(0, STREAMS);
    for (const { id } of ends) {
      const stats = await engine.stats(id);
      if (stats === undefined) continue;
      const { received, lost, jitter, silentFor, peer, remoteLoss } = stats;
      const heard = { id, received, loss: lost / Math.max(1, received + lost), jitter, silentFor };
      const told = remoteLoss === undefined ? {} : { remoteLoss };
      streams.push({ ...heard, ...told, ...(peer === undefined ? {} : { peer: peer.host }) });
    }
    return undefined;
  });
  const host = engineHost(world);
  const port = alive.ok && !quick ? await tryMediaPort(world, engine, host) : undefined;
  return { engine: alive, ...(port === undefined ? {} : { port }), streams };
}

const engineHost = ({ net }: World): Address['host'] =>
  net.addresses().find(({ family }) => family === 4)?.host ?? '127.0.0.1';

/** Files of the state folder that must be JSON of their kind where they are there at all. */
const FILES = [
  'device-key.json',
  'pairing.json',
  'cloud.json',
  'agent/desired-system.json',
  'agent/desired-voice.json',
];

async function storageFacts({ world, state }: GatherOptions): Promise<Facts['storage']> {
  const damaged: string[] = [];
  for (const name of FILES) {
    try {
      const octets = await world.disk.read(`${state}/${name}`);
      if (octets !== undefined) JSON.parse(new TextDecoder().decode(octets));
    } catch {
      damaged.push(name);
    }
  }
  const write = await tryDisk(world, `${state}/diagnostics`);
  const room = await world.disk.room(state);
  return { write, damaged, ...(room === undefined ? {} : { room }) };
}

function lastError(log: readonly LogEntry[], wall: number): Pick<Facts, 'error'> {
  const errors = log.filter(({ level, at }) => level === 'error' && wall - at < RECENT);
  const last = errors.at(-1);
  return last === undefined ? {} : { error: { event: last.event, count: errors.length } };
}
