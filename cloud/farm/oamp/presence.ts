/** Gateways at work: hello, reports, presence. The first complete report is what makes a gateway "paired". */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayById, homeOfGateway } from '#cloud/store/directory.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { desiredOfHome, pushDocument, refreshVoice } from './desired.ts';
import { type Report, verdict } from './fail-safe.ts';
import type { Pairing } from './pairing.ts';
import { AS_OAMP, command, type Oamp, type Plan } from './parts.ts';
import { tellMark } from './told.ts';

/** Characters of a report's own state, as JSON. */
export const REPORT_LIMIT = 32 * 1024;
/** Reports (by document) that are kept of one gateway. */
export const REPORTS = 32;

/** By gateway: the versions that its hello was answered with, until its lease begins. */
type Told = Map<string, ReadonlyMap<string, number>>;

export function presenceHandlers(
  oamp: Oamp,
  pairing: Pairing,
): Pick<Handlers<'oamp'>, 'gateway.hello' | 'gateway.reported' | 'gateway.seen'> {
  const told: Told = new Map();
  return {
    'gateway.hello': (request, context) => hello(oamp, request, context, told),
    'gateway.reported': (request, context) => reported(oamp, pairing, request, context),
    'gateway.seen': (request, context) => seen(oamp, request, context, told),
  };
}

async function hello(
  oamp: Oamp,
  request: VerbRequest<'gateway.hello'>,
  { principal }: Context,
  told: Told,
): Promise<Outcome<'gateway.hello'>> {
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const { store, world } = oamp;
  const row = await gatewayById(store, principal.gateway);
  if (row === undefined || row.state === 'failed') return err(fault('not_found'));
  await refreshVoice(oamp, row.home);
  const epoch = row.epoch + 1;
  const done = await store.commit([
    sqlOne(
      `UPDATE gateway SET epoch = ?, version = ?, profile = ?,
       stage = CASE WHEN state = 'pairing' THEN 'configuring' ELSE stage END WHERE id = ? AND epoch = ?`,
      epoch,
      request.version,
      request.profile,
      row.id,
      row.epoch,
    ),
    await tellMark(store, row.id, request.outbox, Math.floor(world.clock.wall())),
  ]);
  if (!done.ok) return err(fault('conflict', 'The same gateway connects twice at once.'));
  const applied = new Map(Object.entries(request.applied));
  const all = await desiredOfHome(store, row.home);
  told.set(row.id, new Map(all.map(({ doc, version }) => [doc, version])));
  const missing = all.filter((desired) => applied.get(desired.doc) !== desired.version);
  return ok({
    epoch,
    at: world.clock.wall(),
    documents: missing.map(({ doc, version, body }) => ({ doc, version, body: JSON.parse(body) as unknown })),
  });
}

async function reported(
  oamp: Oamp,
  pairing: Pairing,
  request: VerbRequest<'gateway.reported'>,
  context: Context,
): Promise<Outcome<'gateway.reported'>> {
  const { principal } = context;
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const pair: { verdict: ReturnType<typeof verdict>; home: string } = { verdict: 'open', home: principal.home };
  const plan = async (): Promise<Plan<'gateway.reported'>> => {
    const row = await gatewayById(oamp.store, principal.gateway);
    if (row === undefined || row.state === 'failed') return err(fault('not_found'));
    const body = JSON.stringify(request.body ?? null);
    if (body.length > REPORT_LIMIT) return err(fault('too_large', `A report has at most ${REPORT_LIMIT} characters.`));
    pair.home = row.home;
    pair.verdict = row.state === 'paired' ? 'open' : await verdictWith(oamp, row, request);
    const statements = keepReport(row.id, request, body, oamp.world.clock.wall());
    if (pair.verdict === 'paired') statements.unshift(becomePaired(row, oamp.world.clock.wall()));
    return ok({ reply: {}, statements });
  };
  const outcome = await command<'gateway.reported'>(oamp, context, plan, (failure) =>
    failure.statement >= (pair.verdict === 'paired' ? 1 : 0)
      ? fault('limit_reached', `Reports on at most ${REPORTS} documents are kept.`)
      : undefined,
  );
  if (!outcome.ok) return outcome;
  if (pair.verdict === 'paired') {
    pairing.unwatch(principal.gateway);
    oamp.bus.publish('pairing.progress', { gateway: principal.gateway, home: pair.home, state: 'paired' });
  }
  if (pair.verdict === 'rejected') oamp.background(pairing.fail(principal.gateway, 'pairing_document_rejected'));
  return outcome;
}

async function verdictWith(oamp: Oamp, row: GatewayRow, request: Report): Promise<ReturnType<typeof verdict>> {
  const desired = await desiredOfHome(oamp.store, row.home);
  const before = await oamp.store.all<Report>('SELECT doc, state FROM reported WHERE gateway = ?', [row.id]);
  const others = before.filter((report) => report.doc !== request.doc);
  return verdict(
    desired.map((document) => document.doc),
    [...others, request],
  );
}

function becomePaired(row: GatewayRow, wall: number): Statement {
  return sqlOne(
    "UPDATE gateway SET state = 'paired', stage = 'done', cause = NULL, paired_at = ? WHERE id = ? AND state = 'pairing'",
    wall,
    row.id,
  );
}

function keepReport(
  gateway: string,
  request: VerbRequest<'gateway.reported'>,
  body: string,
  wall: number,
): Statement[] {
  return [
    sql('DELETE FROM reported WHERE gateway = ? AND doc = ?', gateway, request.doc),
    sqlOne(
      `INSERT INTO reported (gateway, doc, applied, state, error, body, at)
       SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM reported WHERE gateway = ?) < ?`,
      gateway,
      request.doc,
      request.applied,
      request.state,
      request.error ?? null,
      body,
      wall,
      gateway,
      REPORTS,
    ),
  ];
}

/** Presence by lease: an older epoch changes nothing. The newest certificate's first connection ends the one before it. */
async function seen(
  oamp: Oamp,
  request: VerbRequest<'gateway.seen'>,
  { principal }: Context,
  told: Told,
): Promise<Outcome<'gateway.seen'>> {
  if (principal.kind !== 'part') return err(fault('forbidden'));
  const { store, world } = oamp;
  const { online, why } = request;
  const statements = [
    sql(
      'UPDATE gateway SET online = ?, epoch = ?, seen_at = ?, away_because = ? WHERE id = ? AND epoch <= ?',
      online ? 1 : 0,
      request.epoch,
      online ? null : Math.floor(world.clock.wall()),
      online ? null : (why ?? null),
      request.gateway,
      request.epoch,
    ),
  ];
  if (online && request.certificateSerial !== undefined) {
    statements.push(
      sql(
        'UPDATE gateway SET previous_serial = NULL WHERE id = ? AND certificate_serial = ?',
        request.gateway,
        request.certificateSerial,
      ),
    );
  }
  await store.commit(statements);
  const versions = told.get(request.gateway);
  told.delete(request.gateway);
  if (online && versions !== undefined) oamp.background(pushChanges(oamp, request.gateway, versions));
  return ok({});
}

/** What changed between the answer to hello and the lease reached nobody: it is sent now. */
async function pushChanges(oamp: Oamp, gateway: string, versions: ReadonlyMap<string, number>): Promise<void> {
  const home = await homeOfGateway(oamp.store, gateway);
  if (home === undefined) return;
  for (const { doc, version } of await desiredOfHome(oamp.store, home)) {
    if (versions.get(doc) !== version) await pushDocument(oamp, home, doc);
  }
}

/** After a restart of this part alone the edge still knows who is connected; without an edge nobody is. */
export async function recoverPresence({ store, bus, world }: Oamp): Promise<void> {
  const answer = bus.has('gateway-edge') ? await bus.request('presence.list', {}, AS_OAMP) : undefined;
  const online = answer?.ok ? answer.value.items : [];
  await store.commit([
    sql(
      "UPDATE gateway SET online = 0, seen_at = ?, away_because = 'the cloud started again' WHERE online = 1",
      Math.floor(world.clock.wall()),
    ),
    ...online.map((item) =>
      sql('UPDATE gateway SET online = 1, seen_at = NULL, away_because = NULL WHERE id = ?', item.gateway),
    ),
  ]);
}
