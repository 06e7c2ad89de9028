/** The softswitch: SIP listeners around the pure call machines, the bus on the other side. */
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { Door } from '#shared/call/register.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import type { Flow } from '#shared/sip/types.ts';
import { Access } from './access.ts';
import { BindingStore } from './bindings.ts';
import { Calls } from './calls.ts';
import { Channels } from './channels.ts';
import { FleetSide } from './fleet/side.ts';
import { HoldMusic } from './hold-music.ts';
import { CALL_LIMIT, Incoming } from './incoming.ts';
import { type GatewayOfFlow, Gateways, Lines } from './lines.ts';
import { Listeners } from './listeners.ts';
import type { Live } from './live.ts';
import { Location } from './location.ts';
import { Messages } from './messages.ts';
import { Outside } from './outside.ts';
import { OverloadGuard } from './overload/guard.ts';
import { Probes } from './probes.ts';
import { Refers } from './refers.ts';
import { Reporter } from './reporter.ts';
import { ALLOW, Requests } from './requests.ts';
import { Returning } from './returning.ts';
import { Router, type Taking } from './routing.ts';
import { Screen } from './screen.ts';
import { Snapshots } from './snapshots.ts';
import { Sorting } from './sorting.ts';
import { TakeOver } from './take-over.ts';
import { TakeUp } from './take-up.ts';
import { SessionTraces } from './trace.ts';
import { Carried } from './trunk/carried.ts';
import { Watch } from './watch.ts';

/** Milliseconds between sweeps of expired bindings. */
const SWEEP_EVERY = 60_000;
/** Milliseconds that stopping waits for calls that are neither refused nor established yet. */
const SETTLE_LIMIT = 2_000;

/** Seconds between refreshes of a call (RFC 4028), unless the phone wants less. */
const SESSION_EXPIRES = 1800;

export const softswitch: Part = {
  name: 'softswitch',
  async start(context) {
    const running = new Softswitch(context);
    await running.start();
    return running;
  },
};

class Softswitch implements RunningPart {
  readonly #context: PartContext;
  readonly #transport: SipTransport;
  readonly #listeners: Listeners;
  readonly #lines: Lines;
  readonly #gateways: Gateways;
  readonly #location = new Location();
  readonly #reporter: Reporter;
  readonly #bindings: BindingStore;
  readonly #snapshots: Snapshots;
  readonly #calls: Calls;
  readonly #incoming: Incoming;
  readonly #screen: Screen;
  readonly #sorting: Sorting;
  readonly #messages: Messages;
  readonly #watch: Watch;
  readonly #probes: Probes;
  readonly #returning: Returning;
  readonly #carried: Carried;
  readonly #outside: Outside;
  readonly #overload: OverloadGuard;
  readonly #channels: Channels;
  readonly #traces: SessionTraces;
  readonly #leave: (() => void)[] = [];
  readonly #takeUp: TakeUp;
  readonly #fleet: FleetSide | undefined;
  #sweeping: Timer | undefined;
  #stopping: Promise<void> | undefined;

  constructor(context: PartContext) {
    this.#context = context;
    const { world, bus, store, config } = context;
    const { clock, log, crypto, random } = world;
    this.#listeners = new Listeners(world.net, config);
    const named = (prefix: 'chn' | 'msg') => newId(prefix, clock.wall(), random.bytes(10));
    const hash = sipHash(crypto);
    const isOurs = (host: string) => this.#listeners.isOurs(host);
    const sides = {
      ...{ location: this.#location, transport: () => this.#transport, sip: () => sip },
      restore: (calls: readonly string[]) => this.#takeUp.adopt(calls).then(() => this.#carried.restored()),
      cameBack: (gateway: string, flow: Flow) => this.#calls.moveTo(gateway, flow),
      ...{ calls: () => this.#calls, watch: () => this.#watch, door: () => door, returning: () => this.#returning },
    };
    const fleet = context.fleet && new FleetSide(context.fleet, context, sides);
    this.#fleet = fleet;
    const mates = fleet?.mates;
    const endpoint = new Endpoint({
      random,
      hash,
      allow: ALLOW,
      backToBack: true,
      sessionExpires: SESSION_EXPIRES,
      reliable: true,
      screen: (message, flow) => this.#screen.judge(message, flow),
      quiet: (_message, flow) => this.#screen.isUnproven(flow),
      forgotten: (flow) => this.#takeUp.done && this.#screen.isKnown(flow),
      follows: (flow, host) => this.#outside.follows(flow, host),
      regains: (flow) => this.#outside.trunks.of(flow) !== undefined,
      ...(mates && { mark: mates.mark, stray: (message, flow, text) => mates.stray(message, flow, text) }),
      ...(mates && { elsewhere: ({ callId }, flow, text) => mates.elsewhere(callId, flow, text) }),
    });
    this.#traces = new SessionTraces(clock);
    this.#transport = new SipTransport(world, {
      endpoint,
      trace: (direction, flow, _text, octets) => this.#traces.message(direction, flow, octets),
      publicHost: config.publicHost,
      isHelp: (uri) => this.#outside.emergency.maybe(uri),
      onOutput: (output) => this.#guarded(output),
      accept: (flow) => flow.peer.kind === 'none' || flow.peer.trusted || this.#outside.admits(flow),
      onFlowClosed: (flow, why) => this.#lost(flow, why),
      ...(mates && { relay: (flow, text) => mates.relay(flow, text) }),
      largeByTcp: (flow) => this.#outside.trunks.largeByTcp(flow),
    });
    const sip: SipPort = {
      endpoint,
      act: (run) => this.#transport.act((now, out) => run(endpoint, now, out)),
      contact: (flow) => this.#listeners.contact(flow),
    };
    this.#lines = new Lines(store);
    this.#gateways = new Gateways(store);
    this.#reporter = new Reporter({ bus, store, clock, log, newId: () => named('msg') });
    this.#bindings = new BindingStore(store, clock, log);
    this.#snapshots = new Snapshots(store, endpoint, world, fleet?.owner);
    this.#takeUp = new TakeUp({
      ...{ sip, clock, fleet, calls: () => this.#calls, outside: () => this.#outside },
      flowTo: (remote) => this.#transport.flowTo({ protocol: 'udp', ...remote }),
    });
    const secret = random.bytes(32);
    const door = new Door({
      realm: config.domain,
      secret,
      hash,
      salt: () => random.bytes(8),
      isOurs,
      ...(fleet && {
        mark: fleet.mates.mark,
        onWrong: (source, account) => fleet.wrong(source, account),
      }),
    });
    const access = new Access(this.#lines, this.#gateways, door, clock);
    this.#outside = new Outside({
      ...{ context, sip, hash, isOurs, lines: this.#lines, transport: this.#transport },
      callsOf: (id) => this.#calls.countOf(id),
      end: (call) => this.#end(call),
    });
    const outside = this.#outside;
    this.#overload = new OverloadGuard({
      world,
      at: () => config.bound.sipUdp,
      trust: (address) => this.#transport.trust(address),
    });
    const router = new Router({
      ...{ bus, store, clock, crypto, newId: named },
      lines: this.#lines,
      location: this.#location,
      outside,
      countOf: (line) => this.#calls.countOf(line),
      ensure: (id, limit) => this.#calls.ensure(id, limit),
    });
    this.#calls = new Calls({
      ...{ bus, clock, log, sip, isOurs, domain: config.domain },
      ...{ reporter: this.#reporter, snapshots: this.#snapshots },
      closeFlow: (flow) => this.#transport.closeFlow(flow),
      music: new HoldMusic({ bus, store, config, log, snapshots: this.#snapshots }),
      route: (live) => {
        const from = clock.mono();
        return soon(router.route(live), (way) => {
          this.#overload.routed(clock.mono() - from);
          if (way.on === 'taking') return this.#taken(live, way, named('chn'));
          this.#calls.feed(live, way);
        });
      },
      reroute: async (live, leg, reason, moved) =>
        this.#calls.feed(live, await router.reroute(live, leg, reason, moved)),
      flowGone: ({ line, contact }) => {
        if (line !== undefined) this.#location.gone(line.id, contact);
        if (line !== undefined) fleet?.gone(line.id, contact.uri);
      },
      ...(fleet && {
        counted: (id) => fleet.counted(id),
        elsewhere: (id) => fleet.counts.elsewhere(id),
        seats: fleet.seats,
      }),
      trunkHeard: (way, heard, next) => outside.trunkHeard(way, heard, next),
      answeredOutside: (call) => outside.guard.answered(call),
      ended: (live, reason) => {
        outside.over(live, reason);
        this.#incoming.replaces.over(live);
      },
      changed: (live) => {
        this.#watch.changed(live);
        this.#incoming.replaces.changed(live);
      },
    });
    const [calls, location] = [this.#calls, this.#location];
    this.#probes = new Probes(calls, clock);
    this.#returning = new Returning({ calls, location, endpoint });
    this.#carried = new Carried({ calls, endpoint, clock, ...outside.trunkFlows });
    const trust = (flow: Flow) => this.#transport.trust(flow.remote.host);
    const closeFlow = (flow: Flow) => this.#transport.closeFlow(flow);
    this.#incoming = new Incoming({
      ...{ access, calls, router, sip, clock, newId: named, closeFlow, trust, isOurs, outside, lines: this.#lines },
      ...(mates && { mates }),
    });
    this.#screen = new Screen({
      ...{ access, location, incoming: this.#incoming, overload: this.#overload },
      ...{ emergency: outside.emergency, trunks: outside.trunks, late: () => this.#transport.waited },
      ...(mates && { passed: () => mates.proven !== undefined }),
    });
    const refers = new Refers({
      ...{ bus, calls, sip, isOurs },
      ...(fleet && { farLeg: (name) => fleet.farLeg(name) }),
    });
    this.#watch = new Watch({
      ...{ access, calls, lines: this.#lines, store, sip, clock, random, log, closeFlow, trust, isOurs },
      ...(fleet && { mark: fleet.mates.mark, lamps: () => fleet.lamps }),
      domain: config.domain,
    });
    this.#messages = new Messages({
      ...{ access, calls, lines: this.#lines, location, bus, clock, sip, closeFlow, trust, isOurs },
      domain: config.domain,
      sha256: (text) => hash('SHA-256', text),
    });
    const requests = new Requests({
      digit: (session, leg, digit, duration) => bus.publish('leg.digit', { session, leg, digit, duration }),
      ...{ access, location, calls, clock, sip, closeFlow, trust, returning: this.#returning },
      keep: (line) => this.#bindings.keep(line, location.datagram(line)),
      ...(fleet && { keep: () => undefined, change: (line, run) => fleet.change(line, run) }),
      cameBack: (gateway, flow) => this.#cameBack(gateway, flow),
      registered: (line, changed) => this.#messages.registered(line, changed),
      registeredAt: (host, line) => outside.addresses.registered(host, line),
    });
    this.#sorting = new Sorting({
      ...{ incoming: this.#incoming, requests, messages: this.#messages, refers, watch: this.#watch, outside, calls },
      later: (work) => this.#later(work),
    });
    const takeOver = new TakeOver({ bus, calls, clock, sip, reporter: this.#reporter, newId: named });
    this.#channels = new Channels({
      ...{ takeOver, refers, calls, location, router, sip, clock },
      lines: this.#lines,
      newId: named,
    });
  }

  async start(): Promise<void> {
    const { bus, config, world } = this.#context;
    await this.#listeners.bindUdp(this.#transport);
    // Before a gateway can come back over TLS: it would be told that nobody knows its calls.
    await this.#outside.load();
    await this.#restore();
    await this.#listeners.bindStreams(this.#transport);
    this.#leave.push(
      await this.#calls.music.begin(),
      bus.serve('softswitch', {
        ...this.#channels.handlers(),
        ...this.#messages.handlers(),
        ...this.#outside.handlers(),
        'session.trace': ({ session }, context) => this.#traces.of(session, this.#context, context),
      }),
      bus.subscribe('lines.changed', ({ home }) => this.#later(this.#linesChanged(home))),
      bus.subscribe('messages.changed', ({ line }) => this.#watch.messagesChanged(line)),
      bus.subscribe('pairing.progress', ({ gateway }) => this.#later(this.#check(gateway))),
    );
    await this.#outside.begin();
    this.#carried.restored();
    this.#reporter.start();
    this.#probes.start();
    this.#watch.begin();
    this.#sweep();
    world.log.info('softswitch.listening', { sip: config.bound.sipUdp?.port, sips: config.bound.sips?.port });
  }

  health() {
    const load = Math.min(1, Math.max(this.#overload.share, this.#calls.size / CALL_LIMIT));
    return { state: 'running' as const, load, legs: this.#calls.size };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const leave of this.#leave.splice(0)) leave();
    this.#sweeping?.cancel();
    this.#takeUp.stop();
    this.#carried.stop();
    this.#probes.stop();
    const { clock } = this.#context.world;
    const limit = new Promise<void>((resolve) => void clock.at(clock.mono() + SETTLE_LIMIT, resolve));
    await Promise.race([this.#calls.settle(), limit]);
    this.#outside.stop();
    this.#overload.stop();
    this.#fleet?.stop();
    this.#reporter.stop();
    await this.#watch.stop();
    await Promise.all([this.#bindings.flush(), this.#outside.addresses.flush(), this.#snapshots.flush()]);
    await this.#transport.close();
  }

  /** A fault of ours in one call must not stop the others, nor the transport that carries them. */
  #guarded(output: UserOutput): void {
    try {
      this.#sorting.take(output);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** What an earlier process knew: phones over UDP, and calls. Their dialogs go on; a gateway's find their new flow when it registers again. */
  async #restore(): Promise<void> {
    await this.#fleet?.begin();
    for (const { line, binding, flow } of this.#fleet === undefined ? await this.#bindings.load() : []) {
      this.#location.restore(line, binding, await this.#takeUp.restorer.flow(flow));
    }
    await this.#takeUp.start();
    await this.#watch.restore((flow) => this.#takeUp.restorer.flow(flow));
    this.#takeUp.restorer.begin();
  }

  /** The caller takes a call that rings, perhaps at another process. */
  async #taken(live: Live, way: Taking, branch: string): Promise<void> {
    const at = await this.#fleet?.ringsAt(live, way);
    if (at !== undefined && this.#fleet?.handOver(live, at) === true) return;
    this.#calls.pickUp(live, way, branch);
  }

  /** A call that may not go on. */
  #end(call: string): void {
    const live = this.#calls.get(call);
    if (live !== undefined) this.#calls.feed(live, { on: 'close', reason: 'destination_barred', status: 403 });
  }

  #cameBack({ gateway }: GatewayOfFlow, flow: Flow): void {
    this.#calls.moveTo(gateway, flow);
    this.#fleet?.mates.back(gateway, flow);
  }

  #lost(flow: Flow, why: string): void {
    this.#outside.trunks.closed(flow, why);
    this.#fleet?.lost(flow);
    this.#returning.lost(flow);
    this.#carried.lost(flow);
    this.#location.lost(flow);
    this.#gateways.closed(flow);
    this.#watch.lost(flow);
  }

  /** What is known of a home's lines is old; a line that exists no more cannot be rung either. */
  async #linesChanged(home: string): Promise<void> {
    this.#lines.forget(home);
    for (const { line } of this.#location.list(undefined, this.#context.world.clock.mono())) {
      if ((await this.#lines.byId(line)) === undefined) {
        this.#location.forget(line);
        this.#watch.gone(line);
        if (this.#fleet === undefined) await this.#bindings.keep(line, []);
        else this.#fleet.gone(line);
      }
    }
  }

  /** A gateway's standing changed: its flows are closed if it may not come in any more. */
  async #check(gateway: string): Promise<void> {
    for (const flow of await this.#gateways.revoked(gateway)) this.#transport.closeFlow(flow);
  }

  #sweep(): void {
    const { clock } = this.#context.world;
    this.#sweeping = clock.at(clock.mono() + SWEEP_EVERY, () => {
      this.#location.sweep(clock.mono());
      this.#sweep();
    });
  }

  #later(work: Soon<void>): void {
    if (work instanceof Promise) work.catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#context.world.log.error('softswitch.failed', { error: text });
  }
}
