/** Commands that derive from the verb table: `hearthline line create --home H --name Kitchen`. */

import type { Option, Parsed } from '#shared/host/config.ts';
import { fieldWords } from '#shared/protocol/field-words.ts';
import type { VerbEntry } from '#shared/protocol/verb.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';
import { type Asked, callCloud, cloudOptions } from './cloud-call.ts';
import { type Command, type ExitCode, type Io, isTruth } from './command.ts';
import { table } from './table.ts';

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly items?: Property;
}

/** Every verb that names a command, by its words. */
export function verbCommands(): Map<string, Command> {
  const commands = new Map<string, Command>();
  for (const [name, entry] of Object.entries(verbs) as [string, VerbEntry][]) {
    if (entry.cli === undefined || entry.http === undefined || entry.http.stream === true) continue;
    commands.set(entry.cli, verbCommand(name, entry.cli, entry, entry.http));
  }
  return commands;
}

function verbCommand(verb: string, words: string, entry: VerbEntry, http: NonNullable<VerbEntry['http']>): Command {
  const schema = entry.request as { properties?: Record<string, Property>; required?: readonly string[] };
  const properties = schema.properties ?? {};
  // What the path names needs no flag: `session show ses_…`.
  const named = [...http.path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  const options: Record<string, Option> = { ...cloudOptions };
  for (const [name, property] of Object.entries(properties)) {
    options[name] = {
      kind: property.type === 'boolean' ? 'flag' : 'text',
      value: name.toUpperCase(),
      about: aboutField(fieldWords(verb, name, property) ?? `the ${name}`, property),
      ...(schema.required?.includes(name) === true ? { required: true } : {}),
      // HEARTHLINE_STATE is a gateway's folder, not the state of a webhook.
      ...(named.includes(name) ? {} : { environment: false }),
    };
  }
  return {
    about: entry.about,
    usage: [`hearthline ${words}`, ...named.map((name) => name.toUpperCase()), '[options]'].join(' '),
    options,
    flags: (argv) => withNames(asNamed(argv, options), named, options),
    async run(input, io) {
      const body: Record<string, unknown> = {};
      for (const [name, property] of Object.entries(properties)) {
        const text = input.values[name];
        if (text !== undefined) body[name] = fromText(text, property);
      }
      return send(http, body, input, io, entry.columns);
    },
  };
}

/** What a flag means, and how its value is written where a schema says so. */
function aboutField(words: string, property: Property): string {
  const choices = property.enum ?? property.items?.enum;
  const written = [choices?.join(' | '), property.type === 'array' ? several(property) : undefined];
  const how = written.filter((one) => one !== undefined).join(', ');
  return how === '' ? words : `${words} (${how})`;
}

const several = ({ items }: Property) => (items?.type === 'object' ? 'a list in JSON' : 'several with commas between');

/** Flags are named as the API's fields are (`--errorRate`); written as is usual in a shell they mean the same. */
function asNamed(argv: readonly string[], options: Readonly<Record<string, Option>>): string[] {
  return argv.map((word) => {
    const [, dashed = '', rest = ''] = /^--([a-z]+(?:-[a-z0-9]+)+)(=.*)?$/s.exec(word) ?? [];
    const name = dashed.replace(/-(.)/g, (_whole, letter: string) => letter.toUpperCase());
    return name !== '' && !Object.hasOwn(options, dashed) && Object.hasOwn(options, name) ? `--${name}${rest}` : word;
  });
}

/** Words that stand alone become the flags of the names that the path still lacks, in their order. */
function withNames(argv: readonly string[], named: readonly string[], options: Readonly<Record<string, Option>>) {
  const isFlag = (word = '') => /^-(?:-|[a-z])/i.test(word);
  const takesNext = (word = '') => isFlag(word) && !word.includes('=') && options[word.slice(2)]?.kind !== 'flag';
  const open = named.filter((name) => !argv.some((word) => word === `--${name}` || word.startsWith(`--${name}=`)));
  return argv.map((word, i) => {
    // Right behind a flag without a value it is meant for that, and names nothing.
    const meant = isTruth(word) && isFlag(argv[i - 1]);
    const name = isFlag(word) || takesNext(argv[i - 1]) || meant ? undefined : open.shift();
    return name === undefined ? word : `--${name}=${word}`;
  });
}

/** A flag's text as the schema wants it; text that begins like JSON is JSON where the schema is open. */
function fromText(text: string, property: Property): unknown {
  if (property.type === 'integer' || property.type === 'number') return Number(text);
  if (property.type === 'boolean') return text === 'true';
  if (property.type === 'array') {
    const whole = text.startsWith('[') ? jsonOf(text) : undefined;
    if (Array.isArray(whole)) return whole;
    return text === '' ? [] : text.split(',').map((one) => fromText(one, property.items ?? {}));
  }
  return property.type !== 'string' && /^[{["]/.test(text) ? (jsonOf(text) ?? text) : text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function send(
  http: NonNullable<VerbEntry['http']>,
  body: Record<string, unknown>,
  input: Parsed,
  io: Io,
  columns: readonly string[] = [],
): Promise<ExitCode> {
  const path = http.path.replace(/\{([^}]+)\}/g, (_whole, name: string) => {
    const value = body[name];
    delete body[name];
    return encodeURIComponent(String(value));
  });
  const hasBody = http.method === 'POST' || http.method === 'PUT';
  const query = hasBody
    ? ''
    : new URLSearchParams(Object.entries(body).map(([name, value]) => [name, String(value)])).toString();
  return print(
    { method: http.method, path: query === '' ? path : `${path}?${query}`, ...(hasBody ? { body } : {}) },
    input,
    io,
    columns,
  );
}

/** Sends one request and prints the reply, or the trouble. */
async function print(asked: Asked, { values }: Parsed, io: Io, columns: readonly string[]): Promise<ExitCode> {
  const json = values.json === 'true';
  const reply = await callCloud(values, asked);
  if (reply.ok) {
    io.out(json ? JSON.stringify(reply.value) : table(reply.value, columns));
    return 0;
  }
  const { words, code, problem } = reply.fault;
  if (json && problem !== undefined) io.out(JSON.stringify(problem));
  io.error(words);
  return code;
}
