/** What happens when a person decides on an application: who they are, what they could give, and the consent that is kept. */
import type { Bus } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { accountById, type HomeRow, homesOfAccount, removeToken, tokenHash } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { ClientRow } from '../access/clients.ts';
import { isGrantable, nobody } from '../open-api/access.ts';

/** Checks name and password as sign-in does (its tries, its answer); only whoever has homes of their own can give consent. */
export async function signIn(
  { bus, store, world }: Pick<PartContext, 'bus' | 'store' | 'world'>,
  name: string,
  password: string,
  source: string,
): Promise<Result<string, string>> {
  const request = { name: name.slice(0, 64), password: password.slice(0, 128) };
  if (request.name === '') return err('Give your name and password.');
  const outcome = await askBus(bus, request, source);
  if (!outcome.ok) return err(outcome.fault.detail ?? 'That did not work.');
  await removeToken(store, tokenHash(world.crypto, outcome.value.token));
  const { account, role } = outcome.value;
  return role === 'subscriber' ? ok(account) : err('Only somebody who lives in a home can let an application in.');
}

function askBus(bus: Bus, request: { readonly name: string; readonly password: string }, source: string) {
  return bus.request('auth.sign-in', request, { principal: nobody, channel: { source } });
}

export async function homesToGive(store: Store, account: string): Promise<HomeRow[]> {
  const ids = await homesOfAccount(store, account);
  const rows = await Promise.all(ids.map((id) => store.one<HomeRow>('SELECT * FROM home WHERE id = ?', [id])));
  return rows.filter((row) => row !== undefined);
}

export interface ClientFacts {
  readonly name: string;
  readonly developer: string;
  readonly scopes: readonly string[];
}

export async function clientFacts(store: Store, id: string): Promise<ClientFacts | undefined> {
  const row = await store.one<ClientRow>('SELECT * FROM oauth_client WHERE id = ?', [id]);
  if (row === undefined) return undefined;
  const owner = await accountById(store, row.account);
  return { name: row.name, developer: owner?.name ?? 'the operator', scopes: JSON.parse(row.scopes) as string[] };
}

/** The scopes of a request that its application is registered for. */
export function scopesAsked(asked: unknown, { scopes }: ClientFacts): string[] {
  const words = typeof asked === 'string' ? asked.split(' ') : [];
  return [...new Set(words)].filter((scope) => scopes.includes(scope) && isGrantable(scope));
}

/** Keeps a consent under the id of its grant, and tells the homes. */
export async function keepConsent(
  { store, world, bus }: Pick<PartContext, 'bus' | 'store' | 'world'>,
  consent: {
    readonly id: string;
    readonly account: string;
    readonly client: string;
    readonly name: string;
    readonly homes: readonly string[];
    readonly scopes: readonly string[];
  },
): Promise<void> {
  const { id, account, client, name, homes, scopes } = consent;
  const data = { application: name, client, scopes };
  await store.commit([
    sql(
      'INSERT INTO consent (id, account, client, homes, scopes, at) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      account,
      client,
      JSON.stringify(homes),
      JSON.stringify(scopes),
      world.clock.wall(),
    ),
    ...homes.map((home) => eventRow(world, { type: 'home.consent.v1.granted', home, subject: id, data })),
  ]);
  bus.publish('event.appended', {});
}
