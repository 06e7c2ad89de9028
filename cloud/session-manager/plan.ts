/**
 * From a request to the resources of a session: which legs, on which server and why, what is reserved for each, and in
 * which order channels open. Pure: facts come in, a plan or a fault goes out; the undo of each step follows from it.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import {
  type Choice,
  choose,
  type Facts,
  firstMissing,
  homesOf,
  type PartyFacts,
  partyOf,
  quality,
  unknownParty,
} from './choice.ts';
import type { LegPlan, SessionKind } from './events.ts';

export interface Plan {
  readonly kind: SessionKind;
  readonly homes: readonly string[];
  readonly legs: readonly LegPlan[];
  /** Parties that the room must hold; absent: no room. */
  readonly roomSize?: number;
}

/** What a phone shows as the caller when the media server calls. */
export const MEDIA_CALLER = { number: '700', name: 'Media' } as const;

/**
 * A phone called: the softswitch rings the callee's line by itself and tells us what became of it. An emergency call is
 * free and admitted whatever the home's line holds already.
 */
export function planRoute(
  from: PartyFacts | undefined,
  to: PartyFacts,
  facts: Facts,
  emergency = false,
): Result<Plan, Fault> {
  // A call from outside has no line to answer for a further one.
  const outside = from?.line === undefined ? undefined : to.outside;
  const unknown = outside === undefined ? unknownParty([to]) : undefined;
  if (unknown !== undefined) return err(unknown);
  const server = choose('two parties', facts);
  if (!server.ok) return server;
  const caller = from ?? { asked: 'anonymous', direct: true };
  const shows = caller.line?.number ?? caller.asked;
  const called = to.line?.number ?? to.outside ?? to.asked;
  const first = switched(server.value, caller, { role: 'caller', from: shows, to: called }, facts);
  const second = switched(server.value, to, { role: 'callee', from: shows, to: called }, facts);
  if (emergency) {
    first.emergency = true;
    second.emergency = true;
  } else if (caller.line !== undefined) {
    second.payer = caller.line.home;
    const billed = caller.line.metered && facts.servers.get('billing')?.running === true;
    if (billed) second.reserve = ['billing', ...second.reserve];
  }
  return ok({ kind: 'call', homes: homesOf([caller, to]), legs: [first, second] });
}

type Drawn = { -readonly [K in keyof LegPlan]: LegPlan[K] };

/** A leg of a call that the softswitch switches by itself. Calls are many: the fields are given one by one, all of them in the same order. */
function switched(
  { server, orientation, why }: Choice,
  party: PartyFacts,
  { role, from, to }: Pick<LegPlan, 'role' | 'from' | 'to'>,
  facts: Facts,
): Drawn {
  const { reserve, gateway, dscp } = quality(party, facts);
  const { line } = party;
  const leg: Drawn = {
    id: facts.legId(),
    kind: 'voice',
    channel: 'switched',
    server,
    orientation,
    why,
    from,
    to,
    role,
    party: line?.number ?? party.asked,
    reserve,
  };
  if (line !== undefined) {
    leg.home = line.home;
    leg.line = line.id;
  }
  if (gateway !== undefined) leg.gateway = gateway;
  if (dscp !== undefined) leg.dscp = dscp;
  return leg;
}

/** The API calls two parties: `from` rings first, then `to`; each gets a media endpoint, and both are joined (RFC 3725). */
export function planCall(from: PartyFacts, to: PartyFacts, facts: Facts): Result<Plan, Fault> {
  const unknown = unknownParty([from, to]);
  if (unknown !== undefined) return err(unknown);
  if (from.line?.id === to.line?.id) return err(fault('bad_request', 'Both parties are the same line.'));
  const missing = firstMissing(['softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('two parties', facts);
  if (!server.ok) return server;
  const label = { from: from.line?.number ?? from.asked, to: to.line?.number ?? to.asked };
  const common = { kind: 'voice', channel: 'instructed', ...server.value, ...label } as const;
  const first = instructed(from, facts, { ...common, role: 'caller', caller: shown(to) });
  const second = instructed(to, facts, { ...common, role: 'callee', caller: shown(from), after: first.id });
  const payer = from.line?.home;
  const paying: LegPlan = {
    ...second,
    ...(payer === undefined ? {} : { payer }),
    reserve: ['billing', ...second.reserve],
  };
  return ok({ kind: 'call', homes: homesOf([from, to]), legs: [first, paying] });
}

/** Media on demand: the media server plays an item to a phone, over a channel that the softswitch is told to open. */
export function planMedia(to: PartyFacts, item: string, facts: Facts, waiting?: string): Result<Plan, Fault> {
  const unknown = unknownParty([to]);
  if (unknown !== undefined) return err(unknown);
  const missing = firstMissing(['media', 'softswitch', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('an item of the library', facts);
  if (!server.ok) return server;
  const leg = mediaChannel(to, item, facts, {
    ...server.value,
    why: `${server.value.why}; softswitch opens its channel, ${facts.servers.get('qos')?.running ? 'qos and billing reserve' : 'billing reserves'}`,
    role: 'media channel',
    ...(waiting === undefined ? {} : { waiting }),
  });
  // Who dialled the item called it; who is rung is called by it.
  const dialled = waiting === undefined ? {} : { from: leg.to, to: leg.from };
  return ok({ kind: 'media', homes: homesOf([to]), legs: [{ ...leg, ...dialled }] });
}

type Chosen = Pick<LegPlan, 'server' | 'orientation' | 'why' | 'role'>;

/** A channel from the media server to a phone; the home that hears it pays. */
export function mediaChannel(
  to: PartyFacts,
  item: string,
  facts: Facts,
  more: Chosen & Partial<Pick<LegPlan, 'waiting' | 'join' | 'after'>>,
): LegPlan {
  const { reserve, ...marks } = quality(to, facts);
  return {
    id: facts.legId(),
    kind: 'media',
    channel: 'instructed',
    ...more,
    ...partyOf(to),
    ...marks,
    ...(to.line === undefined ? {} : { payer: to.line.home }),
    item,
    from: `media:${item}`,
    to: to.line?.number ?? to.asked,
    caller: MEDIA_CALLER,
    reserve: ['billing', ...reserve, 'player'],
  };
}

/** A voice leg towards a phone, rung by our instruction. */
export function instructed(
  party: PartyFacts,
  facts: Facts,
  more: Chosen &
    Pick<LegPlan, 'kind' | 'channel' | 'from' | 'to'> &
    Partial<Pick<LegPlan, 'caller' | 'after' | 'payer'>>,
): LegPlan {
  const { reserve, ...marks } = quality(party, facts);
  return { id: facts.legId(), ...more, ...partyOf(party), ...marks, reserve: [...reserve, 'endpoint'] };
}

function shown(party: PartyFacts): { number: string; name?: string } {
  const { line, asked } = party;
  if (line === undefined) return { number: asked };
  return { number: line.number, ...(line.name === undefined ? {} : { name: line.name }) };
}
