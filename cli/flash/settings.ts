/** `hearthline.json` from a file and flags; checked by the same rules as the gateway's. */
import { existsSync, readFileSync } from 'node:fs';
import type { Options, Values } from '#shared/host/config.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import {
  type ImageSettings,
  readSettings,
  SETTINGS_FILE,
  tellProblem,
  WIFI_PROBLEMS,
} from '#shared/protocol/image-settings.ts';

export const settingsOptions = {
  settings: { kind: 'text', value: 'FILE', about: `a ${SETTINGS_FILE} to put on the card; flags go over what it says` },
  hostname: { kind: 'text', value: 'NAME', about: 'the gateway’s name' },
  country: { kind: 'text', value: 'CC', about: 'two letters, for the rules of radio there' },
  wifi: { kind: 'text', value: 'SSID', about: 'the Wi-Fi network to join, or to make with --wifi-mode access-point' },
  'wifi-password': { kind: 'text', value: 'TEXT', about: 'its password (better as HEARTHLINE_WIFI_PASSWORD)' },
  'wifi-mode': { kind: 'text', value: 'MODE', about: 'client, access-point or off', fallback: 'client' },
  address: { kind: 'text', value: 'A.B.C.D/N', about: 'a static address towards the internet' },
  // HEARTHLINE_GATEWAY and HEARTHLINE_CLOUD say whom a technician asks, not what stands on a card.
  gateway: { kind: 'text', value: 'A.B.C.D', about: 'its router', environment: false },
  dns: { kind: 'text', value: 'A.B.C.D,…', about: 'its name servers' },
  ntp: { kind: 'text', value: 'HOST,…', about: 'time servers' },
  proxy: { kind: 'text', value: 'URL', about: 'http://host:port' },
  cloud: { kind: 'text', value: 'URL', about: 'the operator’s cloud, https://host#sha256-KEY', environment: false },
  claim: {
    kind: 'text',
    value: 'TEXT',
    about: 'a claim: pairs the gateway at its first boot (hearthline claim create)',
  },
} as const satisfies Options;

/** The text for the card; undefined where nothing was asked for. The fault is lines for the person. */
export function settingsText(values: Values): Result<string | undefined, readonly string[]> {
  const flags = fromFlags(values);
  const password = values['wifi-password'];
  const file = values.settings;
  const given = password !== undefined && !inEnvironment(password);
  if (given && values['wifi-mode'] === 'off')
    return err(['--wifi-password is given with --wifi-mode off, which joins no network.']);
  if (file === undefined && Object.keys(flags).length === 0 && !given) return ok(undefined);
  let text = '{}';
  if (file !== undefined) {
    if (!existsSync(file)) return err([`${file} does not exist.`]);
    const octets = new Uint8Array(readFileSync(file));
    const read = readSettings(octets);
    if (!read.ok) return err(read.fault.map((problem) => `${file}: ${tellProblem(problem)}`));
    text = new TextDecoder().decode(octets);
  }
  const base = JSON.parse(text) as Record<string, unknown>;
  // The network may stand in the file and its password be given beside it.
  if (flags.wifi === undefined && base.wifi !== undefined && password !== undefined)
    Object.assign(flags, { wifi: { password } });
  else if (flags.wifi === undefined && given)
    return err(['--wifi-password is given without --wifi: name the network as well.']);
  if (Object.keys(flags).length === 0) return ok(text);
  for (const [name, value] of Object.entries(flags))
    base[name] = Array.isArray(value) || typeof value !== 'object' ? value : { ...(base[name] as object), ...value };
  const whole = `${JSON.stringify(base, undefined, 2)}\n`;
  const read = readSettings(utf8(whole));
  if (read.ok) return ok(whole);
  // A file that is good by itself was spoilt by a flag, so the cure is one, too.
  return err(read.fault.map(({ what, fix }) => `${what}: ${flagFor[what] ?? fix}.`));
}

/** One in the environment may be there for another card. */
const inEnvironment = (password: string): boolean => process.env.HEARTHLINE_WIFI_PASSWORD === password;

/** For what is missing beside a flag: the flag to give, by the words of the problem. */
const flagFor: Readonly<Record<string, string>> = {
  [WIFI_PROBLEMS.country]: 'give --country DE (yours)',
  [WIFI_PROBLEMS.password]: 'set HEARTHLINE_WIFI_PASSWORD, or give --wifi-password',
};

/** The problems of a file, one line each; empty where it is good. */
export function checkFile(octets: Uint8Array): readonly string[] {
  const read = readSettings(octets);
  return read.ok ? [] : read.fault.map(tellProblem);
}

function fromFlags(values: Values): ImageSettings {
  const list = (text: string | undefined) => text?.split(',').map((part) => part.trim());
  const some = <T extends object>(group: T) =>
    Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined)) as T;
  const { hostname, country, wifi, address, gateway, proxy, cloud, claim } = values;
  const network = some({ address, gateway, dns: list(values.dns) });
  const mode = values['wifi-mode'];
  const radio =
    wifi === undefined && mode === settingsOptions['wifi-mode'].fallback
      ? undefined
      : some({ mode, ssid: wifi, password: values['wifi-password'] });
  return some({
    hostname,
    country: country?.toUpperCase(),
    wifi: radio,
    network: Object.keys(network).length === 0 ? undefined : network,
    proxy,
    ntp: list(values.ntp),
    cloud,
    claim,
  }) as ImageSettings;
}
