/** Desired documents: what each home's gateways are to hold. A version rises in the same commit as the change behind it. */
import type { CloudConfig } from '#cloud/bus/config.ts';
import { gatewaysOfHome, type HomeRow, type LineRow, linesOfHome } from '#cloud/store/directory.ts';
import { emergencyPolicy, locationOfHome } from '#cloud/store/outside.ts';
import { type Statement, type Store, sql, sqlOne } from '#cloud/store/store.ts';
import type { DocumentName, SystemDocument, VoiceDocument } from '#shared/protocol/documents.ts';
import { AS_OAMP, type Oamp } from './parts.ts';

/** Lines in a voice document; a home's lines beyond (unmetered ones for load tests) register straight at the softswitch. */
export const DOCUMENT_LINES = 64;
const REPORT_EVERY = 60_000;

export interface DesiredRow {
  readonly home: string;
  readonly doc: DocumentName;
  readonly version: number;
  readonly body: string;
}

export function desiredOfHome(store: Store, home: string): Promise<DesiredRow[]> {
  return store.all<DesiredRow>('SELECT * FROM desired WHERE home = ? ORDER BY doc', [home]);
}

/** `host:port` of the softswitch's mutual-TLS listener as gateways reach it; of several processes that of the home's own, or the next that lives. */
export function sipsAddress(config: Pick<CloudConfig, 'publicHost' | 'sips' | 'bound'>, home = ''): string {
  const host = config.publicHost.includes(':') ? `[${config.publicHost}]` : config.publicHost;
  const { sips, softswitches = [] } = config.bound;
  const own = [...home].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % Math.max(1, softswitches.length);
  const alive = [...softswitches.slice(own), ...softswitches.slice(0, own)].find(({ gone }) => gone !== true);
  return `${host}:${(alive?.sips ?? sips ?? config.sips).port}`;
}

/** What a gateway must know of emergency calls; undefined where nobody has said anything. */
async function emergencyOf(store: Store, home: string): Promise<VoiceDocument['emergency']> {
  const [policy, found] = await Promise.all([emergencyPolicy(store), locationOfHome(store, home)]);
  const country = found?.location.country ?? policy.country;
  if (country === undefined && policy.fallback === undefined) return undefined;
  return {
    ...(country === undefined ? {} : { country }),
    ...(found === undefined ? {} : { location: found.location, at: found.at }),
    ...(policy.fallback === undefined ? {} : { fallback: policy.fallback }),
  };
}

export function voiceDocument(
  config: CloudConfig,
  lines: readonly LineRow[],
  emergency?: VoiceDocument['emergency'],
): VoiceDocument {
  const metered = lines.toSorted((a, b) => Number(a.class === 'unmetered') - Number(b.class === 'unmetered'));
  return {
    domain: config.domain,
    sips: sipsAddress(config, lines[0]?.home),
    lines: metered.slice(0, DOCUMENT_LINES).map((line) => ({
      id: line.id,
      number: line.number,
      username: line.username,
      ...(line.name === null ? {} : { name: line.name }),
      kind: line.kind,
      ha1: { md5: line.ha1_md5, sha256: line.ha1_sha256 },
    })),
    ...(config.holdMusic === 'none' ? { noHoldMusic: true } : {}),
    ...(emergency === undefined ? {} : { emergency }),
  };
}

export function systemDocument(home: Pick<HomeRow, 'id' | 'name'>): SystemDocument {
  return { home: home.id, homeName: home.name, reportEvery: REPORT_EVERY };
}

/** The first versions, for the commit that creates a home. */
export function firstDocuments(config: CloudConfig, home: Pick<HomeRow, 'id' | 'name'>): Statement[] {
  const insert = 'INSERT INTO desired (home, doc, version, body) VALUES (?, ?, 1, ?)';
  return [
    sql(insert, home.id, 'voice', JSON.stringify(voiceDocument(config, []))),
    sql(insert, home.id, 'system', JSON.stringify(systemDocument(home))),
  ];
}

/**
 * The statement that gives a home's voice document a new version made of `lines`; none where nothing changes. The commit
 * fails (`changes`) if another one has overtaken it: read the lines again then.
 */
export async function voiceChange(
  { store, config }: Pick<Oamp, 'store' | 'config'>,
  home: string,
  lines: readonly LineRow[],
): Promise<Statement[]> {
  const now = await store.one<DesiredRow>("SELECT * FROM desired WHERE home = ? AND doc = 'voice'", [home]);
  const body = JSON.stringify(voiceDocument(config, lines, await emergencyOf(store, home)));
  if (now === undefined || now.body === body) return [];
  const update = "UPDATE desired SET version = ?, body = ? WHERE home = ? AND doc = 'voice' AND version = ?";
  return [sqlOne(update, now.version + 1, body, home, now.version)];
}

/** Brings a home's voice document up to the lines and addresses of now. */
export async function refreshVoice(oamp: Oamp, home: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const change = await voiceChange(oamp, home, await linesOfHome(oamp.store, home));
    if (change.length === 0 || (await oamp.store.commit(change)).ok) return;
  }
}

/** Sends a document to those of the home's gateways that are connected; the others get it after their next hello. */
export async function pushDocument(oamp: Oamp, home: string, doc: DocumentName): Promise<void> {
  const row = (await desiredOfHome(oamp.store, home)).find((desired) => desired.doc === doc);
  if (row === undefined || !oamp.bus.has('gateway-edge')) return;
  for (const gateway of await gatewaysOfHome(oamp.store, home)) {
    if (gateway.online === 0) continue;
    const body: unknown = JSON.parse(row.body);
    await oamp.bus.request('gateway.desire', { gateway: gateway.id, doc, version: row.version, body }, AS_OAMP);
  }
}
