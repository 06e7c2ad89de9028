/** The page behind a problem's `type`: what the fault means, what to do, which operations answer it, and an example. Pure. */
import { type FaultCode, fault, faults } from '#shared/protocol/fault.ts';
import { faultsOf } from '../docs.ts';
import { toProblem } from './problem.ts';
import { routes } from './routes.ts';

export interface FaultFacts {
  readonly code: FaultCode;
  readonly title: string;
  readonly next: string;
  readonly retry: 'never' | 'later' | 'now';
  readonly http: number;
  readonly sip: number;
  /** Verbs that may answer it; empty for one that every verb may. */
  readonly verbs: readonly string[];
  readonly example: unknown;
}

/** What a program gets; undefined for a code that is none. */
export function faultFacts(code: string): FaultFacts | undefined {
  if (!Object.hasOwn(faults, code)) return undefined;
  const known = code as FaultCode;
  const able = routes.filter(({ entry }) => faultsOf(entry).includes(known));
  const [first] = able;
  const verbs = able.length === routes.length ? [] : able.map(({ verb }) => verb);
  return { code: known, ...faults[known], verbs, example: toProblem(fault(known), first?.http.path ?? '/v1') };
}

const retries = {
  never: 'Sending the same request again gives the same answer.',
  later: 'Try again after the time in Retry-After.',
  now: 'You may try again at once.',
} as const;

/** The page for people. */
export function faultPage(facts: FaultFacts): string {
  const { code, title, next, retry, http, sip, verbs, example } = facts;
  const where =
    verbs.length === 0
      ? '<p>Any operation may answer it.</p>'
      : `<ul>${verbs.map((verb) => `<li><code>${escaped(verb)}</code></li>`).join('')}</ul>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escaped(code)}: ${escaped(title)}</title></head><body><main>
<h1>${escaped(title)}</h1>
<h2>Cause</h2><p>${escaped(title)}. Code <code>${escaped(code)}</code>, HTTP ${http}, SIP ${sip}.</p>
<h2>Cure</h2><p>${escaped(next)} ${retries[retry]}</p>
<h2>Where</h2>${where}
<h2>Example</h2><pre>${escaped(JSON.stringify(example, null, 2))}</pre>
</main></body></html>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
