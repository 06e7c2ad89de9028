/** Looks up what a plan needs to know: who the parties are, where their phones are, and how the farm is. */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { gatewaysOfHome, isOurs, type LineRow, lineById, lineByParty } from '#cloud/store/directory.ts';
import { allTrunks, asksEnum, enumSettings, leadsOutside } from '#cloud/store/outside.ts';
import { type Dialled, readDialled } from '#shared/call/numbers.ts';
import { newId } from '#shared/kernel/ids.ts';
import { Lazy } from '#shared/kernel/lazy.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import { type FarmServerName, farmServers } from '#shared/protocol/servers.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Facts, LineFacts, PartyFacts, ServerFacts } from './choice.ts';
import { Known } from './known.ts';
import { SELF } from './outbox.ts';

/** Milliseconds for which the farm's health may be taken as read. */
const FARM_FRESH = 2_000;
/** Milliseconds that looking may take; without an answer the plan goes by what runs. */
const LOOK_FOR = 1_000;

export type Reach = NonNullable<VerbRequest<'session.route'>['reach']>;

export interface Resolver {
  /** Reads a line id, a number or a SIP URI as people write it; `reach`: where the phones of one line are, if it is known. */
  party(asked: string, reach?: Reach): Soon<PartyFacts>;
  parties(asked: readonly string[]): Promise<PartyFacts[]>;
  /** The line behind a dialled text; `media` and `emergency` come back as they are. */
  dialled(to: string): Dialled | undefined;
  /** A line whose phone is calling: known to be there. */
  caller(line: string, direct: boolean): Soon<PartyFacts | undefined>;
  /** How the farm is. */
  facts(): Promise<Facts>;
  /** The same without asking anybody, and without knowing its load. */
  atOnce(): Facts;
  stop(): void;
}

export function createResolver({ bus, store, world, config }: PartContext): Resolver {
  let farm: { at: number; servers: Map<FarmServerName, ServerFacts> } | undefined;
  const lines = new Known<LineFacts>();
  /** By home; null: none of its gateways is connected. */
  const gateways = new Known<string | null>();
  const trunks = new Lazy(() => allTrunks(store));
  const zones = new Lazy(() => enumSettings(store));
  const leave = [
    bus.subscribe('lines.changed', () => lines.forget()),
    bus.subscribe('gateway.presence', () => gateways.forget()),
    bus.subscribe('trunks.changed', () => {
      trunks.forget();
      zones.forget();
    }),
  ];
  const legId = () => newId('leg', world.clock.wall(), world.random.bytes(10));

  function running(): Map<FarmServerName, ServerFacts> {
    return new Map(farmServers.map((name) => [name, { running: bus.has(name), load: 0 }]));
  }

  let quick: { readonly there: number; readonly facts: Facts } | undefined;
  /** Who runs, as far as the bus knows; made anew when somebody came or left. */
  function runningNow(): Facts {
    let there = 0;
    for (const name of farmServers) there = there * 2 + (bus.has(name) ? 1 : 0);
    if (quick?.there !== there) quick = { there, facts: { servers: running(), legId } };
    return quick.facts;
  }

  async function healthy(): Promise<Map<FarmServerName, ServerFacts>> {
    const servers = running();
    if (!bus.has('application-server')) return servers;
    const now = world.clock.mono();
    if (farm === undefined || now - farm.at > FARM_FRESH) {
      const list = await bus.request('farm.list', {}, SELF, LOOK_FOR);
      if (!list.ok) return servers;
      const known = list.value.items.map((one): [FarmServerName, ServerFacts] => [
        one.name,
        {
          running: one.state !== 'stopped',
          load: one.load,
          ...(one.advice === undefined ? {} : { advice: one.advice }),
        },
      ]);
      farm = { at: now, servers: new Map(known) };
    }
    // The bus knows at once who has left.
    for (const [name, known] of farm.servers) if (bus.has(name)) servers.set(name, { ...known, running: true });
    return servers;
  }

  function gatewayOf(home: string): Soon<string | undefined> {
    const kept = gateways.kept(home);
    if (kept !== undefined) return kept ?? undefined;
    const find = async () => (await gatewaysOfHome(store, home)).find((row) => row.online === 1)?.id ?? null;
    return gateways.get(home, find).then((gateway) => gateway ?? undefined);
  }

  async function whereabouts(
    rows: readonly LineFacts[],
    reach: Reach | undefined,
  ): Promise<Map<string, { contacts: number; direct: boolean; gateway?: string }>> {
    if (reach !== undefined && rows.every((row) => row.id === reach.line)) return new Map([[reach.line, reach]]);
    if (rows.length === 0 || !bus.has('softswitch')) return new Map();
    const list = await bus.request('registration.list', { lines: rows.map((row) => row.id) }, SELF, LOOK_FOR);
    return new Map(list.ok ? list.value.items.map(({ line, ...where }) => [line, where]) : []);
  }

  /** The number outside that a text means, where some trunk takes it, or DNS may know somebody who does. */
  async function leads(text: string): Promise<string | undefined> {
    const dialled = isOurs(text, config) ? readDialled(text) : undefined;
    if (dialled?.kind !== 'number') return undefined;
    const leads = leadsOutside(dialled.number, await trunks.get()) || asksEnum(dialled.number, await zones.get());
    return leads ? dialled.number : undefined;
  }

  async function parties(asked: readonly string[], reach?: Reach): Promise<PartyFacts[]> {
    const rows = await Promise.all(
      asked.map((one) => lines.get(one, async () => lineFacts(await lineByParty(store, one, config)))),
    );
    const where = await whereabouts(
      rows.filter((row) => row !== undefined),
      reach,
    );
    return Promise.all(
      rows.map(async (row, i): Promise<PartyFacts> => {
        const text = asked[i] ?? '';
        if (row === undefined) {
          const outside = await leads(text);
          return { asked: text, direct: false, ...(outside === undefined ? {} : { outside }) };
        }
        const at = where.get(row.id);
        const gateway = at?.gateway ?? (await gatewayOf(row.home));
        return {
          asked: text,
          line: row,
          ...(at === undefined ? {} : { contacts: at.contacts }),
          direct: at?.direct ?? false,
          ...(gateway === undefined ? {} : { gateway }),
        };
      }),
    );
  }

  /** A party of which everything is known already, as of nearly all. */
  function known(asked: string, reach: Reach | undefined): PartyFacts | undefined {
    const line = lines.kept(asked);
    if (line === undefined || reach === undefined || reach.line !== line.id) return undefined;
    const gateway = reach.gateway ?? gateways.kept(line.home);
    if (gateway === undefined) return undefined;
    const { contacts, direct } = reach;
    return gateway === null ? { asked, line, contacts, direct } : { asked, line, contacts, direct, gateway };
  }

  return {
    parties,
    party: (asked, reach) =>
      known(asked, reach) ?? parties([asked], reach).then(([party]) => party ?? { asked, direct: false }),
    dialled: (to) => (isOurs(to, config) ? readDialled(to) : undefined),
    caller(line, direct) {
      const row = lines.kept(line) ?? lines.get(line, async () => lineFacts(await lineById(store, line)));
      return soon(row, (found) => {
        if (found === undefined) return undefined;
        const asked = found.number;
        return soon(direct ? undefined : gatewayOf(found.home), (gateway) =>
          gateway === undefined ? { asked, line: found, direct } : { asked, line: found, direct, gateway },
        );
      });
    },
    facts: async () => ({ servers: await healthy(), legId }),
    atOnce: runningNow,
    stop: () => {
      for (const one of leave) one();
    },
  };
}

function lineFacts(row: LineRow | undefined): LineFacts | undefined {
  if (row === undefined) return undefined;
  const { id, home, number, name } = row;
  return { id, home, number, ...(name === null ? {} : { name }), metered: row.class !== 'unmetered' };
}

/** The principal alone: what is asked for somebody else is asked as that somebody, without its idempotency key. */
export function as(context: Context): Context {
  return { principal: context.principal };
}
