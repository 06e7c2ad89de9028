/**
 * What Raspberry Pi Imager writes to the boot partition when a person fills in its customisation: cloud-init's `user-data` and
 * `network-config` (init_format `cloudinit`), or the script `firstrun.sh` of older versions; the country may stand in `cmdline.txt`
 * alone, as a word for the kernel that no kernel of ours sees. Host name, country and Wi-Fi network are taken; users, keys and packages have no meaning on a gateway and are named as left out. Nothing is run. Pure.
 */
import type { ImageSettings } from '#shared/protocol/image-settings.ts';

/** The files of the boot partition that are looked at, by name. */
export const IMAGER_FILES = ['network-config', 'user-data', 'firstrun.sh', 'cmdline.txt'] as const;
export type ImagerFiles = Readonly<Partial<Record<(typeof IMAGER_FILES)[number], string>>>;

export interface ImagerReading {
  readonly settings: ImageSettings;
  /** What the person has filled in and this gateway does not use, in words. */
  readonly ignored: readonly string[];
}

/** Undefined where Imager has written nothing that says anything. */
export function readImager(files: ImagerFiles): ImagerReading | undefined {
  const found = {
    ...fromKernelLine(files['cmdline.txt'] ?? ''),
    ...fromScript(files['firstrun.sh'] ?? ''),
    ...fromCloudInit(files),
  };
  const { hostname, country, ssid, password, hidden } = found;
  const wifi =
    ssid === undefined || password === undefined
      ? undefined
      : { mode: 'client' as const, ssid, password, ...(hidden === true ? { hidden } : {}) };
  const settings: ImageSettings = {
    ...(hostname === undefined ? {} : { hostname: hostname.toLowerCase() }),
    ...(country === undefined ? {} : { country }),
    ...(wifi === undefined ? {} : { wifi }),
  };
  const ignored = ignoredIn(`${files['user-data'] ?? ''}\n${files['firstrun.sh'] ?? ''}`);
  return Object.keys(settings).length === 0 && ignored.length === 0 ? undefined : { settings, ignored };
}

interface Found {
  readonly hostname?: string | undefined;
  readonly country?: string | undefined;
  readonly ssid?: string | undefined;
  readonly password?: string | undefined;
  readonly hidden?: boolean;
}

function fromCloudInit(files: ImagerFiles): Found {
  const hostname = /^hostname:[ \t]*["']?([A-Za-z0-9-]{1,63})["']?[ \t]*$/m.exec(files['user-data'] ?? '')?.[1];
  const network = files['network-config'] ?? '';
  const country = /^[ \t]*regulatory-domain:[ \t]*["']?([A-Za-z]{2})["']?[ \t]*$/m.exec(network)?.[1]?.toUpperCase();
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(country === undefined ? {} : { country }),
    ...accessPoint(network),
  };
}

/** The last `cfg80211.ieee80211_regdom=CC`: Imager appends its own to those that are there. */
function fromKernelLine(line: string): Found {
  const country = [...line.matchAll(/(?:^|\s)cfg80211\.ieee80211_regdom=([A-Za-z]{2})(?=\s|$)/g)].at(-1)?.[1];
  return country === undefined ? {} : { country: country.toUpperCase() };
}

/** The first network under `access-points:`: the line after it is the name, what is indented deeper belongs to it. */
function accessPoint(network: string): Found {
  const lines = network.split(/\r?\n/);
  const start = lines.findIndex((line) => /^\s*access-points:\s*$/.test(line));
  const name = /^(\s+)(".*"|'.*'|[^"'\s].*):\s*$/.exec(lines[start + 1] ?? '');
  if (start < 0 || name === null) return {};
  const depth = (name[1] ?? '').length;
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => line.trim() !== '' && line.length - line.trimStart().length <= depth);
  const inner = rest.slice(0, end < 0 ? rest.length : end);
  const field = (key: string) =>
    inner.map((line) => new RegExp(`^\\s+${key}:\\s*(.+?)\\s*$`).exec(line)?.[1]).find((value) => value !== undefined);
  const password = field('password');
  return {
    ssid: scalar(name[2] ?? ''),
    ...(password === undefined ? {} : { password: scalar(password) }),
    ...(field('hidden') === 'true' ? { hidden: true } : {}),
  };
}

/** A scalar of YAML 1.2 in the three forms that are written here: plain, 'single' and "double" with backslashes. */
function scalar(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(["\\])/g, '$1') : text;
}

/** The calls of `firstrun.sh`, read as text: `imager_custom set_hostname NAME`, `… set_wlan [-h] 'SSID' 'PSK' 'CC'`. */
function fromScript(script: string): Found {
  const hostname = /imager_custom set_hostname ["']?([A-Za-z0-9-]{1,63})["']?\s*$/m.exec(script)?.[1];
  const call = /imager_custom set_wlan(.*)$/m.exec(script)?.[1];
  if (call === undefined) return hostname === undefined ? {} : { hostname };
  const words = [...call.matchAll(/'((?:[^']|'"'"')*)'|(\S+)/g)].map(([, quoted, plain]) =>
    (quoted ?? plain ?? '').replaceAll(`'"'"'`, "'"),
  );
  const hidden = words[0] === '-h';
  const [ssid, password, country] = hidden ? words.slice(1) : words;
  return {
    hostname,
    ssid,
    password,
    ...(country === undefined || country === '' ? {} : { country: country.toUpperCase() }),
    hidden,
  };
}

function ignoredIn(text: string): string[] {
  const ignored: string[] = [];
  if (/^users:|^ssh_pwauth:|^enable_ssh:|ssh_authorized_keys|enable_ssh|userconf/m.test(text))
    ignored.push('users and SSH: a gateway has none; technicians come in at the console with a setup code');
  if (/^timezone:|set_timezone/m.test(text)) ignored.push('the time zone: a gateway works in UTC');
  if (/^keyboard:|set_keymap/m.test(text)) ignored.push('the keyboard');
  if (/rpi-connect/.test(text)) ignored.push('Raspberry Pi Connect');
  return ignored;
}
