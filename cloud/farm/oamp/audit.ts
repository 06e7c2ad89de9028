/** The audit trail: who asked for what, and how it ended. Lines are only ever added, and dropped when they are old. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { FORGET_AFTER } from './back-off.ts';
import { makeId, type Oamp, page } from './parts.ts';

const DAY = 24 * 3_600_000;
/** How long lines of the audit trail and cleared alarms are kept, ms. */
export const AUDIT_KEPT = 365 * DAY;
export const ALARMS_KEPT = 90 * DAY;
/** How long a gateway's ids stay unique, ms. */
export const GATEWAY_IDS_KEPT = 30 * DAY;

interface AuditRow {
  readonly id: string;
  readonly at: number;
  readonly account: string;
  readonly verb: string;
  readonly target: string | null;
  readonly outcome: string;
}

export function auditHandlers({ store, world }: Oamp): Pick<Handlers<'oamp'>, 'audit.record' | 'audit.list'> {
  return {
    async 'audit.record'(request, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const insert = sql(
        'INSERT INTO audit (id, at, account, verb, target, outcome) VALUES (?, ?, ?, ?, ?, ?)',
        makeId(world, 'aud'),
        world.clock.wall(),
        request.account,
        request.verb,
        request.target ?? null,
        request.outcome,
      );
      await store.commit([insert]);
      return ok({});
    },
    async 'audit.list'(request) {
      const found = await page<AuditRow>(store, 'SELECT * FROM audit WHERE 1 = 1', [], request, 'DESC');
      return ok({
        items: found.rows.map(({ target, ...row }) => ({ ...row, ...(target === null ? {} : { target }) })),
        ...(found.next === undefined ? {} : { next: found.next }),
      });
    },
  };
}

/** What has run out at wall time `now`: removed once an hour. */
export function housekeeping(now: number): Statement[] {
  return [
    sql('DELETE FROM audit WHERE at < ?', now - AUDIT_KEPT),
    sql('DELETE FROM alarm WHERE cleared_at < ?', now - ALARMS_KEPT),
    sql('DELETE FROM pairing_code WHERE expires_at <= ?', now),
    sql('DELETE FROM pairing_tries WHERE at < ?', now - FORGET_AFTER),
    sql("DELETE FROM idempotency WHERE scope LIKE 'gw:%' AND at < ?", now - GATEWAY_IDS_KEPT),
  ];
}
