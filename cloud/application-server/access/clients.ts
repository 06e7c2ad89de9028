/** Applications registered for OAuth 2 by their developers. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { tokenHash } from '#cloud/store/directory.ts';
import { sql } from '#cloud/store/store.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { command, makeId, type Plan, page } from '../commands.ts';
import { isGrantable } from '../open-api/access.ts';

/** Applications of one account. */
export const CLIENTS_PER_ACCOUNT = 50;

export interface ClientRow {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  /** SHA-256 of the secret, hex; null for a public client. */
  readonly secret: string | null;
  /** JSON lists. */
  readonly redirects: string;
  readonly scopes: string;
  readonly grants: string;
  readonly created_at: number;
}

export function clientHandlers(
  at: PartContext,
): Pick<Handlers<'application-server'>, 'client.create' | 'client.list' | 'client.delete'> {
  const { store } = at;
  return {
    'client.create': (request, asked) => command<'client.create'>(at, asked, () => planClient(at, request, asked)),

    async 'client.list'(request, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const found = await page<ClientRow>(
        store,
        'SELECT * FROM oauth_client WHERE account = ?',
        [principal.account],
        request,
      );
      return ok({ items: found.rows.map(view), ...(found.next === undefined ? {} : { next: found.next }) });
    },

    async 'client.delete'({ client }, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const row = await store.one<ClientRow>('SELECT * FROM oauth_client WHERE id = ?', [client]);
      if (row === undefined || row.account !== principal.account)
        return err(fault('not_found', 'You have no such application.'));
      const consents = 'SELECT id FROM consent WHERE client = ?';
      await store.commit([
        sql(`DELETE FROM delivery WHERE webhook IN (SELECT id FROM webhook WHERE consent IN (${consents}))`, client),
        sql(`DELETE FROM webhook WHERE consent IN (${consents})`, client),
        sql(`DELETE FROM oauth_item WHERE consent IN (${consents})`, client),
        sql("DELETE FROM token WHERE kind = 'oauth' AND name = ?", client),
        sql('DELETE FROM consent WHERE client = ?', client),
        sql('DELETE FROM oauth_client WHERE id = ?', client),
      ]);
      return ok({});
    },
  };
}

async function planClient(
  { store, world }: PartContext,
  request: VerbRequest<'client.create'>,
  { principal }: Context,
): Promise<Plan<'client.create'>> {
  if (principal.kind !== 'account') return err(fault('forbidden'));
  const wrong = clientFault(request);
  if (wrong !== undefined) return err(wrong);
  const count = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM oauth_client WHERE account = ?', [
    principal.account,
  ]);
  if ((count?.n ?? 0) >= CLIENTS_PER_ACCOUNT)
    return err(fault('limit_reached', `An account has at most ${CLIENTS_PER_ACCOUNT} applications.`));
  const secret = request.confidential === true ? `hls_${base32(world.random.bytes(20))}` : undefined;
  const row: ClientRow = {
    id: makeId(world, 'clt'),
    account: principal.account,
    name: request.name,
    secret: secret === undefined ? null : tokenHash(world.crypto, secret),
    redirects: JSON.stringify([...new Set(request.redirects ?? [])]),
    scopes: JSON.stringify([...new Set(request.scopes)].sort()),
    grants: JSON.stringify([...new Set(request.grants ?? ['authorization_code'])]),
    created_at: world.clock.wall(),
  };
  const insert = sql(
    'INSERT INTO oauth_client (id, account, name, secret, redirects, scopes, grants, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    row.id,
    row.account,
    row.name,
    row.secret,
    row.redirects,
    row.scopes,
    row.grants,
    row.created_at,
  );
  return ok({ reply: { ...view(row), ...(secret === undefined ? {} : { secret }) }, statements: [insert] });
}

function clientFault({
  scopes,
  grants,
  redirects = [],
  confidential,
}: VerbRequest<'client.create'>): Fault | undefined {
  const bad = (detail: string, pointer: string) => fault('bad_request', detail, { pointer });
  const closed = scopes.find((scope) => !isGrantable(scope));
  if (closed !== undefined) return bad(`An application cannot have the scope ${closed}.`, '/scopes');
  const byCode = grants === undefined || grants.includes('authorization_code');
  if (byCode && redirects.length === 0) return bad('Say where people come back to.', '/redirects');
  if (!redirects.every(isRedirect))
    return bad(
      'A redirect is https, http to a loopback address, or a private scheme with a dot (RFC 8252).',
      '/redirects',
    );
  if (grants?.includes('client_credentials') === true && confidential !== true)
    return bad('Client credentials are for confidential applications.', '/confidential');
  return undefined;
}

function isRedirect(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  if (protocol === 'https:') return true;
  if (protocol === 'http:') return hostname === '127.0.0.1' || hostname === '[::1]' || hostname === 'localhost';
  return protocol.includes('.');
}

function view(row: ClientRow): VerbReply<'client.create'> {
  return {
    id: row.id,
    name: row.name,
    redirects: JSON.parse(row.redirects) as string[],
    scopes: JSON.parse(row.scopes) as string[],
    grants: JSON.parse(row.grants) as string[],
    createdAt: row.created_at,
  };
}
