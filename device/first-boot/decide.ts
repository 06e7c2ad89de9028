/**
 * What the settings on the boot partition come to: which are in force, what is told about them, what is kept. A file with a problem
 * changes nothing: the last good settings stay in force, so that a slip of the pen cannot cut off a gateway far away. Pure.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import {
  type ImageSettings,
  type ReadSettings,
  readSettings,
  SETTINGS_FILE,
  tellProblem,
  withoutSecrets,
} from '#shared/protocol/image-settings.ts';
import { type ImagerFiles, readImager } from './imager.ts';

/** What the data partition keeps of earlier starts. */
export interface KeptSettings {
  /** In force since the last good file; the Wi-Fi password with them, the claim never. */
  readonly settings?: ImageSettings;
  /** SHA-256 (hex) of the last claim that was taken: one that stays on the card is not used again and again. */
  readonly claim?: string;
}

export interface Decision {
  readonly settings: ImageSettings;
  readonly keep: KeptSettings;
  /** A claim that the agent is to show. */
  readonly claim: string | undefined;
  /** `hearthline.json` without the secrets that are kept elsewhere now. */
  readonly rewritten: string | undefined;
  /** Where the settings come from. */
  readonly source: 'file' | 'imager' | 'kept' | 'nothing';
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

export interface Found {
  /** The octets of `hearthline.json`. */
  readonly file: Uint8Array | undefined;
  readonly imager: ImagerFiles;
  readonly kept: KeptSettings;
  /** The agent has a home already. */
  readonly paired: boolean;
  readonly sha256: (text: string) => string;
}

export function decide(found: Found): Decision {
  const { file, imager, kept, sha256, paired } = found;
  const asked = readImager(imager);
  const notes = (asked?.ignored ?? []).map((what) => `Left out of what Raspberry Pi Imager wrote: ${what}.`);
  const fromImager = asked === undefined ? undefined : usable(asked.settings, notes);
  if (file === undefined) {
    const settings = fromImager ?? kept.settings ?? {};
    const source = fromImager !== undefined ? 'imager' : kept.settings === undefined ? 'nothing' : 'kept';
    return {
      settings,
      keep: { ...kept, settings },
      claim: undefined,
      rewritten: undefined,
      source,
      problems: [],
      notes,
    };
  }
  const read = readSettings(file);
  const problems = read.ok ? secretsLost(read.value, kept) : read.fault.map(tellProblem);
  if (!read.ok || problems.length > 0) {
    const settings = kept.settings ?? fromImager ?? {};
    const source = kept.settings !== undefined ? 'kept' : fromImager !== undefined ? 'imager' : 'nothing';
    return { settings, keep: kept, claim: undefined, rewritten: undefined, source, problems, notes };
  }
  const { claim, ...own } = withPassword(read.value.settings, kept);
  const settings = { ...fromImager, ...own };
  const hash = typeof claim === 'string' ? sha256(claim) : undefined;
  const fresh = hash !== undefined && hash !== kept.claim;
  if (hash !== undefined && !fresh)
    notes.push('The claim was taken from this card at an earlier start and is not used again.');
  if (fresh && paired) notes.push('The claim is not used: this gateway belongs to a home already.');
  const keep: KeptSettings = {
    settings,
    ...(fresh ? { claim: hash } : kept.claim === undefined ? {} : { claim: kept.claim }),
  };
  const rewritten = withoutSecrets(text(file), read.value);
  if (rewritten !== undefined)
    notes.push(`Secrets were taken off this card: null stands in their place in ${SETTINGS_FILE}.`);
  return {
    settings,
    keep,
    claim: fresh && !paired ? (claim ?? undefined) : undefined,
    rewritten,
    source: 'file',
    problems,
    notes,
  };
}

/** Imager's settings as far as they pass our own rules. */
function usable(settings: ImageSettings, notes: string[]): ImageSettings | undefined {
  const whole = (some: ImageSettings) => readSettings(utf8(JSON.stringify(some))).ok;
  if (whole(settings)) return settings;
  const { wifi, ...rest } = settings;
  if (wifi === undefined || !whole(rest)) {
    notes.push('What Raspberry Pi Imager wrote could not be used.');
    return undefined;
  }
  notes.push(
    'The Wi-Fi network of Raspberry Pi Imager could not be used: choose the country for it, and a password of 8 characters or more.',
  );
  return Object.keys(rest).length === 0 ? undefined : rest;
}

/** A password that stands as null in the file must be one that is kept, for the same network. */
function secretsLost({ settings, node }: ReadSettings, kept: KeptSettings): string[] {
  const { wifi } = settings;
  if (wifi === undefined || wifi.mode === 'off' || wifi.password !== null || keptPassword(wifi, kept) !== undefined)
    return [];
  const place = node.kind === 'object' ? (node.members.get('wifi')?.at ?? node.at) : node.at;
  const what = 'the password of this network is not kept on the gateway';
  return [tellProblem({ ...place, what, fix: 'write "password": "…" in "wifi" again' })];
}

type Wifi = NonNullable<ImageSettings['wifi']>;

function keptPassword(wifi: Wifi, { settings }: KeptSettings): string | undefined {
  const before = settings?.wifi;
  const same = before !== undefined && before.mode === wifi.mode && before.ssid === wifi.ssid;
  return same && typeof before.password === 'string' ? before.password : undefined;
}

function withPassword(settings: ImageSettings, kept: KeptSettings): ImageSettings {
  const { wifi } = settings;
  if (wifi?.password !== null) return settings;
  const password = keptPassword(wifi, kept);
  return password === undefined ? settings : { ...settings, wifi: { ...wifi, password } };
}

/** The text of octets that have been found to be UTF-8. */
function text(octets: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(octets);
}

/** What the data partition keeps, read back with care: what is damaged is as good as nothing. */
export function readKept(file: Uint8Array | undefined): KeptSettings {
  if (file === undefined) return {};
  try {
    const { settings, claim } = JSON.parse(text(file)) as { settings?: unknown; claim?: unknown };
    const good = settings !== undefined && readSettings(utf8(JSON.stringify(settings))).ok;
    return {
      ...(good ? { settings: settings as ImageSettings } : {}),
      ...(typeof claim === 'string' && /^[0-9a-f]{64}$/.test(claim) ? { claim } : {}),
    };
  } catch {
    return {};
  }
}
