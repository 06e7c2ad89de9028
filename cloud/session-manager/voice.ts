/** The verbs between softswitch and session manager: routing a phone's call, what became of a leg, and calls made without us. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { WITHHELD } from '#shared/call/features/recent.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { PartyFacts } from './choice.ts';
import { command } from './commands.ts';
import type { JournalRow, LegPlan } from './events.ts';
import { sendCommand } from './outbox.ts';
import type { Resolver } from './resolve.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, recordOf, type SessionState } from './session.ts';

type Verbs = 'leg.report' | 'voice.report';

export function voiceHandlers(
  context: PartContext,
  runtime: Runtime,
  resolver: Resolver,
): Pick<Handlers<'session-manager'>, Verbs> {
  const { world, bus, store } = context;

  return {
    'leg.report'({ session, leg: id, event, at, callId, reason, status }) {
      const live = runtime.lives.get(session);
      const leg = live === undefined ? undefined : findLeg(live.state, id);
      // Answered in the moment of its end: nobody would ever close it.
      if (event === 'answered' && (leg === undefined || leg.state === 'ended'))
        return sendCommand(bus, command('channel.close', { session, leg: id, reason: 'hangup' })).then(() =>
          err(fault('not_found', 'This leg has ended.')),
        );
      const durable = runtime.step(session, { on: 'report', leg: id, event, at, callId, reason, status });
      const told = () => ok(runtime.lives.has(session) ? {} : { over: true });
      if (event !== 'ringing' && durable !== undefined) return durable.then(told);
      durable?.catch(() => undefined);
      return told();
    },

    async 'voice.report'(request, asked) {
      const before = await repeated<'voice.report'>(store, asked);
      if (before !== undefined) return before;
      const { principal } = asked;
      const home = principal.kind === 'gateway' ? principal.home : request.home;
      const derive = (prefix: string, part: string) =>
        `${prefix}_${base32(world.crypto.hash('sha256', utf8(`${home ?? ''} ${request.callId} ${part}`))).slice(0, 26)}`;
      const session = derive('ses', '');
      const outcome = ok<VerbReply<'voice.report'>>({ session });
      const also = (request.also ?? []).map((one) => one.to);
      const parties = (await resolver.parties([request.from, request.to, ...also])).map((party) =>
        // A gateway speaks for its own house: no other home pays for, or sees, what it tells.
        principal.kind === 'gateway' && party.line?.home !== home ? { asked: party.asked, direct: false } : party,
      );
      const legs = houseLegs(request, parties, home, derive);
      const rows = houseRows(session, request, legs, parties, home);
      const kept = await runtime.file(rows, remember<'voice.report'>(asked, outcome, world.clock.wall()));
      if (!kept) world.log.debug('session.folded-before', { session });
      return outcome;
    },
  };
}

/** The legs of a call switched elsewhere; its ids follow from the call, so that telling it twice makes one record. */
function houseLegs(
  request: VerbRequest<'voice.report'>,
  parties: readonly PartyFacts[],
  home: string | undefined,
  derive: (prefix: string, part: string) => string,
): LegPlan[] {
  const [from, to, ...others] = parties as [PartyFacts, PartyFacts, ...PartyFacts[]];
  const { hidden = false } = request;
  const by = home === undefined ? 'the softswitch, while the session manager was away' : 'the gateway of the house';
  const leg = (role: 'caller' | 'callee' | 'rung', party: PartyFacts, n = ''): LegPlan => ({
    id: derive('leg', `${role}${n}`),
    kind: 'voice',
    orientation: 'voice',
    server: 'softswitch',
    why: `voice-oriented: switched by ${by}`,
    role,
    channel: 'switched',
    party: role === 'caller' && hidden ? WITHHELD : (party.line?.number ?? party.asked),
    ...(party.line === undefined ? {} : { home: party.line.home, line: party.line.id }),
    from: role !== 'caller' && hidden ? WITHHELD : (from.line?.number ?? request.from),
    to: role === 'rung' ? (party.line?.number ?? party.asked) : (to.line?.number ?? to.outside ?? request.to),
    reserve: [],
  });
  const payer = from.line?.home;
  const paid = payer === undefined ? {} : { payer };
  const rung = others.map((party, n) => ({ ...leg('rung', party, ` ${n}`), ...paid }));
  return [leg('caller', from), { ...leg('callee', to), ...paid }, ...rung];
}

function houseRows(
  session: string,
  request: VerbRequest<'voice.report'>,
  legs: readonly LegPlan[],
  parties: readonly PartyFacts[],
  home: string | undefined,
): JournalRow[] {
  const { callId, startedAt, reason } = request;
  const answeredAt = request.answeredAt === undefined ? undefined : Math.max(startedAt, request.answeredAt);
  const endedAt = Math.max(request.endedAt, answeredAt ?? startedAt);
  const homes = [
    ...new Set([...(home === undefined ? [] : [home]), ...parties.flatMap((one) => one.line?.home ?? [])]),
  ];
  const [caller, callee, ...others] = legs as [LegPlan, LegPlan, ...LegPlan[]];
  const states: SessionState['legs'] = legs.map(({ dscp: _, ...plan }) => ({
    ...plan,
    state: 'starting',
    startedAt,
    reserved: {},
    ...(answeredAt === undefined || others.some(({ id }) => id === plan.id) ? {} : { answeredAt }),
  }));
  const rows: JournalRow[] = [
    { session, seq: 1, type: 'created', at: startedAt, data: { kind: 'house-call', request, homes, legs } },
  ];
  if (answeredAt !== undefined) {
    const data = { callId, at: answeredAt, also: [caller.id] };
    rows.push({ session, seq: 2, type: 'answered', at: answeredAt, leg: callee.id, data });
  }
  const records = states.map((leg, n) => {
    const other = request.also?.[n - 2];
    return other === undefined
      ? recordOf(leg, endedAt, reason)
      : recordOf(leg, Math.max(startedAt, other.endedAt), other.reason);
  });
  rows.push({ session, seq: rows.length + 1, type: 'ended', at: endedAt, cause: reason, data: { records } });
  return rows;
}
