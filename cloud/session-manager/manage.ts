/** The verbs on a session that exists: show, list, follow, add and remove legs, end. */
import type { Context, Handlers, Principal } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees, visibleHomes } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Err, err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { notTheirs, seesSession } from './access.ts';
import { correct } from './create.ts';
import type { Carried, LegPlan } from './events.ts';
import { listSessions, readRows, readSession } from './journal.ts';
import type { Live } from './live.ts';
import { EVERYBODY, isMessageKind, messageLines } from './message-leg.ts';
import { SELF } from './outbox.ts';
import { planAdded, ROOM_SIZE } from './plan-conference.ts';
import { as, type Resolver } from './resolve.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, liveLegs, newLeg, type SessionState } from './session.ts';
import { type Finder, maySteer } from './take-over.ts';
import { legView, view } from './view.ts';
import { isWithheld, rowWithoutCaller, withoutCaller } from './withheld.ts';

/** Legs that a session may have had, ended ones too. */
export const LEGS_PER_SESSION = 128;
/** Rows of one reply of `session.events`. */
export const EVENTS_AT_ONCE = 500;

type Verbs = 'session.get' | 'session.list' | 'session.end' | 'session.events' | 'leg.add' | 'leg.remove';

const NOT_FOUND = err(fault('not_found', 'There is no such session, or not for this credential.'));
const NOT_THEIRS = err(fault('forbidden', 'Only who began the session does this for others than the own home.'));

export function manageHandlers(
  { store, bus, world }: PartContext,
  runtime: Runtime,
  resolver: Resolver,
  takeOver: Finder['takeOver'],
): Pick<Handlers<'session-manager'>, Verbs> {
  /** The session, if the asker may see it. */
  async function find(id: string, { principal }: Context): Promise<SessionState | undefined> {
    const state = runtime.lives.get(id)?.state ?? (await readSession(store, id));
    return state !== undefined && seesSession(principal, state.homes) ? state : undefined;
  }

  /** What a leg without a channel does at once: lists or wakes by the home networking server as the one who asked, or sends a text. */
  async function use(
    state: SessionState,
    request: VerbRequest<'leg.add'>,
    plan: LegPlan,
    asked: Context,
  ): Promise<Result<unknown, Fault>> {
    const home = plan.home ?? '';
    if (isMessageKind(plan.kind)) {
      const lines = messageLines(state, plan, asked.principal);
      if (!lines.ok) return lines;
      const text = request.text ?? '';
      return bus.request('message.leg', { session: state.id, leg: plan.id, text, ...lines.value }, SELF);
    }
    if (plan.kind !== 'device') return ok(undefined);
    if (request.device === undefined) return bus.request('device.list', { home }, as(asked));
    return bus.request('device.wake', { home, device: request.device }, as(asked));
  }

  async function addLeg(live: Live, request: VerbRequest<'leg.add'>, plan: LegPlan, asked: Context) {
    const { id } = live.state;
    const homes = plan.home === undefined ? [] : [plan.home];
    // A voice leg beside others needs a room, which a call of two has not had.
    const room = plan.kind === 'voice' && live.state.roomSize === undefined ? { roomSize: ROOM_SIZE } : {};
    const wall = world.clock.wall();
    const planned = ok({ leg: legView(newLeg(plan, wall)) });
    await runtime.step(id, { on: 'added', plan, homes, ...room }, remember<'leg.add'>(asked, planned, wall));
    const added = findLeg(live.state, plan.id);
    if (added === undefined) return err(fault('conflict', 'The session is ending.'));
    const refuse = async (refused: Err<Fault>) => {
      await runtime.step(id, { on: 'leg-refused', leg: plan.id, fault: refused.fault }, correct(asked, refused));
      return refused;
    };
    const used = await use(live.state, request, plan, asked);
    if (!used.ok) return refuse(used);
    const taken = await runtime.reserve(live, [added]);
    if (!taken.ok) return refuse(err(taken.fault.fault));
    await runtime.step(id, { on: 'reserved', ...taken.value });
    const outcome = ok({ leg: legView(added), ...(used.value === undefined ? {} : { result: used.value }) });
    await store.commit(correct(asked, outcome));
    return outcome;
  }

  return {
    async 'session.get'({ session }, asked) {
      const state = await find(session, asked);
      return state === undefined ? NOT_FOUND : ok(shown(state, asked.principal, runtime.lives.get(session)?.carried));
    },

    async 'session.list'({ live = false, home, limit = 50, after }, { principal }) {
      if (home !== undefined && !sees(principal, home)) return err(fault('not_found'));
      const homes = home === undefined ? visibleHomes(principal) : [home];
      const states = await listSessions(store, { homes, live, limit, ...(after === undefined ? {} : { after }) });
      const items = states.slice(0, limit).map((state) => shown(state, principal));
      const last = items.at(-1);
      const next = states.length > limit && last !== undefined ? { next: `${last.createdAt}.${last.id}` } : {};
      return ok({ items, ...next });
    },

    async 'session.end'({ session }, asked) {
      const before = await find(session, asked);
      if (before === undefined) return NOT_FOUND;
      const { principal } = asked;
      if (maySteer(principal, before, undefined)) await runtime.step(session, { on: 'end', reason: 'api' });
      // A guest leaves; what goes on without it goes on.
      else
        for (const { id: leg, home } of liveLegs(before))
          if (home !== undefined && sees(principal, home))
            await runtime.step(session, { on: 'remove', leg, reason: 'api' });
      const state = await find(session, asked);
      return state === undefined ? NOT_FOUND : ok({ id: session, state: state.state });
    },

    async 'session.events'({ session, after = 0 }, asked) {
      const state = await find(session, asked);
      if (state === undefined) return NOT_FOUND;
      const read = await readRows(store, session, after, EVENTS_AT_ONCE + 1);
      const rows = isWithheld(asked.principal, state) ? read.map((row) => rowWithoutCaller(row, state)) : read;
      const items = rows.slice(0, EVENTS_AT_ONCE).map(({ cause, ...row }) => ({
        ...row,
        data: cause === undefined ? row.data : { ...row.data, cause },
      }));
      const last = items.at(-1);
      return ok({ items, ...(rows.length > EVENTS_AT_ONCE && last !== undefined ? { next: String(last.seq) } : {}) });
    },

    async 'leg.add'(request, asked) {
      const before = await repeated<'leg.add'>(store, asked);
      if (before !== undefined) return before;
      const state = await find(request.session, asked);
      if (state === undefined) return NOT_FOUND;
      const live = runtime.lives.get(request.session);
      if (live === undefined || (state.state !== 'active' && state.state !== 'created')) {
        return err(fault('conflict', 'The session has ended.'));
      }
      if (state.legs.length >= LEGS_PER_SESSION) {
        return err(fault('limit_reached', `A session may have ${LEGS_PER_SESSION} legs.`));
      }
      const full = request.home === undefined ? { ...request, ...ownHome(state, request, asked) } : request;
      if (full.kind === 'device' && full.home !== undefined && !sees(asked.principal, full.home)) return NOT_FOUND;
      const everybody = isMessageKind(request.kind) && request.party === EVERYBODY;
      const party = request.party === undefined || everybody ? undefined : await resolver.party(request.party);
      if (request.kind === 'media' && party !== undefined) {
        const refused = notTheirs(asked.principal, party);
        if (refused !== undefined) return err(refused);
      }
      // Who began it pays for who is asked in, and everybody hears what goes into the room.
      const isTheirs = maySteer(asked.principal, live.state, undefined);
      if (request.kind === 'voice' && !isTheirs) return NOT_THEIRS;
      // A call that a phone dialled becomes one that a third party can be asked into.
      const ours = request.kind === 'voice' ? await takeOver(live) : ok({});
      if (!ours.ok) return ours;
      const plan = planAdded(live.state, full, party, await resolver.facts());
      if (plan.ok && plan.value.channel === 'room' && !isTheirs) return NOT_THEIRS;
      return plan.ok ? addLeg(live, full, plan.value, asked) : plan;
    },

    async 'leg.remove'({ session, leg }, asked) {
      const state = await find(session, asked);
      const found = state === undefined ? undefined : findLeg(state, leg);
      if (state === undefined || found === undefined) return NOT_FOUND;
      if (!maySteer(asked.principal, state, found)) return NOT_THEIRS;
      await runtime.step(session, { on: 'remove', leg, reason: 'api' });
      return ok({});
    },
  };
}

/** A session as this asker may see it. */
function shown(state: SessionState, principal: Principal, carried?: Carried): VerbReply<'session.get'> {
  const whole = view(state, carried);
  return isWithheld(principal, state) ? withoutCaller(whole) : whole;
}

/** The home that a device leg is for when none is named: the first of the session's that the asker sees. */
function ownHome(state: SessionState, request: VerbRequest<'leg.add'>, { principal }: Context): { home?: string } {
  const home = request.kind === 'device' ? state.homes.find((one) => sees(principal, one)) : undefined;
  return home === undefined ? {} : { home };
}
