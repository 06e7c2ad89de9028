/** The desired document `applets` of a home: which applets its gateways run. It changes in the commit of the install behind it. */
import { gatewaysOfHome } from '#cloud/store/directory.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import type { AppletsDocument } from '#shared/protocol/documents.ts';
import { AS_E_CENTER, type ECenter } from './parts.ts';
import { type InstallRow, manifestOf, versionRow } from './rows.ts';

interface DesiredRow {
  readonly version: number;
  readonly body: string;
}

const find = "SELECT version, body FROM desired WHERE home = ? AND doc = 'applets'";

/** The document for these installs; those whose version was taken back, or has no applet, are left out. */
async function appletsDocument(
  { store, operatorKey }: ECenter,
  installs: readonly InstallRow[],
): Promise<AppletsDocument> {
  const wanted: AppletsDocument['installs'] = [];
  for (const row of installs) {
    const version = await versionRow(store, row.app, row.version);
    if (version?.state !== 'published') continue;
    const manifest = manifestOf(version);
    if (manifest.applet === undefined) continue;
    wanted.push({
      install: row.id,
      application: row.app,
      version: row.version,
      matches: manifest.matches,
      sha256: version.sha256,
      grants: grantsOf(manifest, JSON.parse(row.consent) as string[]),
    });
  }
  return { operatorKey, installs: wanted };
}

/** Names of the permissions that the manifest asks for and the subscriber has consented to. */
function grantsOf(manifest: Manifest, consent: readonly string[]): string[] {
  return Object.keys(manifest.permissions).filter((name) => consent.includes(`permission:${name}`));
}

/**
 * The statement that gives a home's document a new version for `installs`; none where nothing changes. The commit fails (`changes`
 * or `unique`) if another one has overtaken it.
 */
export async function appletsChange(
  self: ECenter,
  home: string,
  installs: readonly InstallRow[],
): Promise<Statement[]> {
  const now = await self.store.one<DesiredRow>(find, [home]);
  const document = await appletsDocument(self, installs);
  const body = JSON.stringify(document);
  if (now?.body === body || (now === undefined && document.installs.length === 0)) return [];
  if (now === undefined)
    return [sql("INSERT INTO desired (home, doc, version, body) VALUES (?, 'applets', 1, ?)", home, body)];
  const update = "UPDATE desired SET version = ?, body = ? WHERE home = ? AND doc = 'applets' AND version = ?";
  return [sqlOne(update, now.version + 1, body, home, now.version)];
}

/** Sends the document to those of the home's gateways that are connected; the others get it after their next hello. */
export async function pushApplets({ store, bus }: Pick<ECenter, 'store' | 'bus'>, home: string): Promise<void> {
  const row = await store.one<DesiredRow>(find, [home]);
  if (row === undefined || !bus.has('gateway-edge')) return;
  for (const gateway of await gatewaysOfHome(store, home)) {
    if (gateway.online === 0) continue;
    const body: unknown = JSON.parse(row.body);
    await bus.request(
      'gateway.desire',
      { gateway: gateway.id, doc: 'applets', version: row.version, body },
      AS_E_CENTER,
    );
  }
}
