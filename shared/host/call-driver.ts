/**
 * Drives calls: steps the pure call machine of each, carries out on the SIP endpoint what goes to phones, and feeds back what
 * comes from them. What a call means to its owner (way, media, records) are the owner's hooks. Used by the softswitch and by the
 * gateway's edge, so that both switch calls by the same code.
 */
import { CALLER, type CallInput, type CallOutput, type CallState, callMachine, type Party } from '#shared/call/call.ts';
import { originOf, revised, versionOf } from '#shared/call/direction.ts';
import { reasonHeader } from '#shared/call/outcome.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import { Roster } from '#shared/kernel/roster.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import type { CallHandle, EndpointOutput, Flow, InviteOptions, SipEndpoint } from '#shared/sip/types.ts';

/** The SIP side as calls see it. */
export interface SipPort {
  readonly endpoint: SipEndpoint;
  /** Runs one command of the endpoint and carries out what it wants done. */
  act<T>(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => T): T;
  /** Our Contact URI on that flow. */
  contact(flow: Flow): string;
}

/** A call as a driver holds it; owners add what is theirs. `T` is whom a branch rings. */
export interface DrivenCall<T> {
  readonly id: string;
  readonly state: CallState<T>;
  /** The caller's flow; absent where the call was opened from outside. */
  readonly flow?: Flow;
  /** The flow of who took the call while it rang. */
  takerFlow?: Flow;
  readonly handles: Map<Party, CallHandle>;
  /** Version of the last description sent to a party (RFC 3264 section 8). */
  readonly versions: Map<Party, number>;
  /** The `o=` line that a party was shown while descriptions passed untouched: it stays when they no longer do. */
  origins?: Map<Party, string>;
  timer?: Timer;
  due: number;
}

type Media<T> = Extract<CallOutput<T>, { do: 'media' }>;
type Report<T> = Extract<CallOutput<T>, { do: 'report' }>;
type Invite<T> = Extract<CallOutput<T>, { do: 'invite' }>;
export type MediaReply = { readonly sdp?: string } | { readonly failed: number };

export interface CallHooks<T, C extends DrivenCall<T>> {
  /** Looks for the way of a new call and feeds `routed`, `held` or `refused`. */
  route(call: C): Promise<void>;
  /** Looks for another way and feeds `rerouted` or `refused`; absent where calls are never routed `again`. */
  reroute?(call: C, leg: string, reason: string): Promise<void>;
  media(call: C, ask: Media<T>): Promise<MediaReply>;
  connect(call: C, caller: string, leg: string): Promise<void>;
  release(call: C, leg: string): Promise<void>;
  /** For `answered` it resolves once that is recorded. */
  report(call: C, report: Report<T>): Promise<void>;
  inviteOptions(call: C, invite: Invite<T>): InviteOptions;
  /** An INVITE is out. */
  invited?(call: C, invite: Invite<T>): void;
  up(call: C): void;
  /** A side took a new offer of its endpoint, or did not. */
  renewed?(call: C, party: Party, ok: boolean): void;
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
    this.#inputs.push({ call, input });
    if (this.#busy) return;
    this.#busy = true;
    try {
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
    if (output.do === 'progress')
      this.feed(call, { on: 'progress', branch: party, status: output.status, ...sdpOf(output) });
    else if (output.do === 'answered') this.feed(call, { on: 'answered', branch: party, ...sdpOf(output) });
    else if (output.do === 'failed') {
      const { status, message } = output;
      this.feed(call, { on: 'failed', branch: party, status, ...(message === undefined ? { silent: true } : {}) });
    } else if (output.do === 'confirmed') this.feed(call, { on: 'confirmed', party, ...sdpOf(output) });
    else if (output.do === 'ended') this.feed(call, { on: 'ended', party, why: output.why });
    else if (output.do === 'offer') this.feed(call, { on: 'offer', party, ...sdpOf(output) });
    else if (output.do === 'reoffered')
      this.feed(call, { on: 'reoffered', party, ok: output.ok, status: output.status, ...sdpOf(output) });
    return true;
  }

  /** Lets go of timers; the calls themselves are left as they are. */
  rest(): void {
    for (const call of this.#calls.values()) call.timer?.cancel();
  }

  /** Work of a call that nobody waits for: its failure is told to the log. */
  later(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#log.error(this.#failed, { error: error instanceof Error ? (error.stack ?? '') : String(error) });
    });
  }

  #arm(call: C): void {
    const due = this.#machine.due(call.state);
    if (due === call.due) return;
    call.timer?.cancel();
    call.due = due;
    if (due === NEVER) return;
    call.timer = this.#clock.at(due, () => {
      call.due = NEVER;
      this.feed(call, TICK);
    });
  }

  #carryOut(call: C, o: CallOutput<T>): void {
    const hooks = this.#hooks;
    if (o.do === 'route') this.later(hooks.route(call));
    else if (o.do === 'reroute') this.later(hooks.reroute?.(call, o.leg, o.reason) ?? Promise.resolve());
    else if (o.do === 'media') this.later(hooks.media(call, o).then((reply) => this.#answered(call, o, reply)));
    else if (o.do === 'connect') this.later(hooks.connect(call, o.caller, o.leg));
    else if (o.do === 'release') this.later(hooks.release(call, o.leg));
    else if (o.do === 'report') this.later(hooks.report(call, o).then(() => this.#recorded(call, o)));
    else if (o.do === 'over') this.#over(call, o);
    else if (o.do === 'renewed') hooks.renewed?.(call, o.party, o.ok);
    else if (o.do === 'invite') this.#invite(call, o);
    else if (o.do === 'up') {
      this.#dropLosers(call);
      hooks.up(call);
    } else this.#signal(call, o);
  }

  #answered(call: C, ask: Media<T>, reply: MediaReply): void {
    this.feed(call, { on: 'media', op: ask.op, ...this.#turned(reply, ask) });
  }

  #recorded(call: C, report: Report<T>): void {
    if (report.event === 'answered') this.feed(call, { on: 'recorded' });
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
    const flow = party === CALLER ? call.flow : call.takerFlow;
    const contact = flow === undefined ? {} : { contact: this.#sip.contact(flow) };
    this.#sip.act((endpoint, now, out) => {
      switch (o.do) {
        case 'progress':
          return endpoint.progress(handle, o.status, { ...contact, ...sdpOf(o) }, now, out);
        case 'answer':
          this.#describes(call, o.party, o.sdp);
          return endpoint.answer(handle, { contact: '', ...contact, sdp: o.sdp }, now, out);
        case 'reject':
          return endpoint.reject(handle, o.status, { headers: [['Reason', reasonHeader(o.reason)]] }, now, out);
        case 'hangup':
          return endpoint.hangup(handle, reasonHeader(o.reason), now, out);
        case 'reoffer':
          return endpoint.reoffer(handle, this.#nextVersion(call, o.party, o.sdp), now, out);
        case 'accept-offer':
          return endpoint.acceptOffer(handle, this.#nextVersion(call, o.party, o.sdp), now, out);
        case 'refuse-offer':
          return endpoint.refuseOffer(handle, o.status, now, out);
      }
    });
  }

  #invite(call: C, o: Invite<T>): void {
    const options = this.#hooks.inviteOptions(call, o);
    this.#sip.act((endpoint, now, out) => {
      // The handle is known before anything of the call can be heard.
      this.bind(call, o.branch, endpoint.invite(options, now, out));
      this.#describes(call, o.branch, o.sdp);
    });
    this.#hooks.invited?.(call, o);
  }

  /** The first description that a party gets. */
  #describes(call: C, party: Party, sdp: string): void {
    call.versions.set(party, versionOf(sdp));
    const origin = call.state.relay ? undefined : originOf(sdp);
    if (origin === undefined) return;
    call.origins ??= new Map();
    call.origins.set(party, origin);
  }

  #nextVersion(call: C, party: Party, sdp: string): string {
    const before = call.origins?.get(party);
    // Versions of one `o=` line grow by one; where the session is ours alone they may also jump.
    const next = (call.versions.get(party) ?? 0) + 1;
    const version = before === undefined || !call.state.relay ? Math.max(versionOf(sdp), next) : next;
    call.versions.set(party, version);
    // What passes from phone to phone counts its own versions.
    return call.state.relay ? revised(sdp, version, undefined, before) : sdp;
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

function sdpOf(from: { readonly sdp?: string }): { readonly sdp?: string } {
  return from.sdp === undefined ? {} : { sdp: from.sdp };
}
