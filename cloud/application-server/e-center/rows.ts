/** Rows of the e-center and how they are shown. */
import { mailDomainOf } from '#cloud/bus/config.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import { type Right, type RightsDifference, rightsDifference, rightsOf } from '#shared/protocol/applet-rights.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { compareVersions } from '#shared/protocol/version.ts';
import type { Check } from './checks.ts';
import { hearsMail, mailTag } from './mail-tag.ts';

export interface VersionRow {
  readonly sequence: number;
  readonly app: string;
  readonly version: string;
  readonly state: 'review' | 'published' | 'rejected' | 'revoked';
  readonly why: string | null;
  readonly manifest: string;
  readonly package: string;
  readonly sha256: string;
  readonly size: number;
  readonly checks: string;
  readonly difference: string;
  readonly created_at: number;
  readonly published_at: number | null;
}

export interface InstallRow {
  readonly id: string;
  readonly home: string;
  readonly app: string;
  readonly version: string;
  readonly consent: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly created_by: string;
}

/** All of a version but its package, which is large. */
const SHOWN =
  "sequence, app, version, state, why, manifest, '' AS package, sha256, size, checks, difference, created_at, published_at";

export function manifestOf(row: Pick<VersionRow, 'manifest'>): Manifest {
  return JSON.parse(row.manifest) as Manifest;
}

export function showVersion(row: VersionRow): VerbReply<'app.get'> {
  const manifest = manifestOf(row);
  const { added, removed } = JSON.parse(row.difference) as { added: Right[]; removed: Right[] };
  return {
    app: row.app,
    version: row.version,
    name: manifest.name,
    about: manifest.about,
    state: row.state,
    ...(row.why === null ? {} : { why: row.why }),
    sha256: row.sha256,
    size: row.size,
    checks: JSON.parse(row.checks) as Check[],
    rights: rightsOf(manifest),
    difference: { added, removed },
    createdAt: row.created_at,
  };
}

export function versionRow(store: Store, app: string, version: string): Promise<VersionRow | undefined> {
  return store.one<VersionRow>(`SELECT ${SHOWN} FROM app_version WHERE app = ? AND version = ?`, [app, version]);
}

/** The package's text. */
export async function packageText(store: Store, app: string, version: string): Promise<string | undefined> {
  const find = "SELECT package FROM app_version WHERE app = ? AND version = ? AND state = 'published'";
  return (await store.one<{ package: string }>(find, [app, version]))?.package;
}

/** Newest version first. */
export async function publishedVersions(store: Store, app: string): Promise<VersionRow[]> {
  const rows = await store.all<VersionRow>(`SELECT ${SHOWN} FROM app_version WHERE app = ? AND state = 'published'`, [
    app,
  ]);
  return rows.toSorted((a, b) => compareVersions(b.version, a.version));
}

export async function newestPublished(store: Store, app: string): Promise<VersionRow | undefined> {
  return (await publishedVersions(store, app))[0];
}

export function versionsBefore(
  store: Store,
  page: { limit: number; before: number; app?: string; developer?: string },
): Promise<VersionRow[]> {
  const conditions = ['sequence < ?'];
  const values: (string | number)[] = [page.before];
  if (page.app !== undefined) {
    conditions.push('app = ?');
    values.push(page.app);
  }
  if (page.developer !== undefined) {
    conditions.push('app IN (SELECT id FROM app WHERE developer = ?)');
    values.push(page.developer);
  }
  const text = `SELECT ${SHOWN} FROM app_version WHERE ${conditions.join(' AND ')} ORDER BY sequence DESC LIMIT ?`;
  return store.all<VersionRow>(text, [...values, page.limit]);
}

export function installById(store: Store, id: string): Promise<InstallRow | undefined> {
  return store.one<InstallRow>('SELECT * FROM install WHERE id = ?', [id]);
}

export function installsOfHome(store: Store, home: string): Promise<InstallRow[]> {
  return store.all<InstallRow>('SELECT * FROM install WHERE home = ? ORDER BY id', [home]);
}

interface AppletRow {
  readonly gateway: string;
  readonly version: string;
  readonly state: VerbReply<'install.get'>['applets'][number]['state'];
  readonly why: string | null;
  readonly at: number;
}

export async function showInstall(
  { store, config }: Pick<PartContext, 'store' | 'config'>,
  row: InstallRow,
): Promise<VerbReply<'install.get'>> {
  const [own, newest, applets, revoked] = await Promise.all([
    versionRow(store, row.app, row.version),
    newestPublished(store, row.app),
    store.all<AppletRow>('SELECT * FROM applet_state WHERE install = ? ORDER BY gateway', [row.id]),
    store.all<{ service: string }>('SELECT service FROM service_revoked WHERE install = ? ORDER BY service', [row.id]),
  ]);
  const update = updateOf(row, own, newest);
  return {
    id: row.id,
    home: row.home,
    app: row.app,
    name: own === undefined ? row.app : manifestOf(own).name,
    version: row.version,
    consent: JSON.parse(row.consent) as string[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    applets: applets.map(({ gateway, version, state, why, at }) => ({
      gateway,
      version,
      state,
      ...(why === null ? {} : { why }),
      at,
    })),
    revoked: revoked.map(({ service }) => service),
    ...(own !== undefined && hearsMail(manifestOf(own)) ? { mail: `app+${mailTag(row)}@${mailDomainOf(config)}` } : {}),
    ...(update === undefined ? {} : { update }),
  };
}

function updateOf(row: InstallRow, own: VersionRow | undefined, newest: VersionRow | undefined) {
  if (newest === undefined || compareVersions(newest.version, row.version) <= 0) return undefined;
  return { version: newest.version, added: [...differenceOf(own, newest).added] };
}

export function differenceOf(before: VersionRow | undefined, after: VersionRow): RightsDifference {
  return rightsDifference(before === undefined ? undefined : manifestOf(before), manifestOf(after));
}
