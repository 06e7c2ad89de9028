/** Gateways as their owners see them: list, show, remove. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayById } from '#cloud/store/directory.ts';
import { sql, sqlOne } from '#cloud/store/store.ts';
import { fromHex } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { checkWords } from '#shared/protocol/pairing.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { AS_OAMP, command, type Oamp, page, visibleHome } from './parts.ts';

export type GatewayView = VerbReply<'gateway.get'>;

export function toGateway(row: GatewayRow): GatewayView {
  return {
    id: row.id,
    home: row.home,
    state: row.state,
    ...(row.stage === null ? {} : { stage: row.stage }),
    ...(row.cause === null ? {} : { cause: row.cause }),
    online: row.online === 1,
    ...(row.seen_at === null ? {} : { seenAt: row.seen_at }),
    ...(row.away_because === null ? {} : { awayBecause: row.away_because }),
    ...(row.profile === null ? {} : { profile: row.profile as NonNullable<GatewayView['profile']> }),
    ...(row.version === null ? {} : { version: row.version }),
    ...(row.paired_at === null ? {} : { pairedAt: row.paired_at }),
    checkWords: checkWords(fromHex(row.key_hash) ?? new Uint8Array()),
  };
}

/** `removed` is told after the commit which gateway is one no longer. */
export function gatewayHandlers(
  oamp: Oamp,
  removed: (row: GatewayRow) => void,
): Pick<Handlers<'oamp'>, 'gateway.list' | 'gateway.get' | 'gateway.remove'> {
  const { store } = oamp;
  return {
    async 'gateway.list'(request, context) {
      const hidden = await visibleHome(store, context, request.home);
      if (hidden !== undefined) return err(hidden);
      const found = await page<GatewayRow>(store, 'SELECT * FROM gateway WHERE home = ?', [request.home], request);
      return ok({ items: found.rows.map(toGateway), ...(found.next === undefined ? {} : { next: found.next }) });
    },
    async 'gateway.get'(request, context) {
      const hidden = await visibleHome(store, context, request.home);
      const row = hidden === undefined ? await gatewayById(store, request.gateway) : undefined;
      return row?.home === request.home ? ok(toGateway(row)) : err(fault('not_found'));
    },
    async 'gateway.remove'(request, context) {
      let row: GatewayRow | undefined;
      const outcome = await command<'gateway.remove'>(oamp, context, async () => {
        const hidden = await visibleHome(store, context, request.home);
        row = hidden === undefined ? await gatewayById(store, request.gateway) : undefined;
        if (row?.home !== request.home) return err(fault('not_found'));
        return ok({
          reply: {},
          statements: [
            sqlOne('DELETE FROM gateway WHERE id = ?', row.id),
            sql('DELETE FROM reported WHERE gateway = ?', row.id),
            sql('DELETE FROM gateway_told WHERE gateway = ?', row.id),
            sql(
              'UPDATE alarm SET cleared_at = ? WHERE gateway = ? AND cleared_at IS NULL',
              oamp.world.clock.wall(),
              row.id,
            ),
          ],
        });
      });
      if (outcome.ok && row !== undefined) removed(row);
      return outcome;
    },
  };
}

/** Milliseconds that a released gateway has to hear of it before it is cut off. */
const FAREWELL = 500;

/**
 * Tells a gateway that it is one no longer and cuts its connections at the edge; its certificate opens no new ones, as the store
 * refuses it already. One that does not hear it finds out by asking.
 */
export async function release({ bus }: Oamp, gateway: string, reason: string): Promise<void> {
  if (!bus.has('gateway-edge')) return;
  const told = { gateway, verb: 'gateway.released', body: {}, timeout: FAREWELL };
  await bus.request('gateway.command', told, AS_OAMP);
  await bus.request('gateway.disconnect', { gateway, reason }, AS_OAMP);
}
