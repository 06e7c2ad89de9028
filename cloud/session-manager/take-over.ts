/** Finding the session that a live command is for, judging who may steer it, and taking a call of phones into our hands. */
import type { Context, Principal } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees } from '#cloud/store/directory.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { seesSession } from './access.ts';
import { readSession } from './journal.ts';
import type { Live } from './live.ts';
import { SELF } from './outbox.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState, liveLegs, type SessionState } from './session.ts';

/** Milliseconds that phones may take to send their sound to us. */
const PART_WITHIN = 20_000;

const NOT_FOUND = err(fault('not_found', 'There is no such call, or not for this credential.'));

export interface Steerable {
  readonly live: Live;
  /** The leg that was named, or undefined for all. */
  readonly leg?: LegState;
}

export interface Finder {
  /** The session, ended ones too, if the asker may see it. */
  session(id: string, asked: Context): Promise<SessionState | undefined>;
  /** A living session that the asker may steer, and its leg. */
  steerable(id: string, leg: string | undefined, asked: Context): Promise<Result<Steerable, Fault>>;
  /** The same for a command that needs answered legs whose sound is in our hands. */
  talking(id: string, leg: string | undefined, asked: Context): Promise<Result<Steerable, Fault>>;
  /** Makes channels of ours of a call that phones made; nothing for any other. */
  takeOver(live: Live): Promise<Result<object, Fault>>;
}

export function createFinder({ store, bus }: PartContext, runtime: Runtime): Finder {
  async function session(id: string, { principal }: Context): Promise<SessionState | undefined> {
    const state = runtime.lives.get(id)?.state ?? (await readSession(store, id));
    return state !== undefined && seesSession(principal, state.homes) ? state : undefined;
  }

  async function takeOver(live: Live): Promise<Result<object, Fault>> {
    const switched = liveLegs(live.state).filter((leg) => leg.channel === 'switched');
    if (switched.length === 0) return ok({});
    if (switched.some((leg) => leg.state !== 'up')) return err(fault('conflict', 'This call is not answered yet.'));
    const parted = await bus.request('channel.part', { session: live.state.id }, SELF, PART_WITHIN);
    if (!parted.ok) return parted;
    const legs = Object.fromEntries(parted.value.legs.map(({ leg, endpoint }) => [leg, { endpoint }]));
    await runtime.step(live.state.id, { on: 'taken', legs });
    return isOver(live.state) ? err(fault('conflict', 'The call has just ended.')) : ok({});
  }

  async function steerable(id: string, leg: string | undefined, asked: Context): Promise<Result<Steerable, Fault>> {
    const state = await session(id, asked);
    if (state === undefined) return NOT_FOUND;
    const live = runtime.lives.get(id);
    if (live === undefined || isOver(live.state)) return err(fault('conflict', 'This call has ended.'));
    const found = leg === undefined ? undefined : findLeg(live.state, leg);
    if (leg !== undefined && found === undefined) return err(fault('not_found', 'This call has no such leg.'));
    if (!maySteer(asked.principal, live.state, found)) return err(fault('forbidden', 'This leg is not of your home.'));
    return ok({ live, ...(found === undefined ? {} : { leg: found }) });
  }

  return {
    session,
    steerable,
    takeOver,
    async talking(id, leg, asked) {
      const found = await steerable(id, leg, asked);
      if (!found.ok) return found;
      const { live } = found.value;
      const legs = found.value.leg === undefined ? voices(live.state) : [found.value.leg];
      if (legs.length === 0 || legs.some((one) => one.kind !== 'voice' || one.state !== 'up')) {
        return err(fault('conflict', 'This needs an answered voice leg.'));
      }
      const taken = await takeOver(live);
      return taken.ok ? found : taken;
    },
  };
}

const isOver = ({ state }: SessionState): boolean => state === 'ending' || state === 'ended';

/** Voice legs that are answered. */
export function voices(state: SessionState): LegState[] {
  return liveLegs(state).filter((leg) => leg.kind === 'voice' && leg.state === 'up');
}

/** Who began a session steers all of it; anybody else the legs of the own home. */
export function maySteer(principal: Principal, { legs }: SessionState, leg: LegState | undefined): boolean {
  if (principal.kind === 'part' || (principal.kind === 'account' && principal.homes === 'all')) return true;
  const owner = legs[0]?.home;
  if (owner !== undefined && sees(principal, owner)) return true;
  return leg?.home !== undefined && sees(principal, leg.home);
}
