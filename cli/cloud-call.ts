/** How commands ask the cloud: the reply as a value, trouble as words for people with what to do next. */
import { randomUUID } from 'node:crypto';
import type { Option } from '#shared/host/config.ts';
import { hostHttp } from '#shared/host/http.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError } from '#shared/kernel/world.ts';
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
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
  { method, path, body }: Asked,
): Promise<Result<T, Trouble>> {
  const { cloud = '', token = '' } = values;
  const [url = '', fragment] = cloud.split('#');
  if (!URL.canParse(path, url))
    return err({ words: `hearthline: --cloud ${cloud}: not a URL such as http://127.0.0.1:8080`, code: 3 });
  const pin = /^sha256-([0-9a-f]{64})$/.exec(fragment ?? '')?.[1];
  const request = {
    method,
    url: new URL(path, url).href,
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
    },
    timeout: PATIENCE,
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
      if (again || !LOST.has(error.code))
        return err({
          words: `The cloud at ${url} cannot be reached (${error.code}: ${error.message}).\nNext: check --cloud, and that \`hearthline cloud\` runs there.`,
          code: 3,
        });
    }
  }
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
