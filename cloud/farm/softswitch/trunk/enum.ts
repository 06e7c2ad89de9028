/**
 * Calls to whom DNS names for a number (ENUM, RFC 6116), before any trunk: the operator says which zones are asked and whom a call may be
 * sent to by that. What takes too long is left to the trunks.
 */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { asksEnum, enumSettings } from '#cloud/store/outside.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { NamedFlow, NamedPeer, SipResolver } from '#shared/host/sip-resolver.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { EnumSettings } from '#shared/protocol/verbs/enum.ts';
import { resolveEnum } from '#shared/sip/enum.ts';
import { type SipUri, writeUri } from '#shared/sip/uri.ts';
import { mayBeCalled } from './enum-peers.ts';
import { TRUNK_CALLS, type Trunk, type TrunkWay } from './trunk.ts';

/** Milliseconds for finding somebody and a connection to it, and for which nobody is asked where that did not do. */
export const ENUM_WITHIN = 2_000;
export const ENUM_REST = 30_000;
/** Servers that one call is given to before the trunks. */
export const ENUM_WAYS = 3;
/** Stands for a trunk's id in counts and snapshots. */
export const ENUM_ID = 'enum';

type Verbs = 'enum.get' | 'enum.set' | 'enum.find';

export interface EnumOptions {
  readonly world: Pick<World, 'clock' | 'log'>;
  readonly store: Store;
  readonly bus: Bus;
  /** Absent: there is no DNS server to ask. */
  readonly resolver: Pick<SipResolver, 'lookup'> | undefined;
  readonly flowsTo: (to: NamedPeer) => Promise<readonly NamedFlow[]>;
  readonly isOurs: (host: string) => boolean;
  /** Calls that go by it. */
  readonly calls: () => number;
  /** Our own, in From and its kin. */
  readonly domain: string;
}

interface Found {
  readonly uris: readonly SipUri[];
  readonly why?: string;
}

export class Enum {
  readonly #o: EnumOptions;
  #settings: EnumSettings = {};
  /** Monotonic ms until which nobody is asked. */
  #restsUntil = 0;

  constructor(options: EnumOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    this.#settings = await enumSettings(this.#o.store);
  }

  /** The ways to whom DNS names for a number (E.164); none where it names nobody in time, or nobody who may be called. */
  async ways(number: string, owner?: string): Promise<TrunkWay[]> {
    const { clock } = this.#o.world;
    const { maxCalls = TRUNK_CALLS } = this.#settings;
    if (!asksEnum(number, this.#settings) || clock.mono() < this.#restsUntil || this.#o.calls() >= maxCalls) return [];
    const ways = await this.#inTime(this.#find(number).then(({ uris }) => this.#reach(uris)));
    return ways.slice(0, ENUM_WAYS).map((way) => ({ ...way, ...(owner === undefined ? {} : { owner }) }));
  }

  handlers(): Pick<Handlers<'softswitch'>, Verbs> {
    const { store, bus, world, resolver } = this.#o;
    return {
      'enum.get': async () => ok(this.#settings),
      'enum.set': async (settings) => {
        if (resolver === undefined && (settings.suffixes ?? []).length > 0) {
          return err(fault('bad_request', 'ENUM needs a DNS server (--sip-dns).', { pointer: '/suffixes' }));
        }
        const put = "INSERT INTO outside_setting (name, body, changed_at) VALUES ('enum', ?, ?)";
        const again = 'ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at';
        await store.commit([sql(`${put} ${again}`, JSON.stringify(settings), world.clock.wall())]);
        await this.load();
        this.#restsUntil = 0;
        bus.publish('trunks.changed', {});
        return ok(settings);
      },
      'enum.find': async ({ number }) => {
        if (!asksEnum(number, this.#settings)) return ok({ found: [], why: 'Nobody is asked for this number.' });
        const { uris, why } = await this.#find(number);
        const found = uris.map((uri) => ({ uri: writeUri(uri), called: this.#mayCall(uri) }));
        return ok({ found, ...(why === undefined ? {} : { why }) });
      },
    };
  }

  #mayCall({ host }: SipUri): boolean {
    return !this.#o.isOurs(host) && mayBeCalled(host, this.#settings.peers ?? []);
  }

  /** The first zone that knows the number decides. */
  async #find(number: string): Promise<Found> {
    const { resolver } = this.#o;
    if (resolver === undefined) return { uris: [], why: 'There is no DNS server to ask.' };
    let why: string | undefined;
    for (const suffix of this.#settings.suffixes ?? []) {
      const { uris, failed } = await resolveEnum(number, suffix, (name, type) => resolver.lookup(name, type));
      if (uris.length > 0) return { uris };
      if (failed) why = `No answer about ${suffix}.`;
    }
    return { uris: [], ...(why === undefined ? {} : { why }) };
  }

  async #reach(uris: readonly SipUri[]): Promise<TrunkWay[]> {
    const ways: TrunkWay[] = [];
    for (const uri of uris.filter((one) => this.#mayCall(one))) {
      if (ways.length >= ENUM_WAYS) break;
      const trunk = this.#trunkTo(uri);
      const flows = await this.#o.flowsTo({ ...peerOf(uri), timeout: ENUM_WITHIN }).catch(() => []);
      ways.push(...flows.map((flow) => ({ ...flow, trunk, called: uri.user ?? '', uri: writeUri(uri) })));
    }
    return ways;
  }

  #trunkTo({ host }: SipUri): Trunk {
    const { identity = {}, maxCalls = TRUNK_CALLS } = this.#settings;
    const settings = { name: 'ENUM', host, mode: 'address' as const, identity, maxCalls };
    return { id: ENUM_ID, settings, domain: this.#o.domain, port: 5060, untrusted: true };
  }

  /** Nobody waits for ever: who is late is heard by the next call, from what DNS said meanwhile. */
  #inTime(work: Promise<TrunkWay[]>): Promise<TrunkWay[]> {
    const { clock, log } = this.#o.world;
    return new Promise((resolve) => {
      const timer = clock.at(clock.mono() + ENUM_WITHIN, () => {
        this.#restsUntil = clock.mono() + ENUM_REST;
        log.warn('softswitch.enum-too-slow', { rest: ENUM_REST });
        resolve([]);
      });
      const done = (ways: TrunkWay[]) => {
        timer.cancel();
        resolve(ways);
      };
      work.then(done, (error: unknown) => {
        log.error('softswitch.enum-failed', { error: String(error) });
        done([]);
      });
    });
  }
}

/** Where a URI leads (RFC 3263); `sips` is TLS. Its certificate has to speak for the domain. */
function peerOf({ scheme, host, port, params }: SipUri): NamedPeer {
  const asked = params.get('transport')?.toLowerCase();
  const named = asked === 'tcp' || asked === 'udp' || asked === 'tls' ? asked : undefined;
  const protocol = scheme === 'sips' ? 'tls' : named;
  return { host, port, protocol, tls: { sipDomain: true } };
}
