/**
 * Which server of the farm serves a leg: first by orientation (a voice-oriented request goes to softswitch or conference
 * server, a non-voice-oriented one to media, home networking or messaging server), then by what the leg needs. The reason names
 * the losers, so that a session shows why it is built as it is. Pure.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { FarmServerName } from '#shared/protocol/servers.ts';
import type { Orientation } from '#shared/protocol/verb.ts';
import type { LegPlan, ReserveStep } from './events.ts';

/** A server of the farm as it is now. `load` is 0 (idle) to 1 (full). */
export interface ServerFacts {
  readonly running: boolean;
  readonly load: number;
  /** What is wrong with a server that runs degraded. */
  readonly advice?: string;
}

/** A line, and where its phones are. */
export interface LineFacts {
  readonly id: string;
  readonly home: string;
  readonly number: string;
  readonly name?: string;
  readonly metered: boolean;
}

/** A party of a request, looked up. Without `line` and `outside` nobody has that number. */
export interface PartyFacts {
  readonly asked: string;
  /** A number (E.164) that a trunk leads to. */
  readonly outside?: string;
  readonly line?: LineFacts;
  /** Phones registered on the line now; undefined where nobody was asked. */
  readonly contacts?: number;
  /** A phone of the line is registered at the softswitch itself and not through the home's gateway. */
  readonly direct: boolean;
  /** The home's gateway that is connected. */
  readonly gateway?: string;
}

export interface Facts {
  readonly servers: ReadonlyMap<FarmServerName, ServerFacts>;
  readonly legId: () => string;
}

/** Load from which a server counts as full for anything that can be had cheaper. */
export const FULL = 0.9;

export type Need = 'two parties' | 'a room' | 'an item of the library' | 'a device' | 'a text' | 'a still picture';

interface Candidate {
  readonly server: FarmServerName;
  readonly orientation: Orientation;
  readonly can: Need;
}

const CANDIDATES: readonly Candidate[] = [
  { server: 'softswitch', orientation: 'voice', can: 'two parties' },
  { server: 'conference', orientation: 'voice', can: 'a room' },
  { server: 'media', orientation: 'non-voice', can: 'an item of the library' },
  { server: 'home-networking', orientation: 'non-voice', can: 'a device' },
  { server: 'messaging', orientation: 'non-voice', can: 'a text' },
  { server: 'messaging', orientation: 'non-voice', can: 'a still picture' },
];

const losers = new Map<Candidate, string>();
/** The last answer of each: a server's state is the same for very many legs. */
const chosen = new Map<Candidate, { readonly state: string; readonly choice: Result<Choice, never> }>();

/** A server, and why it. */
export interface Choice {
  readonly server: FarmServerName;
  readonly orientation: Orientation;
  readonly why: string;
}

/** Who was not chosen, and why; made once. */
function losersTo(winner: Candidate): string {
  const known = losers.get(winner);
  if (known !== undefined) return known;
  const others = CANDIDATES.filter((candidate) => candidate !== winner);
  const alike = others.filter(({ orientation }) => orientation === winner.orientation);
  const unlike = [...new Set(others.filter((one) => !alike.includes(one)).map(({ server }) => server))];
  const orientation = winner.orientation === 'voice' ? 'non-voice' : 'voice';
  const text = [
    ...alike.map((loser) => `${loser.server} is for ${loser.can}`),
    `${unlike.join(', ')} are ${orientation}-oriented`,
  ].join('; ');
  losers.set(winner, text);
  return text;
}

/** The winner for a need, with its reason; `server_unavailable` with its name when it does not run. */
export function choose(need: Need, facts: Facts): Result<Choice, Fault> {
  const winner = CANDIDATES.find((candidate) => candidate.can === need);
  if (winner === undefined) throw new Error(`no server of the farm offers ${need}`);
  const { server, orientation } = winner;
  const missing = firstMissing([server], facts);
  if (missing !== undefined) return err(missing);
  const { load = 0, advice } = facts.servers.get(server) ?? {};
  const state = advice === undefined ? `load ${Math.round(load * 100)} %` : `degraded: ${advice}`;
  const before = chosen.get(winner);
  if (before?.state === state) return before.choice;
  const why = `${orientation}-oriented, needs ${need}: ${server} (${state}); not chosen: ${losersTo(winner)}`;
  const choice = ok({ server, orientation, why });
  chosen.set(winner, { state, choice });
  return choice;
}

/** The fault that names the first of these servers that does not run. */
export function firstMissing(needed: readonly FarmServerName[], facts: Facts): Fault | undefined {
  const server = needed.find((name) => facts.servers.get(name)?.running !== true);
  if (server === undefined) return undefined;
  return fault('server_unavailable', `The ${server} server is not running; this request needs it.`, { server });
}

interface Quality {
  readonly reserve: readonly ReserveStep[];
  readonly gateway?: string;
  readonly dscp?: string;
}

/** What of quality of service a leg gets: a reservation, or the reason why not. */
export function quality(party: PartyFacts, facts: Facts): Quality {
  if (party.line === undefined) return UNMARKED.stranger;
  if (!party.line.metered) return UNMARKED.unmetered;
  if (facts.servers.get('qos')?.running !== true) return UNMARKED.away;
  if (party.direct) return UNMARKED.direct;
  if (party.gateway === undefined) return UNMARKED.alone;
  return { reserve: ['qos'], gateway: party.gateway };
}

const not = (why: string): Quality => ({ reserve: [], dscp: `not marked: ${why}` });

const UNMARKED = {
  stranger: not('the leg goes to no home of ours'),
  unmetered: not('the line is unmetered'),
  away: not('the qos server is not running'),
  direct: not('the phone is registered at the softswitch itself, no gateway of the home carries it'),
  alone: not('no gateway of the home is connected'),
} as const;

/** The parts of a leg that follow from its party alone. */
export function partyOf(party: PartyFacts): Pick<LegPlan, 'party' | 'home' | 'line'> {
  const { line, asked } = party;
  if (line === undefined) return { party: asked };
  return { party: line.number, home: line.home, line: line.id };
}

/** The fault of a party that nobody is; undefined for a line. */
export function unknownParty(parties: readonly PartyFacts[]): Fault | undefined {
  const party = parties.find((one) => one.line === undefined);
  return party === undefined ? undefined : fault('callee_unknown', `Nobody has ${party.asked.slice(0, 64)}.`);
}

/** The homes of the parties, each once, in order. */
export function homesOf(parties: readonly PartyFacts[]): string[] {
  const homes: string[] = [];
  for (const { line } of parties) if (line !== undefined && !homes.includes(line.home)) homes.push(line.home);
  return homes;
}
