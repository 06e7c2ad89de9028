/** All calls of the softswitch: drives each one's pure machine, carries out what it wants, and feeds back what happens. */
import type { Bus } from '#cloud/bus/bus.ts';
import type { CallInput, CallOutput, Party } from '#shared/call/call.ts';
import { CALLER, callMachine } from '#shared/call/call.ts';
import { revised, versionOf } from '#shared/call/direction.ts';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { CallHandle, EndpointOutput, Flow } from '#shared/sip/types.ts';
import { type Callee, endOf, type Live, type SipPort } from './live.ts';
import { askMedia, SELF } from './media.ts';
import type { Reporter } from './reporter.ts';
import { Signals, sdpOf } from './signals.ts';
import type { Snapshots } from './snapshots.ts';

export interface CallsOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly sip: SipPort;
  readonly domain: string;
  readonly reporter: Reporter;
  readonly snapshots: Snapshots;
  /** Looks for the way of a new call and feeds `routed`, `held` or `refused`. */
  readonly route: (live: Live) => Promise<void>;
}

const machine = callMachine<Callee>();
type Input = CallInput<Callee>;
type Output = CallOutput<Callee>;

export class Calls {
  readonly #o: CallsOptions;
  readonly #signals: Signals;
  readonly #live = new Map<string, Live>();
  readonly #byHandle = new Map<CallHandle, { readonly live: Live; readonly party: Party }>();
  /** Calls of each line, for its limit. */
  readonly #ofLine = new Map<string, number>();
  /** Media endpoints by leg, for calls in progress. */
  readonly #endpoints = new Map<string, Map<string, string>>();
  readonly #inputs: { readonly live: Live; readonly input: Input | typeof TICK }[] = [];
  #busy = false;
  /** Established calls. */
  readonly #up = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(options: CallsOptions) {
    this.#o = options;
    this.#signals = new Signals(options.sip, options.domain, {
      bind: (live, party, handle) => this.bind(live, party, handle),
      count: (live, line) => this.count(live, line),
    });
  }

  get size(): number {
    return this.#live.size;
  }

  /** Calls that are neither established nor over. */
  get between(): number {
    return this.#live.size - this.#up.size;
  }

  all(): Iterable<Live> {
    return this.#live.values();
  }

  get(id: string): Live | undefined {
    return this.#live.get(id);
  }

  /** The call that holds a leg of a session. */
  withLeg(session: string, leg: string): Live | undefined {
    for (const live of this.#live.values()) {
      if (live.session === session && (live.state.callerLeg?.id === leg || live.state.legs.has(leg))) return live;
    }
    return undefined;
  }

  ofHandle(handle: CallHandle): { readonly live: Live; readonly party: Party } | undefined {
    return this.#byHandle.get(handle);
  }

  countOf(line: string): number {
    return this.#ofLine.get(line) ?? 0;
  }

  add(live: Live, caller?: CallHandle): void {
    this.#live.set(live.id, live);
    if (live.state.at === 'up') this.#up.add(live.id);
    this.#endpoints.set(live.id, new Map());
    if (caller !== undefined) this.bind(live, CALLER, caller);
    if (live.line !== undefined) this.count(live, live.line.id);
  }

  bind(live: Live, party: Party, handle: CallHandle): void {
    live.handles.set(party, handle);
    this.#byHandle.set(handle, { live, party });
  }

  count(live: Live, line: string): void {
    live.counted.push(line);
    this.#ofLine.set(line, this.countOf(line) + 1);
  }

  /** Inputs that come while outputs are carried out wait for their turn, so that outputs stay in order. */
  feed(live: Live, input: Input | typeof TICK): void {
    this.#inputs.push({ live, input });
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#step(next);
    } finally {
      this.#busy = false;
    }
  }

  #step({ live, input }: { readonly live: Live; readonly input: Input | typeof TICK }): void {
    const out: Output[] = [];
    machine.step(live.state, input, this.#o.clock.mono(), out);
    for (const one of out) this.#carryOut(live, one);
    this.#arm(live);
  }

  /** What the endpoint says of a call. */
  take(output: Extract<EndpointOutput, { call: CallHandle }>): void {
    const found = this.#byHandle.get(output.call);
    if (found === undefined) return;
    const { live, party } = found;
    switch (output.do) {
      case 'progress':
        this.feed(live, { on: 'progress', branch: party, status: output.status, ...sdpOf(output) });
        break;
      case 'answered':
        this.feed(live, { on: 'answered', branch: party, ...sdpOf(output) });
        break;
      case 'failed':
        this.feed(live, { on: 'failed', branch: party, status: output.status });
        break;
      case 'confirmed':
        this.feed(live, { on: 'confirmed', party, ...sdpOf(output) });
        break;
      case 'ended':
        this.feed(live, { on: 'ended', party, why: output.why });
        break;
      case 'offer':
        this.feed(live, { on: 'offer', party, ...sdpOf(output) });
        break;
      case 'reoffered':
        this.feed(live, { on: 'reoffered', party, ok: output.ok, status: output.status, ...sdpOf(output) });
        break;
      default:
    }
  }

  /** A gateway came back: its established calls go on over the new flow, unless a gateway that started again does not know them. */
  moveTo(gateway: string, flow: Flow): void {
    const { sip } = this.#o;
    for (const live of [...this.#live.values()]) {
      for (const [party, handle] of [...live.handles]) {
        if (endOf(live, party).gateway === gateway && sip.endpoint.moveCall(handle, flow)) this.probe([handle]);
      }
    }
  }

  /** Asks these sides whether the call still is for them; a side that does not know it, or is silent, ends it. */
  probe(sides: readonly CallHandle[]): void {
    for (const side of sides) this.#o.sip.act((endpoint, now, out) => endpoint.probe(side, now, out));
  }

  /** Ends what is not established; what is up stays for the next process. Resolves once no call is in between. */
  async settle(): Promise<void> {
    for (const live of [...this.#live.values()]) {
      if (live.state.at !== 'up') this.feed(live, { on: 'close', reason: 'server_unavailable', status: 503 });
    }
    if (this.between > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    for (const live of this.#live.values()) live.timer?.cancel();
  }

  #arm(live: Live): void {
    const due = machine.due(live.state);
    if (due === live.due) return;
    live.timer?.cancel();
    live.due = due;
    if (due === NEVER) return;
    live.timer = this.#o.clock.at(due, () => {
      live.due = NEVER;
      this.feed(live, TICK);
    });
  }

  #carryOut(live: Live, o: Output): void {
    switch (o.do) {
      case 'route':
        this.#later(this.#o.route(live));
        break;
      case 'media':
        this.#later(this.#media(live, o));
        break;
      case 'connect':
        this.#later(this.#connect(live, o));
        break;
      case 'release':
        this.#later(this.#release(live.session, o.leg));
        break;
      case 'report':
        this.#later(this.#report(live, o));
        break;
      case 'up':
        this.#established(live);
        break;
      case 'over':
        this.#over(live, o.reason);
        break;
      default:
        this.#signals.carryOut(live, o);
    }
  }

  async #media(live: Live, o: Extract<Output, { do: 'media' }>): Promise<void> {
    const endpoints = this.#endpoints.get(live.id) ?? new Map<string, string>();
    const reply = await askMedia(this.#o.bus, live, endpoints, o);
    const sdp = 'sdp' in reply ? reply.sdp : undefined;
    const turned = sdp === undefined || o.direction === undefined ? sdp : revised(sdp, versionOf(sdp), o.direction);
    this.feed(live, {
      on: 'media',
      op: o.op,
      ...('failed' in reply ? reply : turned === undefined ? {} : { sdp: turned }),
    });
  }

  async #connect(live: Live, o: Extract<Output, { do: 'connect' }>): Promise<void> {
    const endpoints = this.#endpoints.get(live.id);
    const [a, b] = [endpoints?.get(o.caller), endpoints?.get(o.leg)];
    if (a === undefined || b === undefined) return;
    const { bus, log } = this.#o;
    const both = [
      bus.request('media.endpoint.connect', { from: a, to: b, connected: true }, SELF),
      bus.request('media.endpoint.connect', { from: b, to: a, connected: true }, SELF),
    ];
    for (const done of await Promise.all(both)) {
      if (!done.ok) log.warn('softswitch.not-connected', { call: live.id, fault: done.fault.code });
    }
  }

  async #release(session: string, leg: string): Promise<void> {
    await this.#o.bus.request('media.endpoint.release', { session, leg }, SELF);
  }

  async #report(live: Live, o: Extract<Output, { do: 'report' }>): Promise<void> {
    const at = this.#o.clock.wall();
    if (o.event === 'answered') live.answeredAt = at;
    if (o.event === 'ended' && live.opened !== undefined) {
      live.opened({ failed: o.reason ?? 'callee_offline' });
      delete live.opened;
    }
    if (!live.autonomous) {
      const callId = this.#callIdOf(live, o.leg, o.branch);
      const reason = o.reason === undefined ? {} : { reason: o.reason };
      const { session } = live;
      await this.#o.reporter.leg({ session, leg: o.leg, event: o.event, at, ...callId, ...reason });
    }
    if (o.event === 'answered') this.feed(live, { on: 'recorded' });
  }

  #callIdOf(live: Live, leg: string, branch: string | undefined): { readonly callId?: string } {
    const party = leg === live.state.callerLeg?.id ? CALLER : branch;
    const handle = party === undefined ? undefined : live.handles.get(party);
    const callId = handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId;
    return callId === undefined ? {} : { callId };
  }

  #established(live: Live): void {
    this.#up.add(live.id);
    // Branches that lost are of no use any more, and their names go.
    for (const [party, handle] of live.handles) {
      if (party === CALLER || party === live.state.winner) continue;
      live.handles.delete(party);
      this.#byHandle.delete(handle);
    }
    this.#later(this.#o.snapshots.save(live));
    this.#rest();
  }

  #over(live: Live, reason: string): void {
    live.timer?.cancel();
    this.#live.delete(live.id);
    this.#up.delete(live.id);
    this.#endpoints.delete(live.id);
    for (const handle of live.handles.values()) this.#byHandle.delete(handle);
    for (const line of live.counted) {
      const left = this.countOf(line) - 1;
      if (left > 0) this.#ofLine.set(line, left);
      else this.#ofLine.delete(line);
    }
    if (live.answeredAt !== undefined) this.#later(this.#o.snapshots.remove(live.id));
    if (live.autonomous) this.#later(this.#tellWhole(live, reason));
    this.#rest();
  }

  #rest(): void {
    if (this.#idle.length === 0 || this.between > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A call that the session manager never saw is told as one fact. */
  async #tellWhole(live: Live, reason: string): Promise<void> {
    const { answeredAt, callId, line } = live;
    await this.#o.reporter.call({
      callId,
      ...(line === undefined ? {} : { home: line.home }),
      from: live.caller.number,
      to: live.dialled,
      startedAt: live.startedAt,
      ...(answeredAt === undefined ? {} : { answeredAt }),
      endedAt: this.#o.clock.wall(),
      reason,
    });
  }

  #later(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#o.log.error('softswitch.call-failed', {
        error: error instanceof Error ? (error.stack ?? '') : String(error),
      });
    });
  }
}
