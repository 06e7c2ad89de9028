/** The gateway's state on one screen, its network and the devices around it, from what its parts tell. */
import { writeAddress } from '#shared/host/config.ts';
import type { World } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { stageLine, standing } from '../first-boot/stages.ts';
import { factsOf } from '../first-boot/watch.ts';
import { readBoard } from './board.ts';
import type { Sources } from './gather.ts';

export interface ReportSources {
  readonly world: World;
  readonly sources: Sources;
  readonly cloudUrl: string;
  readonly profile: string;
  readonly version: string;
  /** Monotonic ms. */
  readonly startedAt: number;
}

const whole = (n: number): number => Math.max(0, Math.floor(n));
/** Addresses and devices that are told. */
const MANY = 64;

export function statusOf({
  world,
  sources,
  cloudUrl,
  profile,
  version,
  startedAt,
}: ReportSources): VerbReply<'gateway.status.local'> {
  const { clock } = world;
  const pairing = sources.pairing();
  const agent = sources.agent()?.insight();
  const edge = sources.edge();
  const insight = edge?.insight();
  const modem = sources.modem();
  const wall = clock.wall();
  const since = agent === undefined ? startedAt : agent.since;
  const addresses = world.net.addresses();
  const seen = { pairing, addresses, storage: true, timed: false, cloudSet: cloudUrl !== '' };
  return {
    gateway: pairing.gateway,
    profile,
    version,
    at: whole(wall),
    uptime: whole(clock.mono() - startedAt),
    pairing: pairing.at,
    stage: stageLine(standing(factsOf(seen))),
    ...(pairing.home === undefined ? {} : { home: pairing.homeName ?? pairing.home }),
    ...(pairing.problem === undefined ? {} : { problem: pairing.problem }),
    cloud: {
      url: cloudUrl.split('#')[0] ?? '',
      link: agent?.link.at ?? 'none',
      epoch: agent?.link.epoch ?? 0,
      since: whole(wall - (clock.mono() - since)),
      offset: Math.round(agent?.offset ?? 0),
      ...(agent?.lastEnd === undefined || agent.link.at === 'ready' ? {} : { why: agent.lastEnd }),
    },
    sip: {
      udp: edge === undefined ? '' : writeAddress(edge.bound.udp),
      tcp: edge === undefined ? '' : writeAddress(edge.bound.tcp),
      flow: edge?.status().flow ?? 'down',
      calls: edge?.status().calls ?? 0,
    },
    lines: (insight?.lines ?? []).map(({ id, number, name, kind, phones, upstream }) => ({
      id,
      number,
      ...(name === undefined ? {} : { name }),
      kind,
      phones: [...phones],
      upstream,
    })),
    documents: { ...agent?.applied },
    outbox: { waiting: agent?.outbox.waiting ?? 0, octets: agent?.outbox.octets ?? 0, lost: agent?.outbox.lost ?? 0 },
    addresses: addresses.slice(0, MANY).map(({ name, host }) => `${name} ${host}`),
    devices: sources.devices().length,
    ...(modem === undefined ? {} : { modem }),
  };
}

export async function networkOf({ net, disk }: World): Promise<VerbReply<'gateway.network.local'>> {
  const addresses = net.addresses().slice(0, MANY);
  const board = await readBoard(
    disk,
    addresses.map(({ name }) => name),
  );
  return {
    interfaces: addresses.map(({ name, host, prefix, mac }) => {
      const { up, mtu } = board.links.get(name) ?? {};
      return {
        name,
        address: `${host}/${prefix}`,
        mac,
        ...(up === undefined ? {} : { up }),
        ...(mtu === undefined ? {} : { mtu }),
      };
    }),
    ...(board.route ? { route: `${board.route.router} on ${board.route.interface}` } : {}),
    nameservers: [...board.nameservers],
  };
}

export function hostsOf({ sources }: Pick<ReportSources, 'sources'>): VerbReply<'gateway.hosts.local'> {
  return {
    items: sources
      .devices()
      .slice(0, MANY)
      .map(({ id, name, kind, address, mac, found }) => ({
        id,
        name,
        kind,
        address,
        ...(mac === undefined ? {} : { mac }),
        found,
      })),
  };
}
