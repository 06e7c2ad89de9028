/** A new webhook and a new test delivery as rows, and how rows of both are shown. */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { cloudEventText } from '#cloud/store/cloud-event.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { newestCursor } from '#cloud/store/event-reader.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { nearestEventType } from '#shared/protocol/event-types.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { makeId, type Plan } from '../commands.ts';
import { isPublicAddress } from './address.ts';
import { insertDelivery } from './dispatcher.ts';
import type { WebhookRow } from './hooks.ts';
import { newSecret } from './signature.ts';

/** Webhooks of one home, or of the operator. */
export const WEBHOOKS_PER_HOME = 20;

export interface DeliveryRow {
  readonly id: string;
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  readonly state: 'pending' | 'delivered' | 'dead';
  readonly attempts: number;
  readonly created_at: number;
  readonly next_at: number;
  readonly done_at: number | null;
  readonly status: number | null;
  readonly error: string | null;
}

type Surroundings = Pick<PartContext, 'store' | 'world'> & { readonly anyAddress: boolean };

/** What is wrong with a webhook's URL for this asker. Names are looked up, and judged, at every delivery. */
export function urlFault(
  { anyAddress }: Pick<Surroundings, 'anyAddress'>,
  { principal }: Context,
  text: string,
): Fault | undefined {
  const bad = (detail: string) => fault('bad_request', detail, { pointer: '/url' });
  if (!URL.canParse(text)) return bad('This is no URL.');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return bad('A webhook’s URL carries no name and password.');
  if (url.hash !== '') return bad('A webhook’s URL has no fragment.');
  if (anyAddress || (principal.kind === 'account' && principal.role === 'operator')) return undefined;
  if (url.protocol !== 'https:') return bad('A webhook’s URL begins with https://.');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const literal = /^[0-9.]+$/.test(host) || host.includes(':');
  if ((literal && !isPublicAddress(host)) || host === 'localhost' || host.endsWith('.localhost'))
    return bad('This address is not of the public internet.');
  return undefined;
}

/** What is wrong with the types of events that a webhook is to hear: one that does not exist would never be heard. */
export function typesFault(types: readonly string[] | undefined): Fault | undefined {
  for (const [n, type] of (types ?? []).entries()) {
    const near = nearestEventType(type);
    if (near !== undefined)
      return fault('bad_request', `There is no event ${type}; the nearest is ${near}.`, { pointer: `/types/${n}` });
  }
  return undefined;
}

type Home = Result<string | null, Fault>;

/** The home that a new webhook is for: the named one, the asker's only one, or (the operator's) all. */
async function homeOf({ store }: Surroundings, named: string | undefined, { principal }: Context): Promise<Home> {
  if (principal.kind !== 'account') return err(fault('forbidden'));
  if (named === undefined && principal.homes === 'all' && principal.role === 'operator') return ok(null);
  const own = principal.homes === 'all' ? [] : principal.homes;
  const home = named ?? (own.length === 1 ? own[0] : undefined);
  if (home === undefined) return err(fault('bad_request', 'Say for which home.', { pointer: '/home' }));
  const known = sees(principal, home) && (await homeById(store, home)) !== undefined;
  return known ? ok(home) : err(fault('not_found', 'There is no such home.'));
}

export async function planWebhook(
  at: Surroundings,
  request: VerbRequest<'webhook.create'>,
  asked: Context,
): Promise<Plan<'webhook.create'>> {
  const { store, world } = at;
  const wrong = urlFault(at, asked, request.url) ?? typesFault(request.types);
  if (wrong !== undefined) return err(wrong);
  const home = await homeOf(at, request.home, asked);
  if (!home.ok) return home;
  const { principal } = asked;
  if (principal.kind !== 'account') return err(fault('forbidden'));
  const count = await store.one<{ n: number }>("SELECT COUNT(*) AS n FROM webhook WHERE COALESCE(home, '') = ?", [
    home.value ?? '',
  ]);
  if ((count?.n ?? 0) >= WEBHOOKS_PER_HOME)
    return err(fault('limit_reached', `A home has at most ${WEBHOOKS_PER_HOME} webhooks.`));
  const from = await newestCursor(store);
  const row: WebhookRow = {
    id: makeId(world, 'hook'),
    account: principal.account,
    home: home.value,
    consent: principal.consent ?? null,
    url: request.url,
    types: JSON.stringify(request.types ?? []),
    scopes: principal.scopes === 'all' ? null : JSON.stringify(principal.scopes),
    secret: newSecret(world),
    about: request.about ?? null,
    state: 'active',
    version: 1,
    created_at: world.clock.wall(),
    ...from,
  };
  return ok({ reply: { ...view(row), pending: 0, dead: 0, secret: row.secret }, statements: [insert(row)] });
}

function insert(row: WebhookRow): Statement {
  return sql(
    'INSERT INTO webhook (id, account, home, consent, url, types, scopes, secret, about, state, version, created_at, journal, log) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    row.id,
    row.account,
    row.home,
    row.consent,
    row.url,
    row.types,
    row.scopes,
    row.secret,
    row.about,
    row.state,
    row.version,
    row.created_at,
    row.journal,
    row.log,
  );
}

/** A test event is for its webhook alone, so it stands in no log. */
export function planTest({ world }: Pick<PartContext, 'world'>, row: WebhookRow) {
  const now = world.clock.wall();
  const event = makeId(world, 'evt');
  const type = 'home.webhook.v1.test';
  const homes = row.home === null ? [] : [row.home];
  const body = cloudEventText({ id: event, type, homes, subject: row.id, at: now, data: {} });
  const made = insertDelivery(world, { webhook: row.id, event, type, lane: event, body }, true);
  const reply: VerbReply<'webhook.test'> = {
    id: made.id,
    webhook: row.id,
    event,
    type,
    state: 'pending',
    attempts: 0,
    createdAt: now,
    nextAt: now,
  };
  return { reply, statements: [made.statement] };
}

export function view(row: WebhookRow): Omit<VerbReply<'webhook.get'>, 'pending' | 'dead'> {
  return {
    id: row.id,
    ...(row.home === null ? {} : { home: row.home }),
    url: row.url,
    types: JSON.parse(row.types) as string[],
    ...(row.about === null ? {} : { about: row.about }),
    state: row.state,
    createdAt: row.created_at,
  };
}

export function deliveryView(row: DeliveryRow): VerbReply<'delivery.replay'> {
  return {
    id: row.id,
    webhook: row.webhook,
    event: row.event,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    createdAt: row.created_at,
    ...(row.state === 'pending' ? { nextAt: row.next_at } : {}),
    ...(row.done_at === null ? {} : { doneAt: row.done_at }),
    ...(row.status === null ? {} : { status: row.status }),
    ...(row.error === null ? {} : { error: row.error }),
  };
}
