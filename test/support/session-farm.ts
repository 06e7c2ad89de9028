/**
 * For tests: the session manager with the real store, bus, billing and qos, and the far ends of the other servers' verbs
 * played by a script that records what it was asked and can be told to refuse.
 */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { sessionManager } from '#cloud/session-manager/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type FaultCode, fault } from '#shared/protocol/fault.ts';
import type { FarmServerName } from '#shared/protocol/servers.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { VirtualWorld } from '#simulator/world.ts';

export interface Asked {
  readonly verb: VerbName;
  readonly request: Record<string, unknown>;
}

export interface Farm {
  readonly world: VirtualWorld;
  readonly host: World;
  readonly bus: InProcessBus;
  readonly store: Store;
  readonly context: PartContext;
  /** Everything that the scripted servers were asked, in order. */
  readonly asked: Asked[];
  /** Verbs that are refused with a fault; `verb#2` means the second time only. */
  readonly refuse: Map<string, FaultCode>;
  /** Lines whose phone is registered at the softswitch itself. */
  readonly direct: Set<string>;
  readonly channels: Map<string, VerbReply<'channel.list'>['items'][number]>;
  readonly media: Map<string, VerbReply<'media.endpoint.list'>['items'][number]>;
  readonly rooms: Map<string, VerbReply<'conference.room.list'>['items'][number]>;
  ask<V extends VerbName>(verb: V, request: VerbRequest<V>, context?: Context): Promise<Outcome<V>>;
  /** Asks and expects success. */
  get<V extends VerbName>(verb: V, request: VerbRequest<V>, context?: Context): Promise<VerbReply<V>>;
  report(session: string, leg: string, event: VerbRequest<'leg.report'>['event'], reason?: string): Promise<void>;
  /** The softswitch has a channel for this leg from now on. */
  hold(session: string, leg: string, autonomous?: boolean): void;
  session(id: string): Promise<VerbReply<'session.get'>>;
  start(part: Part): Promise<void>;
  /** Stops a part as `farm.stop` would; scripted servers leave the bus. */
  stopServer(name: FarmServerName | 'session-manager'): Promise<void>;
  /** The session manager dies without a word and starts again on the same store. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

export const OPERATOR: Context = {
  principal: { kind: 'account', account: 'acc_op', role: 'operator', homes: 'all', scopes: 'all' },
};
export const subscriber = (...homes: string[]): Context => ({
  principal: { kind: 'account', account: 'acc_sub', role: 'subscriber', homes, scopes: 'all' },
});

export const CONFIG = { domain: 'example.test', publicHost: '192.0.2.10', bound: {} } as unknown as CloudConfig;

/** Homes 1 to 3, each with a line `line_n1` and `line_n2` (+155501000n1 …) and a gateway that is connected. */
export async function provision(store: Store): Promise<void> {
  const statements = [1, 2, 3].flatMap((n) => [
    sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, 0)', `home_${n}`, `Home ${n}`),
    sql(
      "INSERT INTO gateway (id, home, key_hash, state, claimed_at, online) VALUES (?, ?, ?, 'paired', 0, 1)",
      `gw_${n}`,
      `home_${n}`,
      `key${n}`,
    ),
    ...[1, 2].map((m) => line(`line_${n}${m}`, `home_${n}`, `+155501000${n}${m}`, `user${n}${m}`)),
  ]);
  await store.commit(statements);
}

export function line(id: string, home: string, number: string, username: string, kind = 'standard') {
  return sql(
    "INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, ?, ?, ?, NULL, ?, 'phone', '', '', 0)",
    id,
    home,
    number,
    username,
    kind,
  );
}

export async function createFarm(parts: readonly Part[], seed = 1): Promise<Farm> {
  const world = new VirtualWorld({ seed });
  const host = world.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  await provision(store);
  const bus = createBus({ log: host.log, clock: host.clock });
  const context: PartContext = { world: host, bus, store, config: CONFIG };
  const running = new Map<string, RunningPart | { stop(): Promise<void> }>();
  const state = newScript();
  for (const [name, serve] of scriptedServers(bus, state, host)) running.set(name, { stop: async () => serve() });

  const farm: Farm = {
    world,
    host,
    bus,
    store,
    context,
    ...state,
    ask: (verb, request, asked = OPERATOR) => world.settle(bus.request(verb, request, asked)),
    async get(verb, request, asked) {
      const outcome = await farm.ask(verb, request, asked);
      if (!outcome.ok) throw new Error(`${verb}: ${JSON.stringify(outcome.fault)}`);
      return outcome.value as VerbReply<typeof verb>;
    },
    async report(session, leg, event, reason) {
      const at = host.clock.wall();
      await farm.get('leg.report', { session, leg, event, at, ...(reason === undefined ? {} : { reason }) });
      const channel = state.channels.get(`${session} ${leg}`);
      if (event === 'answered' && channel !== undefined) {
        state.channels.set(`${session} ${leg}`, { ...channel, state: 'up' });
      }
      if (event === 'ended') state.channels.delete(`${session} ${leg}`);
      await world.run(10);
    },
    hold(session, leg, autonomous = false) {
      const channel = { session, leg, callId: `call-${leg}`, state: 'ringing' as const, autonomous, since: 0 };
      state.channels.set(`${session} ${leg}`, channel);
    },
    session: (id) => farm.get('session.get', { session: id }),
    async start(part) {
      running.set(part.name, await part.start(context));
    },
    async stopServer(name) {
      await world.settle(running.get(name)?.stop() ?? Promise.resolve());
      running.delete(name);
      await world.run(1);
    },
    async restart() {
      await farm.stopServer('session-manager');
      await farm.start(sessionManager);
      await world.run(1);
    },
    async end() {
      for (const part of running.values()) await world.settle(part.stop());
      await store.close();
      world[Symbol.dispose]();
    },
  };
  for (const part of parts) await farm.start(part);
  await farm.start(sessionManager);
  return farm;
}

export type Script = Pick<Farm, 'asked' | 'refuse' | 'direct' | 'channels' | 'media' | 'rooms'>;

export function newScript(): Script {
  return {
    asked: [],
    refuse: new Map(),
    direct: new Set(),
    channels: new Map(),
    media: new Map(),
    rooms: new Map(),
  };
}

/** Puts the far ends of softswitch, media, conference and home networking on a bus. */
export function scriptedServers(bus: InProcessBus, state: Script, host: World): [FarmServerName, () => void][] {
  const counts = new Map<string, number>();
  /** A handler that records, refuses when told so, and otherwise does `effect`. */
  function verb<V extends VerbName>(name: V, effect: (request: VerbRequest<V>) => VerbReply<V>) {
    return async (request: VerbRequest<V>): Promise<Outcome<V>> => {
      const n = (counts.get(name) ?? 0) + 1;
      counts.set(name, n);
      if (!name.endsWith('.list') || name === 'device.list') {
        state.asked.push({ verb: name, request: request as Record<string, unknown> });
      }
      const code = state.refuse.get(`${name}#${n}`) ?? state.refuse.get(name);
      return code === undefined ? ok(effect(request)) : err(fault(code));
    };
  }
  const key = ({ session, leg }: { session: string; leg: string }) => `${session} ${leg}`;
  const since = () => host.clock.wall();
  const softswitch: Partial<Handlers<'softswitch'>> = {
    'channel.open': verb('channel.open', (request) => {
      const { session, leg } = request;
      const callId = `call-${leg}`;
      state.channels.set(key(request), { session, leg, callId, state: 'ringing', autonomous: false, since: since() });
      return { channel: `chn_${leg}`, callId };
    }),
    'channel.close': verb('channel.close', (request) => {
      state.channels.delete(key(request));
      return {};
    }),
    'channel.list': verb('channel.list', () => ({ items: [...state.channels.values()] })),
    'registration.list': verb('registration.list', ({ lines = [] }) => ({
      items: lines.map((one) => ({ line: one, contacts: 1, direct: state.direct.has(one), devices: [] })),
    })),
  };
  const node = (request: { session: string; leg: string }, kind: 'endpoint' | 'player') => {
    const id = `${kind === 'player' ? 'pl' : 'ep'}_${request.leg}`;
    state.media.set(`${key(request)} ${kind}`, { id, kind, session: request.session, leg: request.leg });
    return id;
  };
  const media: Partial<Handlers<'media'>> = {
    'media.list': verb('media.list', () => ({
      items: [{ id: 'morning-birds', title: 'Morning birds', seconds: 12, short: '700' }],
    })),
    'media.endpoint.offer': verb('media.endpoint.offer', (request) => ({
      endpoint: node(request, 'endpoint'),
      sdp: 'v=0',
    })),
    'media.endpoint.answer': verb('media.endpoint.answer', (request) => ({
      endpoint: node(request, 'endpoint'),
      sdp: 'v=0',
    })),
    'media.endpoint.accept': verb('media.endpoint.accept', () => ({})),
    'media.endpoint.connect': verb('media.endpoint.connect', () => ({})),
    'media.endpoint.release': verb('media.endpoint.release', (request) => {
      state.media.delete(`${key(request)} endpoint`);
      return {};
    }),
    'media.endpoint.list': verb('media.endpoint.list', () => ({ items: [...state.media.values()] })),
    'media.prepare': verb('media.prepare', (request) => {
      const player = node(request, 'player');
      return request.into === undefined ? { player, endpoint: node(request, 'endpoint') } : { player };
    }),
    'media.start': verb('media.start', () => ({})),
    'media.stop': verb('media.stop', (request) => {
      state.media.delete(`${key(request)} player`);
      return {};
    }),
    'media.tone': verb('media.tone', () => ({})),
    'media.room': verb('media.room', () => ({})),
  };
  const conference: Partial<Handlers<'conference'>> = {
    'conference.room.open': verb('conference.room.open', ({ session }) => {
      state.rooms.set(session, { session, room: `room_${session}`, parties: 0 });
      return { room: `room_${session}` };
    }),
    'conference.room.close': verb('conference.room.close', ({ session }) => {
      state.rooms.delete(session);
      return {};
    }),
    'conference.room.list': verb('conference.room.list', () => ({ items: [...state.rooms.values()] })),
    'conference.party.add': verb('conference.party.add', () => ({})),
    'conference.party.remove': verb('conference.party.remove', () => ({})),
    'conference.mute': verb('conference.mute', () => ({})),
    'conference.roster': verb('conference.roster', () => ({ items: [] })),
  };
  const homeNetworking: Partial<Handlers<'home-networking'>> = {
    'device.list': verb('device.list', () => ({ items: [] })),
    'device.wake': verb('device.wake', () => ({ sent: 1 })),
    'device.report': verb('device.report', () => ({})),
  };
  return [
    ['softswitch', bus.serve('softswitch', softswitch as Handlers<'softswitch'>)],
    ['media', bus.serve('media', media as Handlers<'media'>)],
    ['conference', bus.serve('conference', conference as Handlers<'conference'>)],
    ['home-networking', bus.serve('home-networking', homeNetworking as Handlers<'home-networking'>)],
  ];
}
