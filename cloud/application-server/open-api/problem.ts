/** Faults as HTTP problems (RFC 9457). Pure. */

import { type Fault, faults } from '#shared/protocol/fault.ts';
import type { VerbName } from '#shared/protocol/verbs/index.ts';

/** Body of every error reply, `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance: string;
  readonly code: string;
  readonly next: string;
  readonly retry: 'never' | 'later' | 'now';
  readonly server?: string;
  readonly pointer?: string;
}

/** A reply as the adapter sends it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For the metrics: the verb, or `none` for a path that is no verb. */
  readonly verb: VerbName | 'none';
  /** `ok` or the fault's code. */
  readonly outcome: string;
}

/** The problem of a fault; `instance` is the path that was asked for, without its query. */
export function toProblem(fault: Fault, instance: string): Problem {
  const entry = faults[fault.code];
  return {
    type: `/errors/${fault.code}`,
    title: entry.title,
    status: entry.http,
    ...(fault.detail === undefined ? {} : { detail: fault.detail }),
    instance,
    code: fault.code,
    next: entry.next,
    retry: entry.retry,
    ...(fault.server === undefined ? {} : { server: fault.server }),
    ...(fault.pointer === undefined ? {} : { pointer: fault.pointer }),
  };
}

/** The whole reply for a fault; `Retry-After` (seconds, RFC 9110 section 10.2.3) where another try makes sense later. */
export function problemAnswer(
  fault: Fault,
  instance: string,
  verb: VerbName | 'none',
  more: Readonly<Record<string, string>> = {},
): Answer {
  const problem = toProblem(fault, instance);
  const headers: Record<string, string> = { 'content-type': 'application/problem+json; charset=utf-8', ...more };
  const wait = fault.retryAfter ?? (problem.status === 429 || problem.status === 503 ? 1000 : undefined);
  if (wait !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(wait / 1000)));
  if (fault.code === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="hearthline"';
  return { status: problem.status, headers, body: JSON.stringify(problem), verb, outcome: fault.code };
}
