/** HTTP routes derived from the verb table: which path is which verb, and how a request's parts become its fields. Pure. */
import { Compile } from 'typebox/compile';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbEntry } from '#shared/protocol/verb.ts';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { explain } from './explain.ts';

type Http = NonNullable<VerbEntry['http']>;

export interface Route {
  readonly verb: VerbName;
  readonly entry: VerbEntry;
  readonly http: Http;
  /** Names of the fields that stand in the path. */
  readonly params: readonly string[];
  /** Fields come from the JSON body (POST, PUT) or from the query (GET, DELETE). */
  readonly hasBody: boolean;
  /** The first thing wrong with a merged request, if any. */
  check(request: unknown): Fault | undefined;
}

/** The parts of an HTTP request that can carry fields. */
export interface RequestParts {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | readonly string[]>>;
  /** Parsed JSON; undefined for an empty body. */
  readonly body: unknown;
}

/** Every verb with an HTTP path, in the order of the table. */
export const routes: readonly Route[] = (Object.keys(verbs) as VerbName[]).flatMap((verb) => {
  const entry = verbEntry(verb);
  return entry?.http === undefined ? [] : [toRoute(verb, entry, entry.http)];
});

function toRoute(verb: VerbName, entry: VerbEntry, http: Http): Route {
  const validator = Compile(entry.request);
  return {
    verb,
    entry,
    http,
    params: [...http.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? ''),
    hasBody: http.method === 'POST' || http.method === 'PUT',
    check: (request) => (validator.Check(request) ? undefined : explain(validator.Errors(request))),
  };
}

/** One flat request from path, query and body; the path's fields cannot be given a second time. */
export function mergeRequest(route: Route, parts: RequestParts): Result<Record<string, unknown>, Fault> {
  const merged: Record<string, unknown> = Object.create(null);
  if (route.hasBody) {
    if (parts.body !== undefined && !isObject(parts.body))
      return err(fault('bad_request', 'The body must be a JSON object.', { pointer: '' }));
    const stray = Object.keys(parts.query)[0];
    if (stray !== undefined) return err(unknownField(stray, 'This operation takes its fields from the JSON body'));
    for (const [name, value] of Object.entries(parts.body ?? {})) merged[name] = value;
  } else {
    for (const [name, value] of Object.entries(parts.query)) merged[name] = coerce(route.entry, name, value);
  }
  for (const name of route.params) {
    if (Object.hasOwn(merged, name)) return err(unknownField(name, 'The path names this field'));
    merged[name] = coerce(route.entry, name, parts.params[name] ?? '');
  }
  return ok(merged);
}

function unknownField(name: string, why: string): Fault {
  const short = name.slice(0, 64);
  return fault('bad_request', `${why}: ${JSON.stringify(short)} must not stand here.`, {
    pointer: `/${short.replaceAll('~', '~0').replaceAll('/', '~1')}`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text of a path or query becomes a number, boolean or list where the field's schema says so; other text stays for the check to refuse. */
function coerce(entry: VerbEntry, name: string, text: string | readonly string[]): unknown {
  const properties = (entry.request as { readonly properties?: Readonly<Record<string, { type?: unknown }>> })
    .properties;
  const type = properties !== undefined && Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
  if (type === 'array') return typeof text === 'string' ? text.split(',') : [...text];
  if (typeof text !== 'string') return [...text];
  if ((type === 'integer' || type === 'number') && /^-?\d{1,16}(\.\d{1,16})?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** The methods that a path of the API takes, `HEAD` included; empty for a path that no verb has. */
export function methodsOf(path: string): string[] {
  const words = path.split('/');
  const known = routes.filter((route) => {
    const pattern = route.http.path.split('/');
    return (
      pattern.length === words.length &&
      pattern.every((word, i) => (word.startsWith('{') ? words[i] !== '' : word === words[i]))
    );
  });
  const methods = new Set<string>(known.map((route) => route.http.method));
  if (known.some((route) => route.http.method === 'GET' && route.http.stream === undefined)) methods.add('HEAD');
  return [...methods].sort();
}

const itemsKnown = new Map<string, boolean>();

/** Whether some verb has a path below the route's: that of one item of its collection. */
function hasItems({ http }: Route): boolean {
  const known = itemsKnown.get(http.path);
  if (known !== undefined) return known;
  const found = methodsOf(`${http.path.replaceAll(/\{\w+\}/g, 'x')}/x`).length > 0;
  itemsKnown.set(http.path, found);
  return found;
}

/** Where a created thing can be found: below the collection if some verb has that path; a session under its own. */
export function locationOf(route: Route, path: string, reply: unknown): string | undefined {
  const id = isObject(reply) && typeof reply.id === 'string' ? reply.id : undefined;
  if (id === undefined || (route.http.status !== 201 && route.http.status !== 202)) return undefined;
  if (route.http.method === 'POST' && hasItems(route)) return `${path.replace(/\/$/, '')}/${id}`;
  return id.startsWith('ses_') ? `/v1/sessions/${id}` : undefined;
}
