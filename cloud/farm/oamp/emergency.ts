/** Where homes are, and which way emergency calls go. Both reach the gateways, which may have to do without us. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { homeById } from '#cloud/store/directory.ts';
import { emergencyPolicy, locationOfHome } from '#cloud/store/outside.ts';
import { sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { pushDocument, refreshVoice } from './desired.ts';
import { command, type Oamp, visibleHome } from './parts.ts';

type Verbs = 'home.location.get' | 'home.location.set' | 'emergency.policy.get' | 'emergency.policy.set';

export function emergencyHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, Verbs> {
  const { store, world, bus } = oamp;

  /** Gateways that are connected hear of it now, the others at their hello. */
  async function refreshAll(): Promise<void> {
    const rows = await store.all<{ home: string }>('SELECT DISTINCT home FROM gateway WHERE online = 1');
    for (const { home } of rows) {
      await refreshVoice(oamp, home);
      await pushDocument(oamp, home, 'voice');
    }
  }

  return {
    async 'home.location.get'({ home }, context) {
      const hidden = await visibleHome(store, context, home);
      const found = hidden === undefined ? await locationOfHome(store, home) : undefined;
      return found === undefined
        ? err(hidden ?? fault('not_found', 'Nobody has said where it is.'))
        : ok(found.location);
    },

    async 'home.location.set'({ home, location }, context) {
      const outcome = await command<'home.location.set'>(oamp, context, async () => {
        const hidden = await visibleHome(store, context, home);
        if (hidden !== undefined || (await homeById(store, home)) === undefined)
          return err(hidden ?? fault('not_found'));
        const insert =
          'INSERT INTO home_location (home, body, changed_at) VALUES (?, ?, ?) ON CONFLICT (home) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at';
        return ok({
          reply: location,
          statements: [sql(insert, home, JSON.stringify(location), world.clock.wall())],
        });
      });
      if (!outcome.ok) return outcome;
      await refreshVoice(oamp, home);
      bus.publish('lines.changed', { home });
      oamp.background(pushDocument(oamp, home, 'voice'));
      return outcome;
    },

    async 'emergency.policy.get'() {
      return ok(await emergencyPolicy(store));
    },

    async 'emergency.policy.set'(policy, context) {
      const outcome = await command<'emergency.policy.set'>(oamp, context, async () => {
        const insert =
          "INSERT INTO outside_setting (name, body, changed_at) VALUES ('policy', ?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at";
        return ok({ reply: policy, statements: [sql(insert, JSON.stringify(policy), world.clock.wall())] });
      });
      if (!outcome.ok) return outcome;
      bus.publish('trunks.changed', {});
      oamp.background(refreshAll());
      return outcome;
    },
  };
}
