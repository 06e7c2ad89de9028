/** The trunk verbs: the operator's list of trunks. */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { allTrunks, type TrunkRow } from '#cloud/store/outside.ts';
import { seal } from '#cloud/store/sealed.ts';
import { type Store, sqlOne } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';
import type { Trunks } from './trunks.ts';

/** Trunks of one operator. */
export const TRUNKS = 100;
const PAGE = 100;

type Verbs = 'trunk.create' | 'trunk.list' | 'trunk.get' | 'trunk.set' | 'trunk.delete';

export interface TrunkVerbsOptions {
  readonly world: World;
  readonly store: Store;
  readonly bus: Bus;
  readonly trunks: Trunks;
  readonly key: Uint8Array;
  readonly callsOf: (trunk: string) => number;
  /** True for a host that is this softswitch: a trunk to ourselves would be a loop. */
  readonly isOurs: (host: string) => boolean;
  /** Names are looked up. */
  readonly named: boolean;
  /** The port of ours that such a trunk would reach. */
  readonly ownPorts: () => readonly number[];
}

const NONE = err(fault('not_found', 'There is no such trunk.'));

export function trunkHandlers(o: TrunkVerbsOptions): Pick<Handlers<'softswitch'>, Verbs> {
  const { store, world, trunks } = o;

  const find = async (id: string) => (await allTrunks(store)).find((row) => row.id === id);

  /** The softswitch and the session manager read the trunks anew. */
  async function changed(): Promise<void> {
    await trunks.load();
    o.bus.publish('trunks.changed', {});
  }

  function toTrunk({ id, settings, secret, createdAt }: TrunkRow): VerbReply<'trunk.get'> {
    return { id, ...settings, hasPassword: secret !== null, createdAt, ...trunks.standing(id), calls: o.callsOf(id) };
  }

  function refusal(settings: TrunkSettings, password: boolean): Fault | undefined {
    const { host, transport = 'udp', mode, username, port = transport === 'tls' ? 5061 : 5060 } = settings;
    if (o.isOurs(host) && o.ownPorts().includes(port)) {
      return fault('bad_request', 'This is the softswitch itself: calls would go in a circle.', { pointer: '/host' });
    }
    if (transport === 'udp' && !o.named && !isLiteral(host)) {
      return fault('bad_request', 'A trunk over UDP needs a literal address, or a DNS server (--sip-dns).', {
        pointer: '/host',
      });
    }
    if (mode === 'register' && (username === undefined || !password)) {
      return fault('bad_request', 'A trunk that registers needs username and password.', { pointer: '/username' });
    }
    return undefined;
  }

  return {
    async 'trunk.create'({ password, ...settings }, asked) {
      const before = await repeated<'trunk.create'>(store, asked);
      if (before !== undefined) return before;
      const refused = refusal(settings, password !== undefined);
      if (refused !== undefined) return err(refused);
      const id = newId('trk', world.clock.wall(), world.random.bytes(10));
      const secret = password === undefined ? null : seal(world, o.key, id, password);
      const row: TrunkRow = { id, settings, secret, createdAt: world.clock.wall() };
      const outcome = ok<VerbReply<'trunk.create'>>({ ...toTrunk(row), state: 'unknown' });
      const insert = 'INSERT INTO trunk (id, body, secret, created_at)';
      const kept = await store.commit([
        sqlOne(
          `${insert} SELECT ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM trunk) < ?`,
          ...[id, JSON.stringify(settings), secret, row.createdAt, TRUNKS],
        ),
        ...remember<'trunk.create'>(asked, outcome, world.clock.wall()),
      ]);
      if (!kept.ok) return err(fault('limit_reached', `An operator has at most ${TRUNKS} trunks.`));
      await changed();
      return outcome;
    },

    async 'trunk.list'({ limit = PAGE, after = '' }) {
      const rows = (await allTrunks(store)).filter(({ id }) => id > after);
      const items = rows.slice(0, limit).map(toTrunk);
      const next = rows.length > limit ? items.at(-1)?.id : undefined;
      return ok({ items, ...(next === undefined ? {} : { next }) });
    },

    async 'trunk.get'({ trunk }) {
      const row = await find(trunk);
      return row === undefined ? NONE : ok(toTrunk(row));
    },

    async 'trunk.set'({ trunk: id, password, ...settings }) {
      const row = await find(id);
      if (row === undefined) return NONE;
      const refused = refusal(settings, password !== undefined || row.secret !== null);
      if (refused !== undefined) return err(refused);
      const secret = password === undefined ? row.secret : seal(world, o.key, id, password);
      const text = JSON.stringify(settings);
      const kept = await store.commit([sqlOne('UPDATE trunk SET body = ?, secret = ? WHERE id = ?', text, secret, id)]);
      if (!kept.ok) return NONE;
      await changed();
      return ok(toTrunk({ ...row, settings, secret }));
    },

    async 'trunk.delete'({ trunk }) {
      const gone = await store.commit([sqlOne('DELETE FROM trunk WHERE id = ?', trunk)]);
      if (!gone.ok) return NONE;
      await changed();
      return ok({});
    },
  };
}

/** A literal IPv4 or IPv6 address. */
function isLiteral(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
}
