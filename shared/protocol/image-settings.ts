/**
 * `hearthline.json` on the boot partition: what a person sets before the first boot. Read with the place of each mistake and
 * what to write instead; a file with any problem is not used at all, so that nothing is half applied.
 */
import Type, { type TSchema } from 'typebox';
import { fromLatin1, hex, latin1 } from '../kernel/bytes.ts';
import { err, ok, type Result } from '../kernel/result.ts';
import { distance } from '../kernel/spelling.ts';
import { misfit } from './check.ts';
import { type JsonNode, type Place, type Problem, plainValue, readJson, TEXT_LIMIT } from './image-json.ts';
import { addressProblems } from './image-network.ts';
import { readCloudUrl } from './pairing.ts';
import { literals, request } from './schema.ts';
import { ClaimText } from './verbs/claim.ts';

/** The name of the file, and of the answer beside it. */
export const SETTINGS_FILE = 'hearthline.json';
export const STATUS_FILE = 'hearthline-status.txt';

/** A setting with the words that say what it has to be; they stand behind "write". */
const text = (pattern: string, words: string) => Type.String({ pattern, description: words });

const Ipv4 = '(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])';
const DOTTED = `${Ipv4}(\\.${Ipv4}){3}`;
const HOST = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?){0,8}';
const Dotted = text(`^${DOTTED}$`, 'an IPv4 address, such as "192.0.2.1"');

const Wifi = request({
  mode: Type.Unsafe<'client' | 'access-point' | 'off'>({
    ...literals('client', 'access-point', 'off'),
    description: '"client" (join a network), "access-point" (make one) or "off"',
  }),
  ssid: Type.Optional(text('^[^\\u0000-\\u001f\\u007f]{1,32}$', 'the network’s name, 1 to 32 characters')),
  /** A passphrase, or the 64 digits of a key; null: the gateway has kept it from an earlier start. */
  password: Type.Optional(
    Type.Unsafe<string | null>({
      anyOf: [{ type: 'string', pattern: '^([\\u0020-\\u007e]{8,63}|[0-9a-fA-F]{64})$' }, { type: 'null' }],
      description: 'a password of 8 to 63 plain characters',
    }),
  ),
  hidden: Type.Optional(Type.Boolean({ description: 'true or false' })),
  channel: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 177, description: 'a channel’s number, such as 6 or 36' }),
  ),
});

const Network = request({
  /** `router`: one port to the internet, the others are the house's LAN. `client`: a guest in a LAN that is there. */
  role: Type.Optional(
    Type.Unsafe<'router' | 'client'>({ ...literals('router', 'client'), description: '"router" or "client"' }),
  ),
  wan: Type.Optional(text('^(eth[0-9]|wlan0)$', 'the port towards the internet: "eth0", "eth1" or "wlan0"')),
  address: Type.Optional(text(`^${DOTTED}/([89]|[12][0-9]|30)$`, 'address and prefix length, such as "192.0.2.10/24"')),
  gateway: Type.Optional(Dotted),
  dns: Type.Optional(Type.Array(Dotted, { minItems: 1, maxItems: 4, description: 'a list, such as ["192.0.2.1"]' })),
});

/** All settings; every one may be left out. */
export const ImageSettings = request({
  hostname: Type.Optional(
    text('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', 'a name of a-z, 0-9 and -, such as "hearthline"'),
  ),
  country: Type.Optional(text('^[A-Z]{2}$', 'the two capital letters of a country, such as "DE"')),
  wifi: Type.Optional(Wifi),
  network: Type.Optional(Network),
  proxy: Type.Optional(text(`^http://(${HOST}|\\[[0-9A-Fa-f:]+\\]):[0-9]{1,5}$`, '"http://HOST:PORT"')),
  ntp: Type.Optional(
    Type.Array(text(`^(${HOST}|[0-9A-Fa-f:]+)$`, 'the name or address of a time server'), {
      minItems: 1,
      maxItems: 4,
      description: 'a list, such as ["time.example"]',
    }),
  ),
  cloud: Type.Optional(Type.String({ maxLength: 512, description: 'the operator’s address, "https://HOST#sha256-…"' })),
  /** Null: it was taken from here at an earlier start. */
  claim: Type.Optional(
    Type.Unsafe<string | null>({
      anyOf: [ClaimText, { type: 'null' }],
      description: 'the whole text of a claim, "hlc_" and 32 characters',
    }),
  ),
  profile: Type.Optional(
    Type.Unsafe<'residential-gateway' | 'ip-appliance'>({
      ...literals('residential-gateway', 'ip-appliance'),
      description: '"residential-gateway" or "ip-appliance"',
    }),
  ),
  /** What leaves the card once the gateway has it: the claim (absent), also the Wi-Fi password (true), nothing (false). */
  forget: Type.Optional(Type.Boolean({ description: 'true or false' })),
});
export type ImageSettings = Type.Static<typeof ImageSettings>;

export interface ReadSettings {
  readonly settings: ImageSettings;
  /** Where the secrets stand in the text, to be taken out later. */
  readonly node: JsonNode;
}

/** Reads the octets of the file; every problem found, in the order of the lines. */
export function readSettings(octets: Uint8Array): Result<ReadSettings, readonly Problem[]> {
  const decoded = decode(octets);
  if (!decoded.ok) return decoded;
  const { node, problems } = readJson(decoded.value);
  if (node === undefined) return err(problems);
  const found = [...problems, ...formProblems(node, ImageSettings, 'the file')];
  if (found.length === 0) found.push(...senseProblems(plainValue(node) as ImageSettings, node));
  if (found.length > 0) return err(found.sort((a, b) => a.line - b.line || a.column - b.column));
  return ok({ settings: plainValue(node) as ImageSettings, node });
}

/** What is missing where there is to be Wi-Fi: told of a file with what to write, of flags with the flag. */
export const WIFI_PROBLEMS = {
  country: 'Wi-Fi needs to know the country, or it would break the rules for radio there',
  password: 'the password of the network is missing',
} as const;

/** `line 4, column 12: … Write …`: how a problem is told everywhere. */
export function tellProblem({ line, column, what, fix }: Problem): string {
  return `line ${line}, column ${column}: ${what}. ${fix.charAt(0).toUpperCase()}${fix.slice(1)}.`;
}

/** The text with null in the place of the secrets that it holds: how they leave the card. Undefined where there is nothing to take out. */
export function withoutSecrets(text: string, { settings, node }: ReadSettings): string | undefined {
  if (settings.forget === false || node.kind !== 'object') return undefined;
  const wifi = node.members.get('wifi')?.node;
  const password = wifi?.kind === 'object' ? wifi.members.get('password')?.node : undefined;
  const secrets = [node.members.get('claim')?.node, settings.forget === true ? password : undefined]
    .filter((secret) => secret?.kind === 'scalar' && secret.value !== null)
    .sort((a, b) => (b?.start ?? 0) - (a?.start ?? 0));
  if (secrets.length === 0) return undefined;
  let rest = text;
  for (const secret of secrets)
    if (secret !== undefined) rest = `${rest.slice(0, secret.start)}null${rest.slice(secret.end)}`;
  return rest;
}

function decode(octets: Uint8Array): Result<string, readonly Problem[]> {
  const refused = (what: string, fix: string) => err([{ line: 1, column: 1, what, fix }]);
  const mark = (octets[0] ?? 0) * 256 + (octets[1] ?? 0);
  if (mark === 0xfffe || mark === 0xfeff || octets.subarray(0, 64).includes(0))
    return refused('the file is not plain text, or is saved as UTF-16', 'save it as plain text in UTF-8');
  if (octets.length > 4 * TEXT_LIMIT) return refused('the file is far too long', 'keep only the settings in it');
  try {
    // Pure code has no decoder of the platform's; percent-encoding is UTF-8 by its standard, and strict (RFC 3986, section 2.5).
    return ok(decodeURIComponent(latin1(octets).replace(/[%\u0080-\u00ff]/g, (octet) => `%${hex(fromLatin1(octet))}`)));
  } catch {
    return refused('the file is not in UTF-8', 'save it in UTF-8, without special characters');
  }
}

type Form = TSchema & {
  readonly properties?: Readonly<Record<string, Form>>;
  readonly required?: readonly string[];
  readonly items?: Form;
  readonly description?: string;
};

/** What does not have the schema's form, each at its own place. */
function formProblems(node: JsonNode, schema: TSchema, name: string): Problem[] {
  const { properties, required = [], items, description = '' } = schema as Form;
  if (properties !== undefined) {
    if (node.kind !== 'object')
      return [{ ...node.at, what: `${name} is no group of settings`, fix: 'write { and } around them' }];
    const problems = required
      .filter((key) => !node.members.has(key))
      .map((key) => ({
        ...node.at,
        what: `"${key}" is missing in ${name}`,
        fix: `write "${key}": and ${properties[key]?.description ?? 'its value'}`,
      }));
    return [
      ...problems,
      ...[...node.members].flatMap(([key, { at, node: value }]) => {
        const form = Object.hasOwn(properties, key) ? properties[key] : undefined;
        return form === undefined
          ? [unknownName(key, Object.keys(properties), at)]
          : formProblems(value, form, `"${key}"`);
      }),
    ];
  }
  if (items !== undefined && node.kind === 'array') {
    const inner = node.items.flatMap((item) => formProblems(item, items, `an entry of ${name}`));
    if (inner.length > 0) return inner;
  }
  if (misfit(schema, plainValue(node)) === undefined) return [];
  return [{ ...node.at, what: `${name} has a value that cannot be used`, fix: `write ${description}` }];
}

/** Words that people write for ours. */
const OTHER_WORDS = new Map([
  ['wlan', 'wifi'],
  ['psk', 'password'],
  ['passphrase', 'password'],
  ['key', 'password'],
  ['network_name', 'ssid'],
  ['name', 'hostname'],
  ['server', 'cloud'],
  ['url', 'cloud'],
  ['token', 'claim'],
  ['ip', 'address'],
  ['router', 'gateway'],
  ['nameserver', 'dns'],
  ['time', 'ntp'],
]);

function unknownName(key: string, known: readonly string[], at: Place): Problem {
  const other = OTHER_WORDS.get(key.toLowerCase());
  const near = known.find((name) => name === other) ?? known.find((name) => distance(name, key.toLowerCase()) <= 2);
  const fix = near === undefined ? `take it out; there are ${known.join(', ')}` : `write "${near}"`;
  return { ...at, what: `there is no setting "${key.slice(0, 40)}" here`, fix };
}

/** What has the right form and cannot work. */
function senseProblems(settings: ImageSettings, node: JsonNode): Problem[] {
  const { wifi, network, country, cloud } = settings;
  const problems: Problem[] = [];
  const add = (path: readonly string[], what: string, fix: string) =>
    problems.push({ ...placeOf(node, path), what, fix });
  if (wifi !== undefined && wifi.mode !== 'off') {
    if (country === undefined) add(['wifi'], WIFI_PROBLEMS.country, 'write "country": "DE" (yours) beside "wifi"');
    if (wifi.mode === 'client' && wifi.ssid === undefined)
      add(['wifi'], 'the name of the network to join is missing', 'write "ssid": "…" in "wifi"');
    if (wifi.mode === 'client' && wifi.password === undefined)
      add(['wifi'], WIFI_PROBLEMS.password, 'write "password": "…" in "wifi"');
    if (wifi.mode === 'access-point' && typeof wifi.password === 'string' && wifi.password.length === 64)
      add(
        ['wifi', 'password'],
        'a network of our own needs a password that people can type',
        'write one of 8 to 63 characters',
      );
  }
  if (network?.wan === 'wlan0' && wifi?.mode !== 'client')
    add(
      ['network', 'wan'],
      'wlan0 leads nowhere while Wi-Fi is no client',
      'write "mode": "client" in "wifi", or "wan": "eth0"',
    );
  if (network?.role === 'client' && wifi?.mode === 'access-point')
    add(
      ['network', 'role'],
      'a client of a LAN that is there makes no Wi-Fi network of its own',
      'write "role": "router", or take "wifi" out',
    );
  for (const { at, what, fix } of addressProblems(network ?? {})) add(['network', at], what, fix);
  const refused = cloud === undefined ? undefined : readCloudUrl(cloud);
  if (refused !== undefined && 'refused' in refused)
    add(['cloud'], 'this is no address of a cloud', refused.refused.replace(/\.$/, ''));
  return problems;
}

/** Where a setting stands; where it does not, the place of what should hold it. */
function placeOf(node: JsonNode, path: readonly string[]): Place {
  let at: JsonNode = node;
  for (const name of path) {
    const next: JsonNode | undefined = at.kind === 'object' ? at.members.get(name)?.node : undefined;
    if (next === undefined) break;
    at = next;
  }
  return at.at;
}
