/** The softswitch's verbs: channels that the session manager opens and closes, and what exists. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { CALLER, type Target } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type Fault, type FaultCode, fault, faults } from '#shared/protocol/fault.ts';
import type { VerbRequest, VerbsOf } from '#shared/protocol/verbs/index.ts';
import type { Calls } from './calls.ts';
import type { Lines } from './lines.ts';
import { type Callee, type Live, newLive } from './live.ts';
import type { Location } from './location.ts';
import type { Refers } from './refers.ts';
import type { Router } from './routing.ts';
import type { TakeOver } from './take-over.ts';

export interface ChannelsOptions {
  readonly calls: Calls;
  readonly takeOver: TakeOver;
  readonly refers: Refers;
  readonly lines: Lines;
  readonly location: Location;
  readonly router: Router;
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly newId: (prefix: 'chn') => string;
}

type Verbs = Extract<VerbsOf<'softswitch'>, `channel.${string}`>;
type Open = VerbRequest<'channel.open'>;
type Opened = Result<{ channel: string; callId: string }, Fault>;

export class Channels {
  readonly #o: ChannelsOptions;
  /** Instructions under way, by session and leg: a repeated one gets the same outcome. */
  readonly #opening = new Map<string, Promise<Opened>>();

  constructor(options: ChannelsOptions) {
    this.#o = options;
  }

  handlers(): Pick<Handlers<'softswitch'>, Verbs> {
    return {
      'channel.open': async (request, { principal }) =>
        principal.kind === 'part' ? this.#once(request) : err(fault('forbidden')),
      'channel.close': async ({ session, leg, reason }, { principal }) => {
        if (principal.kind !== 'part') return err(fault('forbidden'));
        const live = this.#o.calls.withLeg(session, leg);
        if (live !== undefined) this.#o.calls.feed(live, { on: 'close', leg, reason });
        return ok({});
      },
      'channel.part': async ({ session }, { principal }) =>
        principal.kind === 'part' ? this.#o.takeOver.part(session) : err(fault('forbidden')),
      'channel.move': async (request, { principal }) =>
        principal.kind === 'part' ? this.#o.takeOver.move(request) : err(fault('forbidden')),
      'channel.notify': async ({ session, leg, status }, { principal }) => {
        if (principal.kind !== 'part') return err(fault('forbidden'));
        this.#o.refers.notify(session, leg, status);
        return ok({});
      },
      'channel.list': async () => ok({ items: [...this.#list()] }),
    };
  }

  #once(request: Open): Promise<Opened> {
    const key = `${request.session} ${request.leg}`;
    const known = this.#opening.get(key);
    if (known !== undefined) return known;
    const work = this.#open(request).finally(() => this.#opening.delete(key));
    this.#opening.set(key, work);
    return work;
  }

  async #open(request: Open): Promise<Opened> {
    const { session, leg, waiting, line, outward } = request;
    const there = this.#o.calls.withLeg(session, leg);
    if (there !== undefined && there.id !== waiting) return ok({ channel: there.id, callId: there.callId });
    if (waiting !== undefined) return this.#admit(waiting);
    if (outward !== undefined) return this.#callOut(request, outward);
    if (line === undefined) return err(fault('bad_request', 'A channel needs a line or a waiting call.'));
    return this.#ring(request, line);
  }

  /** The call that asked for media is answered with it. */
  #admit(waiting: string): Opened {
    const live = this.#o.calls.get(waiting);
    if (live === undefined || live.state.at !== 'held') return err(fault('callee_offline', 'The caller hung up.'));
    this.#o.calls.feed(live, { on: 'admit' });
    return ok({ channel: live.id, callId: live.callId });
  }

  async #ring(request: Open, lineId: string): Promise<Opened> {
    const { lines, router } = this.#o;
    const line = await lines.byId(lineId);
    if (line === undefined) return err(fault('callee_unknown'));
    await this.#o.location.refresh?.(line.id);
    await router.ensure(line);
    const target = request.join === undefined ? router.target(request.leg, line) : this.#joined(request, request.join);
    if (target === undefined) return err(fault('callee_offline', 'The leg to be joined has no channel at a gateway.'));
    return this.#opened(this.#newLive(request, line.number), target, request.ringFor);
  }

  /** Rings a number outside; the line that answers for it may be barred from that. */
  async #callOut(request: Open, { number, owner, hidden }: NonNullable<Open['outward']>): Promise<Opened> {
    const { router, lines } = this.#o;
    const live = this.#newLive(request, number);
    const target = await router.outward(request.leg, number, await lines.byId(owner), live, hidden);
    return this.#opened(live, target, request.ringFor);
  }

  #newLive(request: Open, dialled: string): Live {
    return newLive({
      id: this.#o.newId('chn'),
      session: request.session,
      caller: {
        number: request.caller.number,
        ...(request.caller.name === undefined ? {} : { name: request.caller.name }),
      },
      hidden: request.caller.hidden,
      referredBy: request.referredBy,
      direct: false,
      open: false,
      dialled,
      callId: '',
      startedAt: this.#o.clock.wall(),
    });
  }

  /** Resolves once the first INVITE is out, or none will be. */
  async #opened(live: Live, target: Target<Callee>, ringFor: number): Promise<Opened> {
    const outcome = new Promise<{ readonly callId: string } | { readonly failed: string }>((resolve) => {
      live.opened = resolve;
    });
    this.#o.calls.add(live);
    this.#o.calls.feed(live, { on: 'open', target, ringFor });
    const opened = await outcome;
    if ('callId' in opened) return ok({ channel: live.id, callId: opened.callId });
    return err(fault(isFault(opened.failed) ? opened.failed : 'callee_offline'));
  }

  /**
   * The same phone of the same gateway as the leg that is to be joined: its edge finds the dialog by Join (RFC 3911 section 4: to-tag
   * is the tag of who gets the INVITE) and mixes both for the phone.
   */
  #joined(request: Open, join: string): Target<Callee> | undefined {
    const { calls, sip, newId } = this.#o;
    const other = calls.withLeg(request.session, join);
    // The instruction may come while the answer is still being recorded.
    if (other === undefined || (other.state.at !== 'up' && other.state.at !== 'answering')) return undefined;
    const party = other.state.callerLeg?.id === join ? CALLER : other.state.winner;
    const handle = party === undefined ? undefined : other.handles.get(party);
    const dialog = handle === undefined ? undefined : sip.endpoint.dialogId(handle);
    const callee = party === undefined ? undefined : this.#behind(other, party);
    if (dialog?.remoteTag === undefined || callee?.contact.gateway === undefined) return undefined;
    const value = `${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`;
    const headers = [['Join', value] as const, ['Require', 'join'] as const];
    return { leg: request.leg, branches: [{ branch: newId('chn'), to: { ...callee, headers } }] };
  }

  #behind(other: Live, party: string): Callee | undefined {
    if (party !== CALLER) return other.state.branches.get(party)?.to;
    const { line, flow, gateway } = other;
    if (line === undefined || flow === undefined) return undefined;
    const contacts = this.#o.location.contacts(line.id, this.#o.clock.mono());
    const contact = contacts.find((one) => one.gateway !== undefined && one.gateway === gateway);
    return contact === undefined ? undefined : { contact, line };
  }

  *#list() {
    for (const live of this.#o.calls.all()) {
      const { callerLeg, legs, at } = live.state;
      for (const leg of [...(callerLeg === undefined ? [] : [callerLeg]), ...legs.values()]) {
        if (leg.at === 'ended') continue;
        const state = at === 'up' ? ('up' as const) : ('ringing' as const);
        const { session, callId, autonomous, answeredAt, startedAt } = live;
        yield { session, leg: leg.id, callId, state, autonomous, since: answeredAt ?? startedAt };
      }
    }
  }
}

function isFault(code: string): code is FaultCode {
  return Object.hasOwn(faults, code);
}
