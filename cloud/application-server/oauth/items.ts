/**
 * What the OAuth 2 server keeps, in our store. Tokens and codes stand there as SHA-256 only; an access token is also a row among the
 * tokens, so that the one guard of the open API knows it, and a consent that is revoked takes all of it away in one commit.
 */
import { tokenHash } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { ClientRow } from '../access/clients.ts';

export type Payload = Readonly<Record<string, unknown>>;
type Surroundings = { readonly store: Store; readonly world: Pick<World, 'crypto' | 'clock'> };

interface ItemRow {
  readonly payload: string;
  readonly consumed_at: number | null;
  readonly expires_at: number | null;
}

/** Models whose id is the secret that a client holds, and which are looked up by nothing else. */
const SECRET = ['AccessToken', 'RefreshToken', 'AuthorizationCode', 'ClientCredentials'];

/** Storage of one model, with the methods that oidc-provider asks for (its README, "Adapter"). Times are in seconds there. */
export class Items {
  readonly #model: string;
  readonly #at: Surroundings;

  constructor(model: string, at: Surroundings) {
    this.#model = model;
    this.#at = at;
  }

  async upsert(id: string, payload: Payload, expiresIn?: number): Promise<void> {
    const { store, world } = this.#at;
    const now = world.clock.wall();
    const { jti: _jti, ...rest } = payload;
    const consent = this.#model === 'Grant' ? id : text(payload.grantId);
    const expiresAt = expiresIn === undefined ? null : now + expiresIn * 1000;
    const kept = JSON.stringify(SECRET.includes(this.#model) ? rest : payload);
    await store.commit([
      sql(
        'INSERT INTO oauth_item (model, id, payload, consent, uid, user_code, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, consent = excluded.consent, uid = excluded.uid, user_code = excluded.user_code, expires_at = excluded.expires_at',
        this.#model,
        this.#key(id),
        kept,
        consent ?? null,
        text(payload.uid) ?? null,
        text(payload.userCode) ?? null,
        expiresAt,
      ),
      ...(await this.#token(id, payload, expiresAt)),
    ]);
  }

  async find(id: string): Promise<Payload | undefined> {
    const { store } = this.#at;
    if (this.#model === 'Client') return clientMetadata(store, id);
    const payload = this.#live(
      await store.one<ItemRow>('SELECT * FROM oauth_item WHERE model = ? AND id = ?', [this.#model, this.#key(id)]),
    );
    return payload !== undefined && SECRET.includes(this.#model) ? { ...payload, jti: id } : payload;
  }

  findByUid(uid: string): Promise<Payload | undefined> {
    return this.#findBy('uid', uid);
  }

  findByUserCode(userCode: string): Promise<Payload | undefined> {
    return this.#findBy('user_code', userCode);
  }

  async consume(id: string): Promise<void> {
    const { store, world } = this.#at;
    await store.commit([
      sql(
        'UPDATE oauth_item SET consumed_at = ? WHERE model = ? AND id = ?',
        world.clock.wall(),
        this.#model,
        this.#key(id),
      ),
    ]);
  }

  async destroy(id: string): Promise<void> {
    const { store, world } = this.#at;
    await store.commit([
      sql('DELETE FROM oauth_item WHERE model = ? AND id = ?', this.#model, this.#key(id)),
      sql("DELETE FROM token WHERE kind = 'oauth' AND hash = ?", tokenHash(world.crypto, id)),
    ]);
  }

  async revokeByGrantId(grant: string): Promise<void> {
    await this.#at.store.commit([
      sql('DELETE FROM oauth_item WHERE model = ? AND consent = ?', this.#model, grant),
      ...(this.#model === 'AccessToken' ? [sql('DELETE FROM token WHERE consent = ?', grant)] : []),
    ]);
  }

  /** A grant's id is no secret: it names the consent. */
  #key(id: string): string {
    return this.#model === 'Grant' ? id : tokenHash(this.#at.world.crypto, id);
  }

  async #findBy(column: 'uid' | 'user_code', value: string): Promise<Payload | undefined> {
    return this.#live(
      await this.#at.store.one<ItemRow>(`SELECT * FROM oauth_item WHERE model = ? AND ${column} = ?`, [
        this.#model,
        value,
      ]),
    );
  }

  #live(row: ItemRow | undefined): Payload | undefined {
    const now = this.#at.world.clock.wall();
    if (row === undefined || (row.expires_at !== null && row.expires_at <= now)) return undefined;
    const payload = JSON.parse(row.payload) as Payload;
    return row.consumed_at === null ? payload : { ...payload, consumed: Math.floor(row.consumed_at / 1000) };
  }

  /** The row by which the open API knows an access token. */
  async #token(id: string, payload: Payload, expiresAt: number | null): Promise<Statement[]> {
    const { store, world } = this.#at;
    const client = text(payload.clientId) ?? '';
    const scopes = JSON.stringify((text(payload.scope) ?? '').split(' ').filter((scope) => scope.includes(':')));
    const insert = (account: string, homes: string | null, consent: string | null) =>
      sql(
        "INSERT INTO token (hash, account, role, created_at, expires_at, kind, name, scopes, homes, consent) VALUES (?, ?, 'subscriber', ?, ?, 'oauth', ?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at",
        tokenHash(world.crypto, id),
        account,
        world.clock.wall(),
        expiresAt,
        client,
        scopes,
        homes,
        consent,
      );
    if (this.#model === 'ClientCredentials') {
      const owner = await store.one<ClientRow>('SELECT * FROM oauth_client WHERE id = ?', [client]);
      return owner === undefined ? [] : [insert(owner.account, null, null)];
    }
    const grant = text(payload.grantId);
    if (this.#model !== 'AccessToken' || grant === undefined) return [];
    const consent = await store.one<{ account: string; homes: string }>(
      'SELECT account, homes FROM consent WHERE id = ?',
      [grant],
    );
    return consent === undefined ? [] : [insert(consent.account, consent.homes, grant)];
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Names of our grants in OAuth 2. */
const GRANTS: Readonly<Record<string, string>> = {
  authorization_code: 'authorization_code',
  client_credentials: 'client_credentials',
  device_code: 'urn:ietf:params:oauth:grant-type:device_code',
};

/** A registered application as client metadata (RFC 7591 section 2). */
async function clientMetadata(store: Store, id: string): Promise<Payload | undefined> {
  const row = await store.one<ClientRow>('SELECT * FROM oauth_client WHERE id = ?', [id]);
  if (row === undefined) return undefined;
  const redirects = JSON.parse(row.redirects) as string[];
  const grants = JSON.parse(row.grants) as string[];
  const byPerson = grants.some((grant) => grant !== 'client_credentials');
  return {
    client_id: row.id,
    client_name: row.name,
    ...(row.secret === null ? {} : { client_secret: row.secret }),
    token_endpoint_auth_method: row.secret === null ? 'none' : 'client_secret_basic',
    id_token_signed_response_alg: 'ES256',
    application_type: redirects.every((one) => one.startsWith('https:')) ? 'web' : 'native',
    redirect_uris: redirects,
    response_types: grants.includes('authorization_code') ? ['code'] : [],
    grant_types: [...grants.map((grant) => GRANTS[grant] ?? grant), ...(byPerson ? ['refresh_token'] : [])],
    scope: (JSON.parse(row.scopes) as string[]).join(' '),
  };
}
