/** Installs: an application in a home, with its subscriber's consent to every right that it asks for. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { newestCursor } from '#cloud/store/event-reader.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Right, rightsOf } from '#shared/protocol/applet-rights.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { appletsChange, pushApplets } from './documents.ts';
import { giveMailAddress, takeMailAddress } from './mail-address.ts';
import type { ECenter } from './parts.ts';
import {
  differenceOf,
  type InstallRow,
  installById,
  installsOfHome,
  manifestOf,
  newestPublished,
  showInstall,
  type VersionRow,
  versionRow,
} from './rows.ts';

type InstallVerbs = 'install.create' | 'install.list' | 'install.get' | 'install.update' | 'install.remove';

/** Applications in one home. */
export const INSTALLS_LIMIT = 16;
const TRIES = 5;

export function installHandlers(self: ECenter): Pick<Handlers<'e-center'>, InstallVerbs> {
  const { store } = self;
  return {
    'install.create': (request, asked) => create(self, request, asked),
    'install.update': (request, asked) => update(self, request, asked),
    'install.remove': ({ install }, asked) => remove(self, install, asked),

    async 'install.list'({ home }, { principal }) {
      if (!sees(principal, home)) return err(fault('not_found'));
      const rows = await installsOfHome(store, home);
      return ok({ items: await Promise.all(rows.map((row) => showInstall(self, row))) });
    },

    async 'install.get'({ install }, context) {
      const row = await visibleInstall(self, install, context);
      return row === undefined ? err(fault('not_found')) : ok(await showInstall(self, row));
    },
  };
}

/** An install that the asker may see. */
export async function visibleInstall(
  { store }: Pick<ECenter, 'store'>,
  id: string,
  { principal }: Context,
): Promise<InstallRow | undefined> {
  const row = await installById(store, id);
  return row !== undefined && sees(principal, row.home) ? row : undefined;
}

async function wantedVersion(
  { store }: ECenter,
  app: string,
  version: string | undefined,
): Promise<VersionRow | undefined> {
  const row = version === undefined ? await newestPublished(store, app) : await versionRow(store, app, version);
  return row?.state === 'published' ? row : undefined;
}

function missing(rights: readonly Right[], consent: readonly string[]): Fault | undefined {
  const open = rights.filter(({ key }) => !consent.includes(key));
  if (open.length === 0) return undefined;
  return fault(
    'consent_missing',
    `Not consented: ${open.map(({ key, words }) => `${key} (${words})`).join('; ')}.`.slice(0, 2000),
    { pointer: '/consent' },
  );
}

async function create(
  self: ECenter,
  request: VerbRequest<'install.create'>,
  asked: Context,
): Promise<Outcome<'install.create'>> {
  const { store, world } = self;
  const before = await repeated<'install.create'>(store, asked);
  if (before !== undefined) return before;
  const { home, app, consent } = request;
  if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
  const version = await wantedVersion(self, app, request.version);
  if (version === undefined) return err(fault('not_found', 'The catalogue has no such application or version.'));
  const refused = missing(rightsOf(manifestOf(version)), consent);
  if (refused !== undefined) return err(refused);
  const now = world.clock.wall();
  const row: InstallRow = {
    id: newId('ins', now, world.random.bytes(10)),
    home,
    app,
    version: version.version,
    consent: JSON.stringify(rightsOf(manifestOf(version)).map(({ key }) => key)),
    created_at: now,
    updated_at: now,
    created_by: asked.principal.kind === 'account' ? asked.principal.account : 'part',
  };
  const cursor = await newestCursor(store);
  const insert = [
    sql(
      'INSERT INTO install (id, home, app, version, consent, created_at, updated_at, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[row.id, row.home, row.app, row.version, row.consent, row.created_at, row.updated_at, row.created_by],
    ),
    sql('INSERT INTO install_cursor (install, journal, log) VALUES (?, ?, ?)', row.id, cursor.journal, cursor.log),
  ];
  return change(self, row, 'installed', asked, insert, async () => {
    const others = await installsOfHome(store, home);
    if (others.some((one) => one.app === app)) return err(fault('already_installed'));
    if (others.length >= INSTALLS_LIMIT)
      return err(fault('limit_reached', `A home has at most ${INSTALLS_LIMIT} applications.`));
    return ok([...others, row]);
  });
}

async function update(
  self: ECenter,
  request: VerbRequest<'install.update'>,
  asked: Context,
): Promise<Outcome<'install.update'>> {
  const before = await repeated<'install.update'>(self.store, asked);
  if (before !== undefined) return before;
  const row = await visibleInstall(self, request.install, asked);
  if (row === undefined) return err(fault('not_found'));
  const version = await wantedVersion(self, row.app, request.version);
  if (version === undefined) return err(fault('not_found', 'The catalogue has no such version.'));
  const own = await versionRow(self.store, row.app, row.version);
  const refused = missing(differenceOf(own, version).added, request.consent ?? []);
  if (refused !== undefined) return err(refused);
  const after: InstallRow = {
    ...row,
    version: version.version,
    consent: JSON.stringify(rightsOf(manifestOf(version)).map(({ key }) => key)),
    updated_at: self.world.clock.wall(),
  };
  const set = sqlOne(
    'UPDATE install SET version = ?, consent = ?, updated_at = ? WHERE id = ? AND version = ?',
    ...[after.version, after.consent, after.updated_at, row.id, row.version],
  );
  return change(self, after, 'updated', asked, [set], async () => {
    const others = await installsOfHome(self.store, row.home);
    return others.some((one) => one.id === row.id && one.version === row.version)
      ? ok(others.map((one) => (one.id === row.id ? after : one)))
      : err(fault('conflict', 'The install was changed at the same time.'));
  });
}

/** Commits a change of a home's installs with its document, its event and the idempotency key; again where another was faster. */
async function change(
  self: ECenter,
  row: InstallRow,
  what: 'installed' | 'updated',
  asked: Context,
  statements: readonly Statement[],
  installs: () => Promise<Result<readonly InstallRow[], Fault>>,
): Promise<Outcome<'install.create'>> {
  const { store, world } = self;
  for (let i = 0; i < TRIES; i++) {
    const after = await installs();
    if (!after.ok) return after;
    const shown = await showInstall(self, row);
    const outcome = ok(shown);
    const committed = await store.commit([
      ...statements,
      ...(await appletsChange(self, row.home, after.value)),
      installEvent(self, row, what),
      ...remember<VerbName>(asked, outcome, world.clock.wall()),
    ]);
    if (!committed.ok) continue;
    await told(self, row);
    await giveMailAddress(self, row);
    return outcome;
  }
  return err(fault('conflict', 'The home’s applications were changed at the same time.'));
}

function installEvent({ world }: ECenter, { id, home, app, version }: InstallRow, what: string): Statement {
  return eventRow(world, { type: `home.install.v1.${what}`, home, subject: id, data: { app, version } });
}

async function told(self: ECenter, { home, id }: InstallRow): Promise<void> {
  self.bus.publish('event.appended', { home });
  self.bus.publish('install.changed', { home, install: id });
  await pushApplets(self, home);
}

/** A version was taken back: the homes that have it are told to run it no longer. */
export async function withdraw(self: ECenter, app: string, version: string): Promise<void> {
  const find = 'SELECT * FROM install WHERE app = ? AND version = ?';
  for (const row of await self.store.all<InstallRow>(find, [app, version])) {
    for (let i = 0; i < TRIES; i++) {
      const change = await appletsChange(self, row.home, await installsOfHome(self.store, row.home));
      if (change.length === 0 || (await self.store.commit(change)).ok) break;
    }
    await told(self, row);
  }
}

/** Everything that an install has left anywhere. */
const TRACES = [
  'install_cursor',
  'install_storage',
  'install_timer',
  'install_inbox',
  'applet_state',
  'service_revoked',
] as const;

async function remove(self: ECenter, id: string, asked: Context): Promise<Outcome<'install.remove'>> {
  const row = await visibleInstall(self, id, asked);
  if (row === undefined) return err(fault('not_found'));
  for (let i = 0; i < TRIES; i++) {
    const others = (await installsOfHome(self.store, row.home)).filter((one) => one.id !== id);
    const committed = await self.store.commit([
      sqlOne('DELETE FROM install WHERE id = ?', id),
      ...TRACES.map((table) => sql(`DELETE FROM ${table} WHERE install = ?`, id)),
      ...(await appletsChange(self, row.home, others)),
      installEvent(self, row, 'removed'),
    ]);
    if (!committed.ok && committed.statement === 0) return err(fault('not_found'));
    if (!committed.ok) continue;
    await told(self, row);
    await takeMailAddress(self, row);
    return ok({});
  }
  return err(fault('conflict'));
}
