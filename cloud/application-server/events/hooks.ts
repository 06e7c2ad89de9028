/** The webhooks in memory, as the dispatcher needs them, and who may hear what by them. */
import { type Fact, wantsType } from '#cloud/store/cloud-event.ts';
import type { ReadFact } from '#cloud/store/event-reader.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Role } from '#shared/protocol/verb.ts';
import { mayHear } from '../open-api/access.ts';

export interface WebhookRow {
  readonly id: string;
  readonly account: string;
  /** Null: the operator's, for everything. */
  readonly home: string | null;
  /** The consent by which an application made it. */
  readonly consent: string | null;
  readonly url: string;
  /** JSON. */
  readonly types: string;
  /** JSON; null: all. */
  readonly scopes: string | null;
  readonly secret: string;
  readonly about: string | null;
  readonly state: 'active' | 'paused';
  readonly version: number;
  readonly created_at: number;
  readonly journal: number;
  readonly log: number;
}

export interface Hook {
  readonly id: string;
  readonly home: string | undefined;
  readonly url: string;
  readonly secret: string;
  readonly active: boolean;
  /** The operator's own: it may name any address. */
  readonly operator: boolean;
  wants(item: ReadFact): boolean;
}

type OwnedRow = WebhookRow & { readonly role: Role | null };

/** Every webhook whose owner still sees its home and whose consent still stands. */
export async function readHooks(store: Store): Promise<Hook[]> {
  const rows = await store.all<OwnedRow>(
    `SELECT w.*, a.role FROM webhook w LEFT JOIN account a ON a.id = w.account
     WHERE w.account = 'operator' OR a.role = 'operator'
       OR (EXISTS (SELECT 1 FROM account_home h WHERE h.account = w.account AND h.home = w.home)
         AND (w.consent IS NULL OR EXISTS (SELECT 1 FROM consent c WHERE c.id = w.consent)))`,
  );
  return rows.map(toHook);
}

function toHook(row: OwnedRow): Hook {
  const types = JSON.parse(row.types) as string[];
  const role = row.role ?? 'operator';
  const scopes = row.scopes === null ? 'all' : (JSON.parse(row.scopes) as string[]);
  const forHome = (fact: Fact) => row.home === null || fact.homes.includes(row.home);
  return {
    id: row.id,
    home: row.home ?? undefined,
    url: row.url,
    secret: row.secret,
    active: row.state === 'active',
    operator: role === 'operator',
    wants: ({ fact, cursor }) =>
      forHome(fact) &&
      wantsType(types, fact.type) &&
      mayHear({ role, scopes }, fact.type) &&
      // What had happened before the webhook was made is not for it.
      (fact.seq === undefined ? cursor.log > row.log : cursor.journal > row.journal),
  };
}
