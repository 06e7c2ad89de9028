/** Calls to and from the world outside, as far as they can be decided without a network: which trunk, which digits, whose name. Pure. */
import { withoutSeparators } from './numbers.ts';
import { normalise } from './plans.ts';

export interface NumberRule {
  readonly prefix: string;
  readonly replace: string;
}

/** What choosing has to know of a trunk. */
export interface TrunkChoice {
  readonly id: string;
  readonly priority: number;
  readonly weight: number;
  /** E.164 prefixes that it takes; empty: all. */
  readonly prefixes: readonly string[];
  readonly maxCalls: number;
  readonly calls: number;
  /** It did not answer lately: it is tried last. */
  readonly down: boolean;
}

/** The rule with the longest prefix that fits is applied once. */
export function translate(number: string, rules: readonly NumberRule[]): string {
  let best: NumberRule | undefined;
  for (const rule of rules) {
    if (number.startsWith(rule.prefix) && rule.prefix.length >= (best?.prefix.length ?? 0)) best = rule;
  }
  return best === undefined ? number : best.replace + number.slice(best.prefix.length);
}

/** E.164 of a number as a carrier writes it; undefined where it is none. Carriers leave the plus sign out. */
export function fromCarrier(text: string, rules: readonly NumberRule[]): string | undefined {
  const number = translate(withoutSeparators(text), rules);
  return normalise(number) ?? normalise(`+${number}`);
}

/**
 * The trunks for a number, in the order in which they are to be tried: the longest prefix, then the lowest priority, and among equals
 * by weight; those that are down come last. Full ones and those of other prefixes are left out.
 * `fraction` gives numbers in [0, 1).
 */
export function trunksFor<T extends TrunkChoice>(number: string, all: readonly T[], fraction: () => number): T[] {
  const fitting = all
    .filter((trunk) => trunk.calls < trunk.maxCalls)
    .map((trunk) => ({ trunk, fit: longest(number, trunk.prefixes) }))
    .filter(({ fit }) => fit >= 0);
  const ordered: T[] = [];
  const key = ({ trunk, fit }: { trunk: T; fit: number }) =>
    Number(trunk.down) * 1e9 + (15 - Math.min(fit, 15)) * 1e6 + trunk.priority;
  for (const rank of [...new Set(fitting.map(key))].sort((a, b) => a - b)) {
    ordered.push(
      ...byWeight(
        fitting.filter((one) => key(one) === rank).map(({ trunk }) => trunk),
        fraction,
      ),
    );
  }
  return ordered;
}

/** Length of the longest prefix that fits; -1 where none does. */
function longest(number: string, prefixes: readonly string[]): number {
  if (prefixes.length === 0) return 0;
  return Math.max(-1, ...prefixes.filter((prefix) => number.startsWith(prefix)).map((prefix) => prefix.length));
}

/** The chance of each to be the next is its share of the weights that are left; those of weight 0 come after all others. */
function byWeight<T extends TrunkChoice>(trunks: readonly T[], fraction: () => number): T[] {
  const left = [...trunks];
  const drawn: T[] = [];
  while (left.length > 0) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    const share = (one: T): number => (sum === 0 ? 1 : one.weight);
    const mark = fraction() * (sum === 0 ? left.length : sum);
    let running = 0;
    const at = left.findIndex((one) => {
      running += share(one);
      return running > mark;
    });
    drawn.push(...left.splice(Math.max(0, at), 1));
  }
  return drawn;
}

/**
 * A session description with no other codecs than those named (and telephone events); undefined where none of them is in it. Empty
 * `names`: as it is. Only the audio section is looked at.
 */
export function onlyCodecs(sdp: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return sdp;
  const wanted = new Set([...names.map((name) => name.toLowerCase()), 'telephone-event']);
  const lines = sdp.split('\r\n');
  const start = lines.findIndex((line) => line.startsWith('m=audio '));
  if (start < 0) return sdp;
  const next = lines.findIndex((line, i) => i > start && line.startsWith('m='));
  const end = next < 0 ? lines.length : next;
  const codecs = new Map<string, string>(STATIC);
  for (const line of lines.slice(start, end)) {
    const found = /^a=rtpmap:(\d{1,3}) ([^/]+)\//.exec(line);
    if (found !== null) codecs.set(found[1] ?? '', (found[2] ?? '').toLowerCase());
  }
  const [media = '', port = '', profile = '', ...types] = (lines[start] ?? '').split(' ');
  const kept = types.filter((type) => wanted.has(codecs.get(type) ?? ''));
  if (!kept.some((type) => codecs.get(type) !== 'telephone-event')) return undefined;
  const gone = (line: string) => {
    const type = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d{1,3})[ ]/.exec(line)?.[1];
    return type !== undefined && !kept.includes(type);
  };
  return lines
    .map((line, i) => (i === start ? [media, port, profile, ...kept].join(' ') : line))
    .filter((line, i) => i < start || i >= end || !gone(line))
    .join('\r\n');
}

/** Payload types that need no rtpmap (RFC 3551 section 6). */
const STATIC: readonly (readonly [string, string])[] = [
  ['0', 'pcmu'],
  ['3', 'gsm'],
  ['4', 'g723'],
  ['8', 'pcma'],
  ['9', 'g722'],
  ['18', 'g729'],
];

/** Whose name stands where in a call that goes out. */
export interface CallerFacts {
  /** E.164. */
  readonly number: string;
  /** One character per octet of UTF-8. */
  readonly display: string;
  readonly hidden: boolean;
  /** The number that vouches for the call where it was sent on: the one that forwarded it. */
  readonly owner?: string;
  /** That number is withheld. */
  readonly ownerHidden?: boolean;
}

export interface IdentityRules {
  readonly header?: 'asserted' | 'from' | 'both';
  /** Stands for every caller. */
  readonly number?: string;
}

export interface Identity {
  /** User and display of From; undefined: anonymous (RFC 3323). */
  readonly from: { readonly user: string; readonly display: string } | undefined;
  /** User of P-Asserted-Identity (RFC 3325). */
  readonly asserted?: string;
  readonly private: boolean;
}

/** `account` is our name at the carrier, for a From that must be it. */
export function identityOf(caller: CallerFacts, rules: IdentityRules, account: string | undefined): Identity {
  const { header = 'both', number } = rules;
  const shown = number ?? caller.number;
  const vouched = number ?? caller.owner ?? caller.number;
  const user = header === 'asserted' ? (account ?? vouched) : shown;
  // Who vouches withholds its own number, not the caller's (RFC 3325 section 7).
  const ownerHidden = number === undefined && caller.owner !== undefined && caller.ownerHidden === true;
  const isBare = header === 'asserted' && account === undefined && ownerHidden;
  const from = caller.hidden || isBare ? undefined : { user, display: caller.display };
  if (header === 'from') return { from, private: caller.hidden };
  return { from, asserted: vouched, private: caller.hidden || ownerHidden };
}
