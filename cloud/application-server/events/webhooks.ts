/** The verbs of webhooks and their deliveries. A webhook belongs to one home (or is the operator's), and who sees the home sees it. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees } from '#cloud/store/directory.ts';
import { type SqlValue, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, page } from '../commands.ts';
import { countWaiting, WAITING_LIMIT } from './dispatcher.ts';
import type { WebhookRow } from './hooks.ts';
import { GIVE_UP_AFTER } from './schedule.ts';
import { type DeliveryRow, deliveryView, planTest, planWebhook, typesFault, urlFault, view } from './webhook-rows.ts';

interface Surroundings extends PartContext {
  readonly anyAddress: boolean;
  /** Something is to be sent, or a webhook has changed. */
  look(): void;
}

type Verbs =
  | 'webhook.create'
  | 'webhook.list'
  | 'webhook.get'
  | 'webhook.update'
  | 'webhook.delete'
  | 'webhook.test'
  | 'delivery.list'
  | 'delivery.replay';

const NOT_FOUND = err(fault('not_found', 'There is no such webhook, or not for this credential.'));

/** Whether the asker may see a webhook: its home, and for an application that it made it by the same consent. */
function seesWebhook({ principal }: Context, row: Pick<WebhookRow, 'home' | 'consent'>): boolean {
  if (principal.kind !== 'account') return false;
  if (principal.consent !== undefined && principal.consent !== row.consent) return false;
  return row.home === null ? principal.role === 'operator' && principal.homes === 'all' : sees(principal, row.home);
}

export function webhookHandlers(at: Surroundings): Pick<Handlers<'application-server'>, Verbs> {
  const { store, world } = at;

  async function find(id: string, asked: Context): Promise<WebhookRow | undefined> {
    const row = await store.one<WebhookRow>('SELECT * FROM webhook WHERE id = ?', [id]);
    return row !== undefined && seesWebhook(asked, row) ? row : undefined;
  }

  async function show(row: WebhookRow): Promise<VerbReply<'webhook.get'>> {
    const counts = await store.all<{ state: string; n: number }>(
      "SELECT state, COUNT(*) AS n FROM delivery WHERE webhook = ? AND state <> 'delivered' GROUP BY state",
      [row.id],
    );
    const count = (state: string) => counts.find((one) => one.state === state)?.n ?? 0;
    return { ...view(row), pending: count('pending'), dead: count('dead') };
  }

  async function looked<T>(outcome: Promise<T>): Promise<T> {
    const done = await outcome;
    at.look();
    return done;
  }

  return {
    'webhook.create': (request, asked) =>
      looked(command<'webhook.create'>(at, asked, () => planWebhook(at, request, asked))),

    async 'webhook.list'({ home, ...cursor }, asked) {
      const { principal } = asked;
      const homes = home !== undefined ? [home] : principal.kind === 'account' ? principal.homes : [];
      const where = homes === 'all' ? '1 = 1' : `home IN (${homes.map(() => '?').join(', ') || 'NULL'})`;
      const consent = principal.kind === 'account' ? principal.consent : undefined;
      const found = await page<WebhookRow>(
        store,
        `SELECT * FROM webhook WHERE ${where}${consent === undefined ? '' : ' AND consent = ?'}`,
        [...(homes === 'all' ? [] : homes), ...(consent === undefined ? [] : [consent])],
        cursor,
      );
      const items = await Promise.all(found.rows.filter((row) => seesWebhook(asked, row)).map(show));
      return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
    },

    async 'webhook.get'({ webhook }, asked) {
      const row = await find(webhook, asked);
      return row === undefined ? NOT_FOUND : ok(await show(row));
    },

    async 'webhook.update'({ webhook, url, types, about, state }, asked) {
      const row = await find(webhook, asked);
      if (row === undefined) return NOT_FOUND;
      const wrong = (url === undefined ? undefined : urlFault(at, asked, url)) ?? typesFault(types);
      if (wrong !== undefined) return err(wrong);
      const next: WebhookRow = {
        ...row,
        ...(url === undefined ? {} : { url }),
        ...(types === undefined ? {} : { types: JSON.stringify(types) }),
        ...(about === undefined ? {} : { about }),
        ...(state === undefined ? {} : { state }),
      };
      const statement = sql(
        'UPDATE webhook SET url = ?, types = ?, about = ?, state = ?, version = version + 1 WHERE id = ?',
        next.url,
        next.types,
        next.about,
        next.state,
        row.id,
      );
      await store.commit([statement]);
      at.look();
      return ok(await show(next));
    },

    async 'webhook.delete'({ webhook }, asked) {
      const row = await find(webhook, asked);
      if (row === undefined) return NOT_FOUND;
      await store.commit([
        sql('DELETE FROM webhook WHERE id = ?', row.id),
        sql('DELETE FROM delivery WHERE webhook = ?', row.id),
      ]);
      at.look();
      return ok({});
    },

    'webhook.test': (request, asked) =>
      looked(
        command<'webhook.test'>(at, asked, async () => {
          const row = await find(request.webhook, asked);
          if (row === undefined) return NOT_FOUND;
          if ((await countWaiting(store, row.id)) >= WAITING_LIMIT)
            return err(fault('limit_reached', `At most ${WAITING_LIMIT} deliveries of one webhook wait.`));
          return ok(planTest(at, row));
        }),
      ),

    async 'delivery.list'({ webhook, state, ...cursor }, asked) {
      if ((await find(webhook, asked)) === undefined) return NOT_FOUND;
      const params: SqlValue[] = [webhook, ...(state === undefined ? [] : [state])];
      const found = await page<DeliveryRow>(
        store,
        `SELECT * FROM delivery WHERE webhook = ?${state === undefined ? '' : ' AND state = ?'}`,
        params,
        cursor,
      );
      return ok({ items: found.rows.map(deliveryView), ...(found.next === undefined ? {} : { next: found.next }) });
    },

    'delivery.replay': ({ webhook, delivery }, asked) =>
      looked(
        command<'delivery.replay'>(at, asked, async () => {
          if ((await find(webhook, asked)) === undefined) return NOT_FOUND;
          const row = await store.one<DeliveryRow>('SELECT * FROM delivery WHERE webhook = ? AND id = ?', [
            webhook,
            delivery,
          ]);
          if (row === undefined) return err(fault('not_found', 'This webhook has no such delivery.'));
          const now = world.clock.wall();
          const statement = sql(
            "UPDATE delivery SET state = 'pending', attempts = 0, next_at = ?, give_up_at = ?, done_at = NULL, error = NULL WHERE id = ?",
            now,
            now + GIVE_UP_AFTER,
            row.id,
          );
          const again = { state: 'pending', attempts: 0, next_at: now, done_at: null, error: null } as const;
          const reply = deliveryView({ ...row, ...again });
          return ok({ reply, statements: [statement] });
        }),
      ),
  };
}
