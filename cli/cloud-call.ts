/** How commands ask the cloud: the reply as a value, trouble as words for people with what to do next. */
import { randomUUID } from 'node:crypto';
import type { Option } from '#shared/host/config.ts';
import { hostHttp } from '#shared/host/http.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError } from '#shared/kernel/world.ts';
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import { readPin } from '#shared/protocol/pairing.ts';
import type { ExitCode } from './command.ts';

export const cloudOptions = {
  cloud: { kind: 'text', value: 'URL', about: 'address of the cloud’s open API', fallback: 'http://127.0.0.1:8080' },
  token: { kind: 'text', value: 'TOKEN', about: 'bearer token (or HEARTHLINE_TOKEN)', required: true },
  json: { kind: 'flag', about: 'print the reply as JSON' },
} as const satisfies Record<string, Option>;

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Milliseconds within which an answer must come (default 30 s, and once more). */
  readonly timeout?: number;
}

/** Where the cloud is and with what it is asked. */
interface Target {
  /** Without path and fragment. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the key of the operator's CA. */
  readonly pin?: string;
}

export interface Trouble {
  /** One line of what happened, and where something is known to help, one of what to do next. */
  readonly words: string;
  /** 2: the cloud said no. 3: it could not be asked. */
  readonly code: ExitCode;
  /** What the cloud said, as it said it (RFC 9457). */
  readonly problem?: unknown;
}

/** Milliseconds within which an answer must come. */
const PATIENCE = 30_000;
/** How an answer gets lost on the way: the request goes once more, a POST under the same Idempotency-Key. */
const LOST: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

/** Asks the cloud that `values` names (--cloud URL, with `#sha256-…` of its CA, and --token). */
export async function callCloud<T>(
  values: Readonly<Record<string, string | undefined>>,
  { method, path, body, timeout }: Asked,
): Promise<Result<T, Trouble>> {
  const target = targetOf(values);
  if (!target.ok) return target;
  const { url, headers, pin } = target.value;
  const request = {
    method,
    url: new URL(path, url).href,
    headers: {
      ...headers,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
    },
    timeout: timeout ?? PATIENCE,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(pin === undefined ? {} : { pin }),
  };
  for (let again = false; ; again = true) {
    try {
      const { status, body: text } = await hostHttp().request(request);
      const value = jsonOf(text);
      if (value === undefined)
        return err({
          words: `${url} answered ${status} with what is no JSON: it is not a cloud of Hearthline, or something stands before it.\nNext: check --cloud.`,
          code: 3,
        });
      return status < 400 ? ok(value as T) : err({ words: problemWords(value), code: 2, problem: value });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      // Who has said how long to wait waits no longer.
      const late = error.code === 'ETIMEDOUT' && timeout !== undefined;
      if (again || late || !LOST.has(error.code))
        return err({
          words: `The cloud at ${url} cannot be reached (${error.code}: ${error.message}).\nNext: ${nextAfter(error.code)}`,
          code: 3,
        });
    }
  }
}

/** Reads --cloud and --token, before anything is sent. */
function targetOf({ cloud = '', token = '' }: Readonly<Record<string, string | undefined>>): Result<Target, Trouble> {
  const wrong = (words: string) => err({ words: `hearthline: ${words}`, code: 3 } as const);
  const [text = '', fragment = ''] = cloud.split('#');
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.host === '')
    return wrong(`--cloud ${cloud}: not a URL such as http://127.0.0.1:8080`);
  if (url.pathname !== '/' || url.search !== '')
    return wrong(`--cloud ${cloud}: nothing stands behind the host and port; write ${url.origin}`);
  const pin = fragment === '' ? undefined : readPin(fragment);
  if (fragment !== '' && (pin === undefined || url.protocol !== 'https:'))
    return wrong(`--cloud ${cloud}: behind # of an https address stand sha256- and the hash of the authority’s key`);
  // What else would be in there could not stand in a header (RFC 6750 section 2.1 allows less still).
  if (!/^[\x21-\x7e]+$/.test(token))
    return wrong('--token: no token has such characters; copy it anew, without spaces and line ends');
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  return ok({ url: url.origin, headers, ...(pin === undefined ? {} : { pin }) });
}

/** What helps after a connection that did not come about. */
function nextAfter(code: string): string {
  return /CERT|SIGNATURE|ISSUER/.test(code)
    ? 'name the operator’s own authority by the hash of its key, https://HOST:PORT#sha256-…, as the ready file of the cloud does.'
    : 'check --cloud, and that `hearthline cloud` runs there.';
}

/** What a text says; `{}` where there is none, undefined where it is no JSON. */
function jsonOf(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A fault of the open API (RFC 9457) for people. */
function problemWords(problem: unknown): string {
  const { code, title, detail } = (problem ?? {}) as { code?: string; title?: string; detail?: string };
  const known = code !== undefined && Object.hasOwn(faults, code) ? faults[code as FaultCode] : undefined;
  const whole = (detail ?? title ?? known?.title ?? 'The request failed').replace(/\.$/, '');
  return known === undefined ? `${whole}.` : `${whole}.\nNext: ${known.next} [${code}]`;
}
