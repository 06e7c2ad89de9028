/** The home networking server: the appliances of each home as its gateways report them, and waking them. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { gatewayById, homeById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';

type Device = VerbReply<'device.list'>['items'][number];
type Facts = VerbRequest<'device.report'>['devices'][number];

interface DeviceRow {
  readonly id: string;
  readonly home: string;
  readonly gateway: string;
  readonly facts: string;
  readonly present: number;
}

/** Devices of one home that are kept at the most; the longest unseen give way. */
const DEVICES_PER_HOME = 1024;

export const homeNetworking: Part = {
  name: 'home-networking',
  async start(context) {
    const leave = context.bus.serve('home-networking', handlers(context));
    return { health: () => ({ state: 'running', load: 0, legs: 0 }), stop: async () => leave() };
  },
};

function handlers({ store, bus, world }: PartContext): Handlers<'home-networking'> {
  return {
    async 'device.list'({ home, limit = 100, after = '' }, { principal }) {
      if (!sees(principal, home)) return err(fault('not_found'));
      const rows = await store.all<DeviceRow>('SELECT * FROM device WHERE home = ? AND id > ? ORDER BY id LIMIT ?', [
        home,
        after,
        limit + 1,
      ]);
      const items = rows.slice(0, limit).map(view);
      const last = items.at(-1);
      return ok({ items, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) });
    },

    async 'presence.get'({ home }, context) {
      if (!sees(context.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
      const [lines, gateways] = await Promise.all([
        bus.request('line.list', { home, limit: 500 }, context),
        bus.request('gateway.list', { home, limit: 500 }, context),
      ]);
      if (!lines.ok) return lines;
      if (!gateways.ok) return gateways;
      const rows = await store.all<DeviceRow>('SELECT * FROM device WHERE home = ? ORDER BY id', [home]);
      return ok({
        home,
        at: world.clock.wall(),
        lines: lines.value.items.map(({ id, number, name, registered }) => {
          return { id, number, registered, ...(name === undefined ? {} : { name }) };
        }),
        gateways: gateways.value.items.map(({ id, online }) => ({ id, online })),
        devices: rows.map(view).map(({ id, name, kind, present, seenAt }) => ({ id, name, kind, present, seenAt })),
      });
    },

    async 'device.wake'({ home, device }, context) {
      if (!sees(context.principal, home)) return err(fault('not_found'));
      const before = await repeated<'device.wake'>(store, context);
      if (before !== undefined) return before;
      const row = await store.one<DeviceRow>('SELECT * FROM device WHERE home = ? AND id = ?', [home, device]);
      if (row === undefined) return err(fault('not_found', 'No such device in this home.'));
      const { mac } = view(row);
      if (mac === undefined)
        return err(fault('conflict', 'This device’s hardware address is not known, so it cannot be woken.'));
      const reached = await bus.request(
        'gateway.command',
        { gateway: row.gateway, verb: 'device.wake.local', body: { mac } },
        context,
      );
      if (!reached.ok) return reached;
      const outcome = ok({ sent: (reached.value.body as { sent: number }).sent });
      await store.commit(remember<'device.wake'>(context, outcome, world.clock.wall()));
      return outcome;
    },

    async 'appliance.press'({ home, gateway, to }, context) {
      if (!sees(context.principal, home)) return err(fault('not_found'));
      const before = await repeated<'appliance.press'>(store, context);
      if (before !== undefined) return before;
      if ((await gatewayById(store, gateway))?.home !== home)
        return err(fault('not_found', 'No such gateway in this home.'));
      const reached = await bus.request(
        'gateway.command',
        { gateway, verb: 'appliance.press.local', body: { to } },
        context,
      );
      if (!reached.ok) return reached;
      const outcome = ok({ line: (reached.value.body as { line: string }).line });
      await store.commit(remember<'appliance.press'>(context, outcome, world.clock.wall()));
      return outcome;
    },

    async 'device.report'({ devices }, context) {
      const { principal } = context;
      if (principal.kind !== 'gateway') return err(fault('forbidden', 'Only a gateway reports its LAN.'));
      const before = await repeated<'device.report'>(store, context);
      if (before !== undefined) return before;
      if ((await gatewayById(store, principal.gateway)) === undefined) return err(fault('not_found'));
      const statements: Statement[] = [sql('UPDATE device SET present = 0 WHERE gateway = ?', principal.gateway)];
      for (const facts of unique(devices)) statements.push(keep(facts, principal.home, principal.gateway));
      statements.push(
        sql(
          'DELETE FROM device WHERE home = ? AND present = 0 AND id NOT IN (SELECT id FROM device WHERE home = ? ORDER BY present DESC, seen_at DESC, id LIMIT ?)',
          principal.home,
          principal.home,
          DEVICES_PER_HOME,
        ),
      );
      const outcome = ok({});
      await store.commit([...statements, ...remember<'device.report'>(context, outcome, world.clock.wall())]);
      return outcome;
    },
  };
}

function keep(facts: Facts, home: string, gateway: string): Statement {
  return sql(
    'INSERT INTO device (id, home, gateway, facts, present, seen_at) VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT (home, id) DO UPDATE SET gateway = excluded.gateway, facts = excluded.facts, present = 1, seen_at = excluded.seen_at',
    facts.id,
    home,
    gateway,
    JSON.stringify(facts),
    facts.seenAt,
  );
}

function unique(devices: readonly Facts[]): Facts[] {
  return [...new Map(devices.map((device) => [device.id, device])).values()];
}

function view(row: DeviceRow): Device {
  return { ...(JSON.parse(row.facts) as Facts), home: row.home, gateway: row.gateway, present: row.present === 1 };
}
