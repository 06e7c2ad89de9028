/**
 * Calls that phones made, taken over for live commands: their sound goes through media endpoints of ours (a re-INVITE to each side whose
 * description passed untouched), and the two sides become channels of their own that the session manager instructs.
 */
import type { Bus } from '#cloud/bus/bus.ts';
import { CALLER, type Party, restoredCall } from '#shared/call/call.ts';
import { partable } from '#shared/call/call-part.ts';
import { revised, versionOf } from '#shared/call/direction.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Calls } from './calls.ts';
import type { Callee, Live } from './live.ts';
import { BUS_LIMIT, join, SELF } from './media.ts';
import type { Reporter } from './reporter.ts';

/** Milliseconds that a phone may take to answer a re-INVITE of ours. */
const RENEW_WITHIN = 8_000;

export interface TakeOverOptions {
  readonly bus: Bus;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly sip: SipPort;
  readonly reporter: Reporter;
  readonly newId: (prefix: 'chn') => string;
}

type Parted = Result<VerbReply<'channel.part'>, Fault>;
type Moved = Result<VerbReply<'channel.move'>, Fault>;

export class TakeOver {
  readonly #o: TakeOverOptions;
  /** Sessions that are being taken over: a repeated instruction gets the same outcome. */
  readonly #parting = new Map<string, Promise<Parted>>();

  constructor(options: TakeOverOptions) {
    this.#o = options;
  }

  part(session: string): Promise<Parted> {
    const known = this.#parting.get(session);
    if (known !== undefined) return known;
    const work = this.#part(session).finally(() => this.#parting.delete(session));
    this.#parting.set(session, work);
    return work;
  }

  async #part(session: string): Promise<Parted> {
    const lives = [...this.#o.calls.all()].filter((live) => live.session === session);
    const whole = lives.find((live) => live.state.callerLeg !== undefined && live.state.winner !== undefined);
    if (whole === undefined) return this.#parted(lives);
    const anchored = whole.state.relay ? ok({}) : await this.#anchor(whole);
    if (!anchored.ok) return anchored;
    if (!partable(whole.state)) return err(fault('conflict', 'The phones are just changing this call; try again.'));
    const held = (party: Party) => whole.state.sides.get(party)?.told !== 'sendrecv';
    const [callerHeld, calleeHeld] = [held(CALLER), held(whole.state.winner ?? '')];
    const far = this.#split(whole);
    const { snapshots, music } = this.#o.calls;
    await snapshots.save(whole, far);
    await music.settled(whole);
    // Who put the other on hold is at another channel now, and can take nobody off it.
    if (callerHeld) await this.#renew(whole, CALLER);
    if (calleeHeld) await this.#renew(far, far.state.winner ?? '');
    return this.#parted([whole, far]);
  }

  /** The endpoints of channels that stand alone. */
  async #parted(lives: readonly Live[]): Promise<Parted> {
    const legs: { leg: string; endpoint: string }[] = [];
    for (const live of lives) {
      const leg = live.state.at === 'up' ? sideOf(live)?.leg : undefined;
      if (leg === undefined) continue;
      const endpoint = await this.#o.calls.endpointOf(live, leg);
      if (endpoint === undefined) return err(fault('server_unavailable', undefined, { server: 'media' }));
      legs.push({ leg, endpoint });
    }
    return legs.length === 0 ? err(fault('not_found', 'No channel of this session is up.')) : ok({ legs });
  }

  /** Both phones are asked to send their sound to endpoints of ours. One that refuses leaves the call as it was. */
  async #anchor(live: Live): Promise<Result<object, Fault>> {
    const { calls } = this.#o;
    const { callerLeg, winner = '' } = live.state;
    const direct = callerLeg?.sdp;
    calls.feed(live, { on: 'relay', relay: true });
    if (!live.state.relay) return err(fault('conflict', 'The phones are just changing this call; try again.'));
    if (!(await this.#renew(live, CALLER))) {
      calls.feed(live, { on: 'relay', relay: false });
      return err(fault('conflict', 'The calling phone refused to send its sound to the media server.'));
    }
    if (await this.#renew(live, winner)) return this.#join(live);
    calls.feed(live, { on: 'relay', relay: false });
    if (direct !== undefined) {
      const version = (live.versions.get(CALLER) ?? versionOf(direct)) + 1;
      calls.feed(live, { on: 'restore', party: CALLER, sdp: revised(direct, version) });
    }
    return err(fault('conflict', 'The called phone refused to send its sound to the media server.'));
  }

  /** Resolves with what became of the offer. */
  #renew(live: Live, party: Party, leg?: string): Promise<boolean> {
    const { calls, clock } = this.#o;
    return new Promise((resolve) => {
      const late = clock.at(clock.mono() + RENEW_WITHIN, () => resolve(false));
      calls.onRenewed(live, party, (done) => {
        late.cancel();
        resolve(done);
      });
      calls.feed(live, { on: 'renew', party, ...(leg === undefined ? {} : { leg }) });
    });
  }

  async #join(live: Live): Promise<Result<object, Fault>> {
    const { calls, bus } = this.#o;
    const legs = [live.state.callerLeg?.id ?? '', live.state.branches.get(live.state.winner ?? '')?.leg ?? ''];
    const [a, b] = await Promise.all(legs.map((leg) => calls.endpointOf(live, leg)));
    if (a === undefined || b === undefined) return err(fault('server_unavailable', undefined, { server: 'media' }));
    const hindered = await join(bus, a, b);
    return hindered === undefined ? ok({}) : err(hindered);
  }

  /** The called side becomes a call of its own; what stays is the calling side. */
  #split(live: Live): Live {
    const { calls, clock, newId, sip } = this.#o;
    const winner = live.state.winner ?? '';
    const branch = live.state.branches.get(winner);
    const handle = live.handles.get(winner);
    if (branch === undefined || handle === undefined) throw new Error('a call with two sides has both');
    const callee = { leg: branch.leg, branch: winner, to: branch.to };
    const far: Live = {
      id: newId('chn'),
      state: restoredCall<Callee>({ callee, relay: true, owned: false }),
      session: live.session,
      autonomous: false,
      caller: live.caller,
      hidden: live.hidden,
      direct: live.direct,
      open: false,
      dialled: live.dialled,
      callId: sip.endpoint.dialogId(handle)?.callId ?? '',
      handles: new Map(),
      versions: new Map(),
      counted: [],
      startedAt: live.startedAt,
      answeredAt: live.answeredAt ?? clock.wall(),
      due: NEVER,
    };
    calls.add(far);
    calls.hand(live, winner, far, branch.to.line?.id ?? branch.to.trunk?.trunk.id ?? '');
    calls.feed(live, { on: 'part' });
    return far;
  }

  /**
   * A channel goes from one session into another, as a leg of it: its phone is offered the endpoint of that leg. The session that it
   * leaves hears that its leg was transferred.
   */
  async move({ session, leg, from }: VerbRequest<'channel.move'>): Promise<Moved> {
    const { calls, reporter, clock, bus } = this.#o;
    const there = calls.withLeg(session, leg);
    if (there !== undefined) return ok({ channel: there.id, callId: there.callId });
    const live = calls.withLeg(from.session, from.leg);
    const side = live === undefined ? undefined : sideOf(live);
    if (live === undefined || side === undefined || live.state.at !== 'up') {
      return err(fault('not_found', 'There is no such channel.'));
    }
    live.session = session;
    if (!(await this.#renew(live, side.party, leg))) {
      live.session = from.session;
      calls.feed(live, { on: 'renew', party: side.party, leg: from.leg });
      return err(fault('conflict', 'The phone refused to go over to the other call.'));
    }
    const at = clock.wall();
    await calls.snapshots.save(live);
    await reporter.leg({ session: from.session, leg: from.leg, event: 'ended', at, reason: 'transferred' });
    await bus.request('media.endpoint.release', from, SELF, BUS_LIMIT);
    await reporter.leg({ session, leg, event: 'answered', at, callId: live.callId });
    return ok({ channel: live.id, callId: live.callId });
  }
}

/** The one side of a channel. */
function sideOf(live: Live): { readonly party: Party; readonly leg: string } | undefined {
  const { callerLeg, winner, branches } = live.state;
  if (callerLeg !== undefined) return winner === undefined ? { party: CALLER, leg: callerLeg.id } : undefined;
  const leg = winner === undefined ? undefined : branches.get(winner)?.leg;
  return winner === undefined || leg === undefined ? undefined : { party: winner, leg };
}
