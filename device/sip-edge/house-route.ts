/**
 * Where a call from a phone of the house goes; pure. By the same rules as the session manager's. What concerns the house alone is switched
 * here, always; the rest is the cloud's, and while that is away what can be done in the house is done.
 */
import { barredFor } from '#shared/call/features/barring.ts';
import { hop } from '#shared/call/features/destination.ts';
import { type Meant, meaning } from '#shared/call/features/dialling.ts';
import { divertedAtOnce, type SentOn, sentOnBy } from '#shared/call/features/diverted.ts';
import type { Changes, LineFeatures } from '#shared/call/features/document.ts';
import { mayGoOn, onward, ringsFor } from '#shared/call/features/forwarding.ts';
import { screen } from '#shared/call/features/screening.ts';
import { ringsAlong } from '#shared/call/features/together.ts';
import type { NamedLine } from './edge-call.ts';

/** What is known when a phone dials. */
export interface HouseView {
  /** The flow to the softswitch is there. */
  readonly cloud: boolean;
  /** The line of the house that a number or name means. */
  line(dialled: string): NamedLine | undefined;
  features(line: string): LineFeatures;
  /** Whether a phone of the line could be rung here. */
  hasPhone(line: string): boolean;
  /** Calls that a line has. */
  talking(line: string): number;
  last(line: string, of: 'dialled' | 'caller'): string | undefined;
}

/** A call as it was dialled. */
export interface Dialling {
  readonly from: NamedLine;
  readonly dialled: string;
  /** The phone asks for privacy. */
  readonly hidden: boolean;
  /** What is to be taken of a code, where not all of it is: of one with the PIN of a bar. */
  readonly taken?: (meant: Meant, pin: string | undefined) => Meant;
}

export type Way =
  | {
      readonly do: 'ring';
      /** The number that was meant. */
      readonly to: string;
      /** Whose wishes hold, and the others that ring with it. */
      readonly line: NamedLine;
      readonly along: readonly NamedLine[];
      readonly hidden: boolean;
      /** Lines that sent it on, the oldest first. */
      readonly diverted?: readonly SentOn[];
      /** Milliseconds. */
      readonly ringFor?: number;
      readonly again: boolean;
    }
  /** The softswitch finds it, by what was dialled; `to` is the number that was meant, where one was. */
  | { readonly do: 'cloud'; readonly to?: string }
  | { readonly do: 'refuse'; readonly status: number; readonly reason: string }
  /** A star code; without changes it cannot be. */
  | { readonly do: 'change'; readonly changes?: Changes }
  | { readonly do: 'pickup'; readonly at?: string }
  /** The two calls of the line are brought together. */
  | { readonly do: 'together' }
  /** Nothing was dialled: after so many milliseconds this is called. */
  | { readonly do: 'wait'; readonly ms: number; readonly to: string };

const AWAY: Way = { do: 'refuse', status: 503, reason: 'server_unavailable' };
const STATUS = { callee_declined: 603, caller_anonymous: 433, callee_busy: 486 } as const;

export function wayOf(view: HouseView, { from, dialled, hidden, taken = (meant) => meant }: Dialling): Way {
  const own = view.features(from.id);
  const meant = taken(meaning(own, dialled, hidden, from.number), own.pin);
  if (meant.do === 'pickup') {
    const at = meant.at === undefined ? {} : { at: view.line(meant.at)?.id ?? '' };
    return { do: 'pickup', ...at };
  }
  const cloud: Way = { do: 'cloud', ...(meant.do === 'call' ? { to: meant.to } : {}) };
  if (meant.do === 'change' || meant.do === 'refuse')
    return view.cloud ? cloud : { do: 'change', ...(meant.do === 'change' ? { changes: meant.changes } : {}) };
  if (meant.do === 'together') return meant;
  if (meant.do === 'wait') return { do: 'wait', ms: meant.seconds * 1000, to: meant.to };
  if (meant.do === 'last' && view.cloud) return cloud;
  const to = meant.do === 'call' ? meant.to : view.last(from.id, meant.of);
  if (to === undefined) return { do: 'refuse', status: 404, reason: 'callee_unknown' };
  const line = view.line(to);
  if (line !== undefined) return inside(view, from, { to, line, hidden: meant.hidden }) ?? cloud;
  if (view.cloud) return cloud;
  const barred = barredFor(own, to, from.number, meant.do === 'call' ? meant.pin : undefined);
  return barred === undefined ? AWAY : { do: 'refuse', status: 403, reason: 'destination_barred' };
}

interface Call {
  readonly to: string;
  readonly line: NamedLine;
  readonly hidden: boolean;
  readonly diverted?: readonly SentOn[];
}

/** A call for a line of the house; undefined where the cloud has to find the way, since it leads out of the house. */
function inside(view: HouseView, from: NamedLine, call: Call): Way | undefined {
  // Who dials the own number reaches the other phones of the line.
  if (call.line.id === from.id) return { do: 'ring', ...call, along: [], again: false };
  let { line } = call;
  const seen = new Set<string>();
  const diverted: SentOn[] = [];
  const caller = { number: from.number, hidden: call.hidden };
  for (;;) {
    const own = view.features(line.id);
    const next = hop(line.id, own, caller, view.talking(line.id), seen);
    const told = diverted.length === 0 ? {} : { diverted };
    if (next.at === 'here') return ringing(view, from, { ...call, line, ...told });
    if (next.at === 'circle') return { do: 'refuse', status: 404, reason: 'callee_unknown' };
    if (next.at === 'refused') return { do: 'refuse', status: STATUS[next.reason], reason: next.reason };
    seen.add(line.id);
    diverted.push(sentOnBy(line.number, own, divertedAtOnce(own)));
    const following = view.line(next.to);
    if (following === undefined)
      return view.cloud ? undefined : { do: 'refuse', status: 480, reason: 'callee_offline' };
    if (following.id === from.id) return { do: 'refuse', status: 486, reason: 'callee_busy' };
    line = following;
  }
}

/** The phones of the line ring, and of those that ring along. */
function ringing(view: HouseView, from: NamedLine, call: Call): Way | undefined {
  const { line } = call;
  const own = view.features(line.id);
  const { ringAlso = [], hunt = [], forward = {} } = own;
  const { always: _, ...onwards } = forward;
  const others = [...ringAlso, ...hunt, ...Object.values(onwards)].map((name) => view.line(name));
  const isHere = (one: NamedLine | undefined) => one !== undefined && view.hasPhone(one.id);
  // Somebody may be elsewhere, whom the cloud reaches.
  if (view.cloud && !(isHere(line) && others.every(isHere))) return undefined;
  const rung = new Set<string | undefined>([from.id, line.id]);
  const along: NamedLine[] = [];
  for (const one of ringAlso.map((name) => view.line(name))) {
    if (one === undefined || !ringsAlong({ line: one.id, features: view.features(one.id) }, rung)) continue;
    rung.add(one.id);
    along.push(one);
  }
  const ringFor = ringsFor(own);
  return { do: 'ring', ...call, along, again: mayGoOn(own), ...(ringFor === undefined ? {} : { ringFor }) };
}

/**
 * The line that rings next, where this one's did not take the call (a fault code): none that has rung (`rung`) or calls itself, nor one
 * that lets no call of that caller through.
 */
export function nextLine(
  view: HouseView,
  governs: string,
  reason: string,
  { from, hidden, rung }: { readonly from: NamedLine; readonly hidden: boolean; readonly rung: ReadonlySet<string> },
): NamedLine | undefined {
  const caller = { number: from.number, hidden };
  for (const name of onward(view.features(governs), reason)) {
    const line = view.line(name);
    if (line === undefined || line.id === from.id || rung.has(line.id) || !view.hasPhone(line.id)) continue;
    if (screen(view.features(line.id), caller, view.talking(line.id)).pass) return line;
  }
  return undefined;
}
