/** Publishing: what developers submit, what the operator decides, what everybody may find. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { AppPackage } from '#shared/protocol/applet-manifest.ts';
import { packageHash, readPackage, signManifest } from '#shared/protocol/applet-package.ts';
import { rightsDifference, rightsOf } from '#shared/protocol/applet-rights.ts';
import { canonical } from '#shared/protocol/canonical.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbName } from '#shared/protocol/verbs/index.ts';
import { webhookSecret } from '../app-host/webhook-half.ts';
import { type Check, checkPackage } from './checks.ts';
import { withdraw } from './installs.ts';
import type { ECenter } from './parts.ts';
import {
  manifestOf,
  newestPublished,
  packageText,
  showVersion,
  type VersionRow,
  versionRow,
  versionsBefore,
} from './rows.ts';

type PackageVerbs = 'app.publish' | 'app.list' | 'app.get' | 'app.review' | 'catalogue.list';

const PAGE = 50;

interface AppRow {
  readonly id: string;
  readonly developer: string;
  readonly key: string;
}

export function packageHandlers(self: ECenter): Pick<Handlers<'e-center'>, PackageVerbs> {
  return {
    'app.publish': (request, context) => publish(self, request.package, context),

    async 'app.list'({ limit = PAGE, after, app }, { principal }) {
      const developer = principal.kind === 'account' && principal.role === 'developer' ? principal.account : undefined;
      const before = after === undefined ? Number.MAX_SAFE_INTEGER : Number.parseInt(after, 36) || 0;
      const page = {
        limit: limit + 1,
        before,
        ...(app === undefined ? {} : { app }),
        ...(developer === undefined ? {} : { developer }),
      };
      const rows = await versionsBefore(self.store, page);
      return ok(paged(rows, limit, showVersion, (row) => row.sequence.toString(36)));
    },

    async 'app.get'({ app, version }, context) {
      const row = (await maySee(self, app, context)) ? await versionRow(self.store, app, version) : undefined;
      if (row === undefined) return err(fault('not_found'));
      const { cloud } = manifestOf(row);
      if (cloud === undefined || !('webhook' in cloud)) return ok(showVersion(row));
      return ok({ ...showVersion(row), webhookSecret: await webhookSecret(self.store, self.world, app) });
    },

    'app.review': (request, context) => review(self, request, context),

    async 'catalogue.list'({ limit = PAGE, after = '' }) {
      const find =
        "SELECT DISTINCT app AS id FROM app_version WHERE state = 'published' AND app > ? ORDER BY app LIMIT ?";
      const apps = await self.store.all<{ id: string }>(find, [after, limit + 1]);
      const rows: VersionRow[] = [];
      for (const { id } of apps) {
        const newest = await newestPublished(self.store, id);
        if (newest !== undefined) rows.push(newest);
      }
      return ok(paged(rows, limit, showEntry, (row) => row.app));
    },
  };
}

function paged<R, T>(rows: readonly R[], limit: number, show: (row: R) => T, place: (row: R) => string) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items: items.map(show), ...(rows.length > limit && last !== undefined ? { next: place(last) } : {}) };
}

function showEntry(row: VersionRow) {
  const manifest = manifestOf(row);
  const halves = (['cloud', 'applet'] as const).filter((half) => manifest[half] !== undefined);
  return {
    app: row.app,
    name: manifest.name,
    about: manifest.about,
    version: row.version,
    halves: [...halves],
    rights: rightsOf(manifest),
    publishedAt: row.published_at ?? row.created_at,
  };
}

async function maySee({ store }: ECenter, app: string, { principal }: Context): Promise<boolean> {
  if (principal.kind !== 'account') return principal.kind === 'part';
  if (principal.role !== 'developer') return true;
  const row = await store.one<AppRow>('SELECT * FROM app WHERE id = ?', [app]);
  return row?.developer === principal.account;
}

/** Reads, checks and keeps a package. The operator's own packages are published at once, others wait for review. */
async function publish(self: ECenter, value: unknown, asked: Context): Promise<Outcome<'app.publish'>> {
  const before = await repeated<'app.publish'>(self.store, asked);
  if (before !== undefined) return before;
  const { crypto } = self.world;
  const read = await readPackage(value, crypto);
  if (!read.ok) return err(fault('package_invalid', read.fault, { pointer: '/package' }));
  const pack = read.value;
  const { id, version } = pack.manifest;
  const account = asked.principal.kind === 'account' ? asked.principal : undefined;
  if (account === undefined) return err(fault('forbidden'));
  const known = await self.store.one<AppRow>('SELECT * FROM app WHERE id = ?', [id]);
  if (known !== undefined && (known.developer !== account.account || known.key !== pack.developer.key))
    return err(fault('app_of_another', `${id} was first published by another account or with another key.`));
  if ((await versionRow(self.store, id, version)) !== undefined)
    return err(fault('version_exists', `${id} ${version} is there.`));
  const services = new Set(self.services.keys());
  const checks = await checkPackage(pack, { sandbox: self.sandbox, clock: self.world.clock, services });
  const failed = checks.find((check) => !check.ok);
  if (failed !== undefined) return err(fault('package_refused', `${failed.check}: ${failed.detail ?? 'no'}.`));
  return keep(self, pack, checks, account, asked, known === undefined);
}

async function keep(
  self: ECenter,
  submitted: AppPackage,
  checks: readonly Check[],
  account: { readonly account: string; readonly role: string },
  asked: Context,
  isNew: boolean,
): Promise<Outcome<'app.publish'>> {
  const { store, world } = self;
  const now = world.clock.wall();
  const isOurs = account.role === 'operator';
  const pack = isOurs ? await countersigned(self, submitted) : withoutOperator(submitted);
  const { manifest } = pack;
  const previous = await newestPublished(store, manifest.id);
  const difference = rightsDifference(previous === undefined ? undefined : manifestOf(previous), manifest);
  const text = canonical(pack);
  const row: VersionRow = {
    sequence: 0,
    app: manifest.id,
    version: manifest.version,
    state: isOurs ? 'published' : 'review',
    why: null,
    manifest: canonical(manifest),
    package: text,
    sha256: packageHash(pack, world.crypto),
    size: utf8(text).length,
    checks: JSON.stringify(checks),
    difference: JSON.stringify(difference),
    created_at: now,
    published_at: isOurs ? now : null,
  };
  const outcome = ok(showVersion(row));
  const committed = await store.commit([
    ...(isNew
      ? [
          sql(
            'INSERT INTO app (id, developer, key, created_at) VALUES (?, ?, ?, ?)',
            manifest.id,
            account.account,
            pack.developer.key,
            now,
          ),
        ]
      : []),
    insertVersion(row),
    eventRow(world, { type: `home.app.v1.${row.state}`, subject: manifest.id, data: { version: manifest.version } }),
    ...remember<'app.publish'>(asked, outcome, now),
  ]);
  if (!committed.ok) return err(fault('version_exists', 'Somebody published it at the same time.'));
  self.bus.publish('event.appended', {});
  return outcome;
}

function insertVersion(row: VersionRow): Statement {
  return sql(
    'INSERT INTO app_version (app, version, state, why, manifest, package, sha256, size, checks, difference, created_at, published_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    row.app,
    row.version,
    row.state,
    row.why,
    row.manifest,
    row.package,
    row.sha256,
    row.size,
    row.checks,
    row.difference,
    row.created_at,
    row.published_at,
  );
}

/** A submitted countersignature means nothing. */
function withoutOperator({ operator: _, ...pack }: AppPackage): AppPackage {
  return pack;
}

async function countersigned({ signing, world }: ECenter, pack: AppPackage): Promise<AppPackage> {
  return { ...pack, operator: await signManifest(pack.manifest, signing, world.crypto) };
}

const FROM = { publish: 'review', reject: 'review', revoke: 'published' } as const;
const TO = { publish: 'published', reject: 'rejected', revoke: 'revoked' } as const;

async function review(
  self: ECenter,
  { app, version, decision, why }: { app: string; version: string; decision: keyof typeof FROM; why?: string },
  asked: Context,
): Promise<Outcome<'app.review'>> {
  const before = await repeated<'app.review'>(self.store, asked);
  if (before !== undefined) return before;
  const row = await versionRow(self.store, app, version);
  if (row === undefined) return err(fault('not_found'));
  if (row.state !== FROM[decision]) return err(fault('conflict', `${app} ${version} is in state ${row.state}.`));
  const { store, world } = self;
  const now = world.clock.wall();
  const state = TO[decision];
  const pack = decision === 'publish' ? await approvedPackage(self, app, version) : undefined;
  const after: VersionRow = {
    ...row,
    state,
    why: why ?? null,
    ...(pack === undefined ? {} : { sha256: packageHash(pack, world.crypto), published_at: now }),
  };
  const outcome = ok(showVersion(after));
  const change =
    pack === undefined
      ? sqlOne(
          'UPDATE app_version SET state = ?, why = ? WHERE app = ? AND version = ? AND state = ?',
          state,
          why ?? null,
          app,
          version,
          row.state,
        )
      : publishRow(after, pack, row.state);
  const committed = await store.commit([
    change,
    eventRow(world, { type: `home.app.v1.${state}`, subject: app, data: { version } }),
    ...remember<VerbName>(asked, outcome, now),
  ]);
  if (!committed.ok) return err(fault('conflict'));
  self.bus.publish('event.appended', {});
  if (decision === 'revoke') await withdraw(self, app, version);
  return outcome;
}

async function approvedPackage(self: ECenter, app: string, version: string): Promise<AppPackage> {
  const find = 'SELECT package FROM app_version WHERE app = ? AND version = ?';
  const row = await self.store.one<{ package: string }>(find, [app, version]);
  return countersigned(self, JSON.parse(row?.package ?? '{}') as AppPackage);
}

function publishRow(after: VersionRow, pack: AppPackage, from: string): Statement {
  const text = canonical(pack);
  return sqlOne(
    'UPDATE app_version SET state = ?, why = ?, package = ?, sha256 = ?, size = ?, published_at = ? WHERE app = ? AND version = ? AND state = ?',
    after.state,
    after.why,
    text,
    after.sha256,
    utf8(text).length,
    after.published_at,
    after.app,
    after.version,
    from,
  );
}

/** The package of a published version, for a gateway. */
export async function publishedPackage(self: ECenter, app: string, version: string): Promise<AppPackage | undefined> {
  const text = await packageText(self.store, app, version);
  return text === undefined ? undefined : (JSON.parse(text) as AppPackage);
}
