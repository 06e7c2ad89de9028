/** Commands that derive from the verb table: `hearthline line create --home H --name Kitchen`. */

import type { Option, Parsed } from '#shared/host/config.ts';
import { hostHttp } from '#shared/host/http.ts';
import { NetError } from '#shared/kernel/world.ts';
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import type { VerbEntry } from '#shared/protocol/verb.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';
import type { Command, ExitCode, Io } from './command.ts';
import { table } from './table.ts';

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
}

export const cloudOptions = {
  cloud: { kind: 'text', value: 'URL', about: 'address of the cloud’s open API', fallback: 'http://127.0.0.1:8080' },
  token: { kind: 'text', value: 'TOKEN', about: 'bearer token (or HEARTHLINE_TOKEN)', required: true },
  json: { kind: 'flag', about: 'print the reply as JSON' },
} as const satisfies Record<string, Option>;

/** Every verb that names a command, by its words. */
export function verbCommands(): Map<string, Command> {
  const commands = new Map<string, Command>();
  for (const entry of Object.values(verbs) as VerbEntry[]) {
    if (entry.cli === undefined || entry.http === undefined || entry.http.stream === true) continue;
    commands.set(entry.cli, verbCommand(entry.cli, entry, entry.http));
  }
  return commands;
}

function verbCommand(words: string, entry: VerbEntry, http: NonNullable<VerbEntry['http']>): Command {
  const schema = entry.request as { properties?: Record<string, Property>; required?: readonly string[] };
  const properties = schema.properties ?? {};
  const options: Record<string, Option> = { ...cloudOptions };
  for (const [name, property] of Object.entries(properties)) {
    const words =
      property.enum?.join(' | ') ??
      property.description ??
      (property.type === 'array' ? 'several, with commas between' : `the ${name}`);
    options[name] = {
      kind: property.type === 'boolean' ? 'flag' : 'text',
      value: name.toUpperCase(),
      about: words,
      ...(schema.required?.includes(name) === true ? { required: true } : {}),
    };
  }
  return {
    about: entry.about,
    usage: `hearthline ${words} [options]`,
    options,
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

/** A flag's text as the schema wants it; text that begins like JSON is JSON where the schema is open. */
function fromText(text: string, property: Property): unknown {
  if (property.type === 'integer' || property.type === 'number') return Number(text);
  if (property.type === 'boolean') return text === 'true';
  if (property.type === 'array') return text === '' ? [] : text.split(',');
  if (property.type !== 'string' && /^[{["]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
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
  return request(
    { method: http.method, path: query === '' ? path : `${path}?${query}`, ...(hasBody ? { body } : {}) },
    input,
    io,
    columns,
  );
}

/** Sends one request and prints the reply, or the fault with what to do next. */
export async function request(
  {
    method,
    path,
    body,
  }: { readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'; readonly path: string; readonly body?: unknown },
  input: Parsed,
  io: Io,
  columns: readonly string[] = [],
): Promise<ExitCode> {
  const { cloud = '', token = '', json } = input.values;
  const [url = '', fragment] = cloud.split('#');
  if (!URL.canParse(path, url)) {
    io.error(`hearthline: --cloud ${cloud}: not a URL such as http://127.0.0.1:8080`);
    return 3;
  }
  const pin = /^sha256-([0-9a-f]{64})$/.exec(fragment ?? '')?.[1];
  try {
    const reply = await hostHttp().request({
      method,
      url: new URL(path, url).href,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(pin === undefined ? {} : { pin }),
    });
    const value: unknown = reply.body === '' ? {} : JSON.parse(reply.body);
    if (reply.status >= 400) return printFault(value, io, json === 'true');
    io.out(json === 'true' ? JSON.stringify(value) : table(value, columns));
    return 0;
  } catch (error) {
    const why = error instanceof NetError ? `${error.code}: ${error.message}` : String(error);
    io.error(
      `The cloud at ${cloud} cannot be reached (${why}).\nNext: check --cloud, and that \`hearthline cloud\` runs there.`,
    );
    return 3;
  }
}

function printFault(problem: unknown, io: Io, json: boolean): ExitCode {
  if (json) io.out(JSON.stringify(problem));
  const { code, title, detail } = problem as { code?: string; title?: string; detail?: string };
  const known = code !== undefined && Object.hasOwn(faults, code) ? faults[code as FaultCode] : undefined;
  const whole = (detail ?? title ?? known?.title ?? 'The request failed').replace(/\.$/, '');
  io.error(`${whole}.`);
  if (known !== undefined) io.error(`Next: ${known.next} [${code}]`);
  return 2;
}
