/** Consents: what a person lets an application see, and what a home's owner lets a technician see for a while. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { type AccountRow, accountById, accountByName, homeById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type SqlValue, type Statement, type Store, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, makeId } from '../commands.ts';

type Consent = VerbReply<'consent.list'>['items'][number];

interface ConsentRow {
  readonly id: string;
  readonly account: string;
  readonly client: string;
  readonly homes: string;
  readonly scopes: string;
  readonly at: number;
  /** The application's name. */
  readonly name: string | null;
}

interface TechnicianRow {
  readonly id: string;
  readonly home: string;
  readonly account: string;
  readonly at: number;
  readonly until: number;
  readonly name: string | null;
}

const APPLICATIONS = 'SELECT c.*, o.name FROM consent c LEFT JOIN oauth_client o ON o.id = c.client';
const TECHNICIANS = 'SELECT t.*, a.name FROM technician_consent t LEFT JOIN account a ON a.id = t.account';

export function consentHandlers(
  at: PartContext,
): Pick<Handlers<'application-server'>, 'consent.list' | 'consent.revoke' | 'consent.technician.grant'> {
  const { store, world, bus } = at;
  return {
    async 'consent.list'(_request, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const all = principal.homes === 'all' && principal.role === 'operator';
      const given = await store.all<ConsentRow>(
        `${APPLICATIONS} WHERE ${all ? '1 = 1' : 'c.account = ?'} ORDER BY c.at, c.id LIMIT 1000`,
        all ? [] : [principal.account],
      );
      const homes: SqlValue[] = principal.homes === 'all' ? [] : [...principal.homes];
      const let_in = await store.all<TechnicianRow>(
        `${TECHNICIANS} WHERE t.until > ? AND ${all ? '1 = 1' : `t.home IN (${homes.map(() => '?').join(', ') || 'NULL'})`} ORDER BY t.at, t.id LIMIT 1000`,
        [world.clock.wall(), ...homes],
      );
      return ok({ items: [...given.map(applicationView), ...let_in.map(technicianView)] });
    },

    async 'consent.revoke'({ consent }, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const given = await store.one<ConsentRow>(`${APPLICATIONS} WHERE c.id = ?`, [consent]);
      if (given !== undefined && (given.account === principal.account || principal.role === 'operator')) {
        await store.commit(endConsent(consent));
        return ok({});
      }
      const visit = await store.one<TechnicianRow>(`${TECHNICIANS} WHERE t.id = ?`, [consent]);
      if (visit === undefined || !sees(principal, visit.home))
        return err(fault('not_found', 'You have given no such consent.'));
      const now = world.clock.wall();
      await store.commit([
        sql('UPDATE technician_consent SET until = ? WHERE id = ? AND until > ?', now, consent, now),
        eventRow(world, { type: 'home.consent.v1.revoked', home: visit.home, subject: consent, data: {} }),
      ]);
      bus.publish('event.appended', { home: visit.home });
      return ok({});
    },

    async 'consent.technician.grant'(request, asked) {
      const { home } = request;
      const done = await command<'consent.technician.grant'>(at, asked, async () => {
        const { principal } = asked;
        if (principal.kind !== 'account' || !sees(principal, home) || (await homeById(store, home)) === undefined)
          return err(fault('not_found', 'There is no such home.'));
        const account = await technician(store, request.account);
        if (account === undefined)
          return err(fault('not_found', 'There is no technician of this name.', { pointer: '/account' }));
        const now = world.clock.wall();
        const row: TechnicianRow = {
          id: makeId(world, 'con'),
          home,
          account: account.id,
          at: now,
          until: now + request.minutes * 60_000,
          name: account.name,
        };
        const data = { technician: account.name, until: row.until };
        const statements = [
          sql(
            'INSERT INTO technician_consent (id, home, account, granted_by, at, until) VALUES (?, ?, ?, ?, ?, ?)',
            row.id,
            home,
            row.account,
            principal.account,
            row.at,
            row.until,
          ),
          eventRow(world, { type: 'home.consent.v1.granted', home, subject: row.id, data }),
        ];
        return ok({ reply: technicianView(row), statements });
      });
      if (done.ok) bus.publish('event.appended', { home });
      return done;
    },
  };
}

async function technician(store: Store, named: string): Promise<AccountRow | undefined> {
  const row = (await accountById(store, named)) ?? (await accountByName(store, named));
  return row?.role === 'technician' ? row : undefined;
}

/** Ends an application's consent with everything that stands on it: tokens, codes, webhooks and what they have queued. */
export function endConsent(id: string): Statement[] {
  return [
    sql('DELETE FROM token WHERE consent = ?', id),
    sql('DELETE FROM oauth_item WHERE consent = ?', id),
    sql('DELETE FROM delivery WHERE webhook IN (SELECT id FROM webhook WHERE consent = ?)', id),
    sql('DELETE FROM webhook WHERE consent = ?', id),
    sql('DELETE FROM consent WHERE id = ?', id),
  ];
}

function applicationView(row: ConsentRow): Consent {
  return {
    id: row.id,
    kind: 'application',
    to: row.name ?? row.client,
    homes: JSON.parse(row.homes) as string[],
    scopes: JSON.parse(row.scopes) as string[],
    at: row.at,
  };
}

function technicianView(row: TechnicianRow): Consent {
  return {
    id: row.id,
    kind: 'technician',
    to: row.name ?? row.account,
    homes: [row.home],
    scopes: [],
    at: row.at,
    until: row.until,
  };
}
