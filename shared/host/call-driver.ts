/**
 * Drives calls: steps the pure call machine of each, carries out on the SIP endpoint what goes to phones, and feeds back what
 * comes from them. What a call means to its owner (way, media, records) are the owner's hooks. Used by the softswitch and by the
 * gateway's edge, so that both switch calls by the same code.
 */
import { CALLER, type CallInput, type CallOutput, type CallState, callMachine, type Party } from '#shared/call/call.ts';
import { type Direction, originOf, originVersion, revised, versionOf } from '#shared/call/direction.ts';
import { movedTo, reasonHeader } from '#shared/call/outcome.ts';
import { keepStreams, noteStreams, type Streams } from '#shared/call/streams.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import { Roster } from '#shared/kernel/roster.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import { reasonToPass } from '#shared/sip/reason.ts';
import type { CallHandle, EndpointOutput, Flow, InviteOptions, SipEndpoint } from '#shared/sip/types.ts';
import { inputOf, refusing, saying } from './call-news.ts';

/** The SIP side as calls see it. */
export interface SipPort {
  readonly endpoint: SipEndpoint;
  /** Runs one command of the endpoint and carries out what it wants done. */
  act<T>(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => T): T;
  /** Our Contact URI on that flow. */
  contact(flow: Flow): string;
}

/** A call as a driver holds it; owners add what is theirs. `T` is whom a branch rings. */
export interface DrivenCall<T> extends Streams {
  readonly id: string;
  readonly state: CallState<T>;
  /** The caller's flow; absent where the call was opened from outside. */
  readonly flow?: Flow | undefined;
  /** The flow of who took the call while it rang. */
  takerFlow?: Flow | undefined;
  readonly handles: Map<Party, CallHandle>;
  /** Version of the last description sent to a party (RFC 3264 section 8). */
  readonly versions: Map<Party, number>;
  /** The `o=` line that a party was shown while descriptions passed untouched: it stays when they no longer do. */
  origins?: Map<Party, string> | undefined;
  /** Parties that were once shown another version than the other side's own. */
  ahead?: Set<Party> | undefined;
  /** What the side that ended it said of that, for the others (value of Reason). */
  said?: string | undefined;
  timer?: Timer | undefined;
  /** When the timer runs; the deadline is then or later. */
  due: number;
}

type Media<T> = Extract<CallOutput<T>, { do: 'media' }>;
type Report<T> = Extract<CallOutput<T>, { do: 'report' }>;
type Invite<T> = Extract<CallOutput<T>, { do: 'invite' }>;
type Music<T> = Extract<CallOutput<T>, { do: 'music' }>;
export type MediaReply = { readonly sdp?: string } | { readonly failed: number };

export interface CallHooks<T, C extends DrivenCall<T>> {
  /** Looks for the way of a new call and feeds `routed`, `held` or `refused`. */
  route(call: C): Soon<void>;
  /** What a side means by the URI to which it sends the call; undefined: that is not followed, and the side just did not take the call. */
  moved(call: C, party: Party, uri: string): string | undefined;
  /** Looks for another way and feeds `rerouted` or `refused`; `moved`: where a side sends the call, as that hook read it. */
  reroute(call: C, leg: string, reason: string, moved?: string): Promise<void>;
  media(call: C, ask: Media<T>): Promise<MediaReply>;
  connect(call: C, caller: string, leg: string): Promise<void>;
  release(call: C, leg: string): Promise<void>;
  /** For `answered` it resolves once that is recorded. */
  report(call: C, report: Report<T>): Soon<unknown>;
  /** Or the status with which nobody is invited. */
  inviteOptions(call: C, invite: Invite<T>): InviteOptions | number;
  /** An INVITE is out. */
  invited?(call: C, invite: Invite<T>): void;
  up(call: C): void;
  /** A side took a new offer of its endpoint, or did not. */
  renewed?(call: C, party: Party, ok: boolean): void;
  /** A side was offered something else, such as a hold: what is kept of the call is to be written anew. */
  reoffered?(call: C): void;
  /** Whether whom this side holds is to hear music; default: no. Asked where a side describes itself anew. */
  plays?(call: C, party: Party): boolean;
  /** The music of a leg begins or ends. */
  music?(call: C, music: Music<T>): void;
  /** The call is forgotten. */
  over(call: C, outcome: { readonly answered: boolean; readonly reason: string }): void;
}

export class CallDriver<T, C extends DrivenCall<T>> {
  readonly #sip: SipPort;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hooks: CallHooks<T, C>;
  readonly #failed: string;
  readonly #inputs: { readonly call: C; readonly input: CallInput<T> | typeof TICK }[] = [];
  #busy = false;
  readonly #machine = callMachine<T>();
  readonly #calls = new Roster<string, C>();
  readonly #byHandle = new Roster<CallHandle, { readonly call: C; readonly party: Party }>();

  constructor(options: {
    readonly sip: SipPort;
    readonly clock: Clock;
    readonly log: Log;
    readonly hooks: CallHooks<T, C>;
    /** Name in the log of work that failed. */
    readonly failed?: string;
  }) {
    this.#sip = options.sip;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#hooks = options.hooks;
    this.#failed = options.failed ?? 'call.failed';
  }

  get size(): number {
    return this.#calls.size;
  }

  all(): Iterable<C> {
    return this.#calls.values();
  }

  get(id: string): C | undefined {
    return this.#calls.get(id);
  }

  ofHandle(handle: CallHandle): { readonly call: C; readonly party: Party } | undefined {
    return this.#byHandle.get(handle);
  }

  add(call: C, caller?: CallHandle): void {
    this.#calls.set(call.id, call);
    if (caller !== undefined) this.bind(call, CALLER, caller);
  }

  bind(call: C, party: Party, handle: CallHandle): void {
    const before = call.handles.get(party);
    if (before !== undefined) this.#byHandle.delete(before);
    call.handles.set(party, handle);
    this.#byHandle.set(handle, { call, party });
  }

  /** A side of a call goes on as another call, which has been added. */
  hand(from: C, party: Party, to: C): void {
    const handle = from.handles.get(party);
    if (handle === undefined) return;
    from.handles.delete(party);
    this.bind(to, party, handle);
    to.versions.set(party, from.versions.get(party) ?? 1);
    const origin = from.origins?.get(party);
    if (origin !== undefined) to.origins = new Map([[party, origin]]);
    const streams = from.streams?.get(party);
    if (streams !== undefined) to.streams = new Map([[party, streams]]);
  }

  /** The caller of `from` takes `to` while it rings, as `branch` on `leg`; `from` is over then. False where `from` made no offer. */
  pickUp(from: C, to: C, as: { readonly branch: string; readonly leg: string; readonly to: T }): boolean {
    const { offer: sdp } = from.state;
    const handle = sdp === undefined ? undefined : this.loosen(from, CALLER);
    if (sdp === undefined || handle === undefined) return false;
    this.bind(to, as.branch, handle);
    if (from.flow !== undefined) to.takerFlow = from.flow;
    this.feed(to, { on: 'taken', ...as, sdp });
    return true;
  }

  /** A side leaves a call without a word to it; its handle is the caller's now. */
  loosen(call: C, party: Party): CallHandle | undefined {
    const handle = call.handles.get(party);
    call.handles.delete(party);
    if (handle !== undefined) this.#byHandle.delete(handle);
    return handle;
  }

  /** Inputs that come while outputs are carried out wait for their turn, so that outputs stay in order. */
  feed(call: C, input: CallInput<T> | typeof TICK): void {
    const waits = this.#busy || this.#inputs.length > 0;
    if (waits) this.#inputs.push({ call, input });
    if (this.#busy) return;
    this.#busy = true;
    try {
      if (!waits) this.#step(call, input);
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift())
        this.#step(next.call, next.input);
    } finally {
      this.#busy = false;
    }
  }

  #step(call: C, input: CallInput<T> | typeof TICK): void {
    const out: CallOutput<T>[] = [];
    this.#machine.step(call.state, input, this.#clock.mono(), out);
    for (const one of out) this.#carryOut(call, one);
    this.#arm(call);
  }

  /** What the endpoint says of a call; true where it was one of ours. */
  take(output: Extract<EndpointOutput, { call: CallHandle }>): boolean {
    const found = this.#byHandle.get(output.call);
    if (found === undefined) return false;
    const { call, party } = found;
    if ('sdp' in output && output.sdp !== undefined) noteStreams(call, party, output.sdp);
    const says = output.do === 'offer' || (output.do === 'confirmed' && output.sdp !== undefined);
    const music = says ? this.#hooks.plays?.(call, party) : undefined;
    const isSide = party === CALLER || party === call.state.winner;
    if (output.do === 'ended' && isSide && output.message !== undefined) call.said = reasonToPass(output.message);
    const input = output.do === 'failed' ? this.#lost(call, party, output) : inputOf<T>(output, party, music);
    if (input !== undefined) this.feed(call, input);
    return true;
  }

  #lost(call: C, branch: Party, { status, message }: Extract<EndpointOutput, { do: 'failed' }>): CallInput<T> {
    if (message === undefined) return { on: 'failed', branch, status, silent: true };
    const uri = movedTo(message);
    return {
      on: 'failed',
      branch,
      status,
      moved: uri === undefined ? undefined : this.#hooks.moved(call, branch, uri),
    };
  }

  /** Lets go of timers; the calls themselves are left as they are. */
  rest(): void {
    for (const call of this.#calls.values()) call.timer?.cancel();
  }

  /** Work of a call that nobody waits for: its failure is told to the log. */
  later(work: Soon<unknown>): void {
    if (!(work instanceof Promise)) return;
    work.catch((error: unknown) => {
      this.#log.error(this.#failed, { error: error instanceof Error ? (error.stack ?? '') : String(error) });
    });
  }

  /** A timer that runs before the deadline stays: most deadlines move on, and it looks again then. */
  #arm(call: C): void {
    const due = this.#machine.due(call.state);
    if (due >= call.due) return;
    call.timer?.cancel();
    call.due = due;
    call.timer = this.#clock.at(due, () => {
      call.due = NEVER;
      call.timer = undefined;
      if (this.#machine.due(call.state) <= this.#clock.mono()) this.feed(call, TICK);
      else this.#arm(call);
    });
  }

  #carryOut(call: C, o: CallOutput<T>): void {
    const hooks = this.#hooks;
    if (o.do === 'route') this.later(hooks.route(call));
    else if (o.do === 'reroute') this.later(hooks.reroute(call, o.leg, o.reason, o.moved));
    else if (o.do === 'media') this.later(hooks.media(call, o).then((reply) => this.#answered(call, o, reply)));
    else if (o.do === 'connect') this.later(hooks.connect(call, o.caller, o.leg));
    else if (o.do === 'release') this.later(hooks.release(call, o.leg));
    else if (o.do === 'report') this.#report(call, o);
    else if (o.do === 'over') this.#over(call, o);
    else if (o.do === 'renewed') hooks.renewed?.(call, o.party, o.ok);
    else if (o.do === 'music') hooks.music?.(call, o);
    else if (o.do === 'invite') this.#invite(call, o);
    else if (o.do === 'up') {
      this.#dropLosers(call);
      this.#confirm(call);
      hooks.up(call);
    } else {
      this.#signal(call, o);
      if (o.do === 'reoffer') hooks.reoffered?.(call);
    }
  }

  #answered(call: C, ask: Media<T>, reply: MediaReply): void {
    this.feed(call, { on: 'media', op: ask.op, ...this.#turned(reply, ask) });
  }

  #report(call: C, report: Report<T>): void {
    const told = this.#hooks.report(call, report);
    if (report.event !== 'answered') this.later(told);
    else if (told instanceof Promise) this.later(told.then(() => this.feed(call, { on: 'recorded' })));
    else this.feed(call, { on: 'recorded' });
  }

  /** A description that media gave, with the direction that the call wants in it. */
  #turned(reply: MediaReply, ask: Media<T>): MediaReply {
    if (!('sdp' in reply) || reply.sdp === undefined || ask.direction === undefined) return reply;
    return { sdp: revised(reply.sdp, versionOf(reply.sdp), ask.direction) };
  }

  /** What goes straight to the endpoint. */
  #signal(
    call: C,
    o: Extract<
      CallOutput<T>,
      { do: 'progress' | 'answer' | 'reject' | 'hangup' | 'reoffer' | 'accept-offer' | 'refuse-offer' }
    >,
  ): void {
    const party = 'party' in o ? o.party : CALLER;
    const handle = call.handles.get(party);
    if (handle === undefined) return;
    this.#sip.act((endpoint, now, out) => {
      switch (o.do) {
        case 'progress':
          if (o.sdp !== undefined) this.#describes(call, party, o.sdp);
          return endpoint.progress(handle, o.status, saying(this.#contact(call, party), o.sdp), now, out);
        case 'answer':
          this.#describes(call, o.party, o.sdp);
          return endpoint.answer(handle, { contact: this.#contact(call, party) ?? '', sdp: o.sdp }, now, out);
        case 'reject':
          return endpoint.reject(handle, o.status, refusing(o), now, out);
        case 'hangup':
          return endpoint.hangup(handle, call.said ?? reasonHeader(o.reason), now, out);
        case 'reoffer':
          if (o.early === true && o.sdp !== undefined)
            return endpoint.offerEarly(handle, keepStreams(call, party, o.sdp), now, out);
          return endpoint.reoffer(handle, o.sdp && this.#nextVersion(call, o.party, o.sdp), now, out);
        case 'accept-offer':
          return endpoint.acceptOffer(handle, this.#nextVersion(call, o.party, o.sdp, o.direction), now, out);
        case 'refuse-offer':
          return endpoint.refuseOffer(handle, o.status, now, out);
      }
    });
  }

  #contact(call: C, party: Party): string | undefined {
    const flow = party === CALLER ? call.flow : call.takerFlow;
    return flow && this.#sip.contact(flow);
  }

  #invite(call: C, o: Invite<T>): void {
    const options = this.#hooks.inviteOptions(call, o);
    if (typeof options === 'number') {
      this.feed(call, { on: 'failed', branch: o.branch, status: options });
      return;
    }
    this.#sip.act((endpoint, now, out) => {
      // The handle is known before anything of the call can be heard.
      this.bind(call, o.branch, endpoint.invite(options, now, out));
      this.#describes(call, o.branch, o.sdp);
    });
    this.#hooks.invited?.(call, o);
  }

  /** The first description that a party gets. */
  #describes(call: C, party: Party, sdp: string): void {
    noteStreams(call, party, sdp);
    const origin = originOf(sdp);
    call.versions.set(party, Math.max(originVersion(origin), call.versions.get(party) ?? 0));
    if (origin === undefined || call.state.relay) return;
    call.origins ??= new Map();
    call.origins.set(party, origin);
  }

  #nextVersion(call: C, party: Party, sdp: string, direction?: Direction): string {
    const before = call.origins?.get(party);
    // Versions of one `o=` line grow by one; where the session is ours alone they may also jump.
    const next = (call.versions.get(party) ?? 0) + 1;
    const version = before === undefined || !call.state.relay ? Math.max(versionOf(sdp), next) : next;
    call.versions.set(party, version);
    if (direction !== undefined) {
      call.ahead ??= new Set();
      call.ahead.add(party);
    }
    // What passes from phone to phone counts its own versions.
    const own = call.state.relay || call.ahead?.has(party) === true;
    return keepStreams(call, party, own ? revised(sdp, version, direction, before) : sdp);
  }

  /** Who answered hears that it was heard, where its INVITE was `held`. */
  #confirm(call: C): void {
    const winner = call.handles.get(call.state.winner ?? '');
    if (winner !== undefined) this.#sip.act((endpoint, now, out) => endpoint.confirm(winner, now, out));
  }

  /** Branches that lost are of no use once a call is up, and their names go. */
  #dropLosers(call: C): void {
    for (const [party, handle] of call.handles) {
      if (party === CALLER || party === call.state.winner) continue;
      call.handles.delete(party);
      this.#byHandle.delete(handle);
    }
  }

  #over(call: C, outcome: { readonly answered: boolean; readonly reason: string }): void {
    call.timer?.cancel();
    this.#calls.delete(call.id);
    for (const handle of call.handles.values()) this.#byHandle.delete(handle);
    this.#hooks.over(call, outcome);
  }
}
