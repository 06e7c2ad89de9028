/**
 * Settings of a program: flags over environment (`HEARTHLINE_…`) over a JSON file (`--config FILE`) over defaults. A name
 * that the program does not know is an error wherever it stands, since a misspelt one would be ignored in silence.
 */
import { readFileSync } from 'node:fs';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Address } from '#shared/kernel/world.ts';

export interface Option {
  readonly kind: 'text' | 'flag' | 'number' | 'address' | 'host' | 'ports';
  /** What it means, for `--help`. */
  readonly about: string;
  /** How its value is named in `--help`. */
  readonly value?: string;
  readonly fallback?: string;
  readonly required?: boolean;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** False: only its flag and the file set it, for its name means something else in the environment of another command. */
  readonly environment?: false;
}

export type Options = Readonly<Record<string, Option>>;
export type Values = Readonly<Record<string, string>>;

export interface Parsed {
  readonly values: Values;
  /** Words that are no flags. */
  readonly words: readonly string[];
}

/** Reads flags, environment and file against a table of options; an error names what is wrong and what to do. */
export function readConfig(
  argv: readonly string[],
  options: Options,
  environment: Readonly<Record<string, string | undefined>>,
): Result<Parsed, string> {
  const flags = readFlags(argv, options);
  if (!flags.ok) return flags;
  const values: Record<string, string> = Object.create(null);
  for (const [name, option] of Object.entries(options))
    if (option.fallback !== undefined) values[name] = option.fallback;
  const file = flags.value.values.config ?? environment.HEARTHLINE_CONFIG;
  if (file !== undefined) {
    const read = readFile(file, options);
    if (!read.ok) return read;
    Object.assign(values, read.value);
  }
  for (const [name, option] of Object.entries(options)) {
    if (option.environment === false) continue;
    const value = environment[`HEARTHLINE_${name.toUpperCase().replaceAll('-', '_')}`];
    if (value !== undefined) values[name] = value;
  }
  Object.assign(values, flags.value.values);
  for (const [name, option] of Object.entries(options)) {
    const value = values[name];
    if (value === undefined) {
      if (option.required === true) return err(`--${name} is missing: ${option.about}`);
      continue;
    }
    const wrong = check(option, value);
    if (wrong !== undefined) return err(`--${name} ${value}: ${wrong}`);
  }
  return ok({ values, words: flags.value.words });
}

function readFlags(argv: readonly string[], options: Options): Result<Parsed, string> {
  const values: Record<string, string> = Object.create(null);
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    if (!word.startsWith('--')) {
      if (/^-[a-z]/i.test(word)) return err(`${word} is no option of this command; see --help`);
      words.push(word);
      continue;
    }
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const option = name === 'config' ? CONFIG : Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) return err(`--${name} is no option of this command; see --help`);
    if (option.kind === 'flag') values[name] = equals < 0 ? 'true' : word.slice(equals + 1);
    else if (equals >= 0) values[name] = word.slice(equals + 1);
    else {
      const value = argv[++i];
      if (value === undefined) return err(`--${name} needs a value: ${option.about}`);
      // Most likely the value was forgotten, and would have been the flag behind it.
      if (/^--[a-z][a-zA-Z0-9-]*(=|$)/.test(value))
        return err(`--${name} needs a value: ${option.about} (one that begins with -- is written --${name}=${value})`);
      values[name] = value;
    }
  }
  return ok({ values, words });
}

const CONFIG: Option = { kind: 'text', about: 'a JSON file with settings' };

function readFile(path: string, options: Options): Result<Values, string> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return err(`--config ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return err(`--config ${path}: not a JSON object`);
  const values: Record<string, string> = Object.create(null);
  for (const [name, setting] of Object.entries(value)) {
    if (!Object.hasOwn(options, name)) return err(`--config ${path}: "${name}" is no setting of this command`);
    values[name] = String(setting);
  }
  return ok(values);
}

/** A name by the letters of RFC 1123 section 2.1, an IPv4 address, or an IPv6 address without brackets. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]+)$/;

function check(option: Option, value: string): string | undefined {
  if (option.kind === 'number' && !/^[0-9]{1,15}$/.test(value)) return 'not a whole number';
  if (option.kind === 'address' && readAddress(value) === undefined)
    return 'not HOST:PORT (an IPv6 address in brackets)';
  if (option.kind === 'host' && !HOST.test(value)) return 'not a host name or an address';
  if (option.kind === 'ports' && readPorts(value) === undefined)
    return 'not HOST:LOW-HIGH with 1024 <= LOW < HIGH <= 65535';
  if (option.kind === 'flag' && value !== 'true' && value !== 'false') return 'is true or false';
  if (option.choices?.includes(value) === false) return `is ${listed(option.choices)}`;
  return undefined;
}

/** `one, two or three`. */
function listed(words: readonly string[]): string {
  return [words.slice(0, -1).join(', '), ...words.slice(-1)].filter((part) => part !== '').join(' or ');
}

/** `host:port`, `[v6]:port`, or `:port` for every address. */
export function readAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] === '' || match[2] === undefined ? '0.0.0.0' : match[2]), port };
}

export function readPorts(text: string): { host: string; low: number; high: number } | undefined {
  const dash = text.lastIndexOf('-');
  const low = readAddress(text.slice(0, dash));
  const high = Number(text.slice(dash + 1));
  if (dash < 0 || low === undefined || !Number.isInteger(high) || low.port < 1024 || high <= low.port || high > 65_535)
    return undefined;
  return { host: low.host, low: low.port, high };
}

/** `host:port` with brackets where they are needed. */
export function writeAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The `--help` text of a command. */
export function helpText(usage: string, about: string, options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const left = option.kind === 'flag' ? `--${name}` : `--${name} ${option.value ?? 'VALUE'}`;
    const tail =
      option.required === true ? ' (required)' : option.fallback === undefined ? '' : ` (default ${option.fallback})`;
    return `  ${left.padEnd(26)} ${option.about}${tail}`;
  });
  return `usage: ${usage}\n${about}\n\n${rows.join('\n')}\n`;
}
