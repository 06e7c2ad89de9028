/** What gateways report of their updates: kept per gateway, told to the rollout that it belongs to, an alarm where one failed. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { gatewayById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type FaultCode, fault, faults } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { AS_OAMP, command, type Oamp, page } from './parts.ts';
import type { RolloutDrive } from './rollout-drive.ts';
import { memberStateOf } from './rollout-plan.ts';
import { changeMember } from './rollout-rows.ts';

/** Updates that are kept of one gateway. */
export const UPDATES = 50;
/** One alarm of a gateway, whatever its update failed of. */
const CAUSE = 'update.failed';
const TEXT = 512;

export type Report = VerbReply<'gateway.updates'>['items'][number];
type Said = VerbRequest<'update.report'>;

export const reportOf = (body: string): Report => JSON.parse(body) as Report;

export function updateHandlers(
  oamp: Oamp,
  drive: RolloutDrive,
): Pick<Handlers<'oamp'>, 'update.report' | 'gateway.updates'> {
  return {
    'update.report': (said, context) => report(oamp, drive, said, context),

    async 'gateway.updates'({ gateway, ...asked }, { principal }) {
      const row = await gatewayById(oamp.store, gateway);
      if (row === undefined || !sees(principal, row.home)) return err(fault('not_found', 'There is no such gateway.'));
      const found = await page<{ id: string; body: string }>(
        oamp.store,
        "SELECT * FROM (SELECT SUBSTR('0000000000' || n, -10) AS id, body FROM gateway_update WHERE gateway = ?) AS told WHERE 1 = 1",
        [gateway],
        asked,
        'DESC',
      );
      return ok({
        items: found.rows.map(({ body }) => reportOf(body)),
        ...(found.next === undefined ? {} : { next: found.next }),
      });
    },
  };
}

async function report(
  oamp: Oamp,
  drive: RolloutDrive,
  said: Said,
  context: Context,
): Promise<Outcome<'update.report'>> {
  const { principal } = context;
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const { gateway, home } = principal;
  const outcome = await command<'update.report'>(oamp, context, async () =>
    ok({ reply: {}, statements: keep(oamp, gateway, home, said) }),
  );
  if (!outcome.ok) return outcome;
  oamp.bus.publish('event.appended', { home });
  drive.heard(said.job, gateway);
  oamp.background(alarm(oamp, gateway, said));
  return outcome;
}

function keep({ world }: Oamp, gateway: string, home: string, said: Said): Statement[] {
  const { job, state, reason, text } = said;
  const body = JSON.stringify(said);
  const next = {
    state: memberStateOf(said),
    heard: Math.floor(world.clock.wall()),
    ...(reason === undefined ? {} : { reason }),
    ...(text === undefined ? {} : { text }),
  };
  return [
    sql(
      `INSERT INTO gateway_update (gateway, job, n, body) VALUES (?, ?, COALESCE((SELECT MAX(n) FROM gateway_update WHERE gateway = ?), 0) + 1, ?)
       ON CONFLICT (gateway, job) DO UPDATE SET body = excluded.body`,
      ...[gateway, job, gateway, body],
    ),
    sql(
      'DELETE FROM gateway_update WHERE gateway = ? AND n <= (SELECT MAX(n) FROM gateway_update WHERE gateway = ?) - ?',
      ...[gateway, gateway, UPDATES],
    ),
    changeMember(job, gateway, next),
    eventRow(world, { type: `home.update.v1.${state}`, home, subject: gateway, data: { gateway, ...said } }),
  ];
}

async function alarm({ bus }: Oamp, gateway: string, said: Said): Promise<void> {
  const member = memberStateOf(said);
  if (member === 'good') await bus.request('alarm.clear', { cause: CAUSE, gateway }, AS_OAMP);
  if (member !== 'back' && member !== 'failed') return;
  const text = plainWords(said).slice(0, TEXT);
  await bus.request('alarm.raise', { cause: CAUSE, severity: 'major', text, gateway }, AS_OAMP);
}

/** The report in a few sentences. */
export function plainWords({ version, reason, text, stage, attempts, state }: Said): string {
  const known = reason !== undefined && Object.hasOwn(faults, reason) ? faults[reason as FaultCode] : undefined;
  const came = stage === undefined ? '' : ` It came as far as “${stage}”`;
  const often = attempts === undefined ? '' : ` in ${attempts} ${attempts === 1 ? 'start' : 'starts'}`;
  return [
    `The update${version === undefined ? '' : ` to ${version}`} ${state === 'back' ? 'was undone' : 'failed'}: ${known?.title ?? reason ?? 'no reason was given'}.`,
    came === '' ? '' : `${came}${often}.`,
    text === undefined ? '' : ` ${text}`,
    known === undefined ? '' : ` ${known.next}`,
  ].join('');
}
