/**
 * The gateway's SIP edge: registrar and switch of the house, and the one kept flow to the softswitch. It works with what it last
 * learned from the cloud, so phones of the house go on calling each other when the WAN is cut.
 */

import { readEmergency } from '#shared/call/emergency.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { every } from '#shared/kernel/time.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { FeaturesDocument, VoiceDocument, VoiceReport } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { HeaderLine } from '#shared/sip/build.ts';
import { ALLOW, Endpoint } from '#shared/sip/endpoint.ts';
import { writeDevices } from '#shared/sip/instance.ts';
import type { Flow } from '#shared/sip/types.ts';
import { Anchor } from '../media-relay/anchor.ts';
import { bindPhones } from './bind.ts';
import { ASK_EVERY, askPhones } from './call-flows.ts';
import { EdgeCalls } from './calls.ts';
import { Confirmations } from './confirm.ts';
import { contactOn, readHostPort } from './contact.ts';
import { Continuity } from './continuity.ts';
import { TRY_FOR_HELP, type WayOut } from './emergency.ts';
import { HoldMusic } from './hold-music.ts';
import { House } from './house.ts';
import { HouseCalls } from './house-calls.ts';
import { HouseReplaces } from './house-replaces.ts';
import { HouseTransfers } from './house-transfer.ts';
import { HouseWatch } from './house-watch.ts';
import { InCall } from './in-call.ts';
import { type EdgeInsight, lineInsights, type Onlooker, peerText } from './insight.ts';
import { Joins } from './join.ts';
import { EdgeMessages, type Submit } from './messages.ts';
import { Reception } from './reception.ts';
import { RecordClock } from './record-clock.ts';
import { Senders } from './senders.ts';
import { ThreeWay } from './three-way.ts';
import { UpstreamFlow } from './upstream-flow.ts';

export interface SipEdgeOptions {
  readonly world: World;
  readonly engine: MediaEngine;
  readonly listen: Address;
  /** Folder for calls and phones that outlive the process. */
  readonly state: string;
  /** Certificate and key of the gateway for the kept flow; asked for at every connection, since they change. */
  readonly identity: () => { readonly certificate: string; readonly key: string; readonly ca: string };
  /** Facts of a call that was switched inside the house; resolves once they are safe elsewhere. */
  readonly report: (call: VerbRequest<'voice.report'>) => Promise<void>;
  /** What a star code set while the cloud was away. */
  readonly features?: (change: VerbRequest<'line.features.tell'>) => void;
  /** No PIN is taken from the line of that number for a while: somebody guessed. */
  readonly locked?: (number: string) => void;
  /** A message that was switched in the house, or must wait for the WAN; false where it cannot be kept. */
  readonly submit: (message: Submit) => Promise<boolean>;
  /** Phones registered or left, the flow came or went. */
  readonly changed: () => void;
  /** Sees messages and calls pass. */
  readonly onlooker?: Onlooker;
  /** Whether an applet could name phones for a service code that leads nowhere while the WAN is cut. */
  readonly helped?: () => boolean;
  /** Where the gateway's own modem takes calls for help, while it can. */
  readonly modem?: () => WayOut | undefined;
}

export interface SipEdge {
  readonly bound: { readonly udp: Address; readonly tcp: Address };
  /** Takes the lines and the softswitch's address; a refusal says why and changes nothing. */
  apply(document: VoiceDocument): string | undefined;
  /** Takes the features of the lines. */
  features?(document: FeaturesDocument): void;
  status(): VoiceReport;
  /** What a technician wants to know. */
  insight(): EdgeInsight;
  /** An applet names lines of the house for a call that waits for that; false where it does not, or no phone is there. */
  ring?(call: string, numbers: readonly string[]): boolean;
  /** The lines' secrets, so that whoever shows things can hide them. */
  secrets(): string[];
  /** Ends what is not established and closes; what is up stays, for the next process on this state and this engine. */
  stop(): Promise<void>;
}

/** Seconds between refreshes of a call (RFC 4028), unless the other side wants less. */
const SESSION_EXPIRES = 1800;
/** Milliseconds between looks for expired registrations. */
const SWEEP = 5_000;

export async function startSipEdge(options: SipEdgeOptions): Promise<SipEdge> {
  const edge = new Edge(options);
  await edge.bind();
  return edge;
}

class Edge implements SipEdge {
  readonly #o: SipEdgeOptions;
  readonly #endpoint: Endpoint;
  readonly #transport: SipTransport;
  readonly #port: SipPort;
  readonly #house = new House();
  readonly #senders: Senders;
  readonly #watch: HouseWatch;
  readonly #calls: EdgeCalls;
  readonly #others: InCall;
  readonly #inside: HouseCalls;
  readonly #transfers: HouseTransfers;
  readonly #replaces: HouseReplaces;
  readonly #joins: Joins;
  readonly #threeWay: ThreeWay;
  readonly #upstream: UpstreamFlow;
  readonly #messages: EdgeMessages;
  readonly #reception: Reception;
  readonly #continuity: Continuity;
  readonly #stopSweep: () => void;
  readonly #stopAsking: () => void;
  #document: VoiceDocument | undefined;
  /** New calls are refused, since nobody would be there to answer them. */
  #stopping = false;
  #bound: { udp: Address; tcp: Address } | undefined;

  constructor(options: SipEdgeOptions) {
    this.#o = options;
    const { world } = options;
    this.#senders = new Senders(this.#house, world);
    this.#endpoint = new Endpoint({
      allow: [...ALLOW, 'SUBSCRIBE'],
      random: world.random,
      hash: sipHash(world.crypto),
      screen: (message, flow) => this.#reception.screen(message, flow),
      quiet: (message, flow) => this.#reception.isUnproven(message, flow),
      forgotten: (flow) =>
        this.#bound !== undefined && (flow.id === this.#upstream.flow?.id || this.#house.keeps(flow)),
      backToBack: true,
      sessionExpires: SESSION_EXPIRES,
      reliable: true,
    });
    this.#transport = new SipTransport(world, {
      endpoint: this.#endpoint,
      onOutput: (output) => this.#take(output),
      onFlowClosed: (flow) => this.#closed(flow),
      trace: (direction, flow, text) => options.onlooker?.message(direction, peerText(flow), text),
    });
    this.#port = {
      endpoint: this.#endpoint,
      act: (run) => this.#transport.act((now, out) => run(this.#endpoint, now, out)),
      contact: (flow) => contactOn(flow, 'hl'),
    };
    const anchor = new Anchor(options.engine, world.random);
    const times = new RecordClock(world.clock);
    this.#continuity = new Continuity({
      ...{ world, times, state: options.state, sip: this.#port, anchor, house: this.#house, report: options.report },
      calls: () => this.#calls,
      joins: () => this.#joins,
      threeWay: () => this.#threeWay,
      parking: () => this.#transfers.parking,
      inside: () => this.#inside,
      watch: () => this.#watch,
      datagrams: (remote) => this.#transport.flowTo({ protocol: 'udp', ...remote }),
    });
    const sha256 = (text: string) => sipHash(world.crypto)('SHA-256', text);
    const upstream = () => this.#upstream.flow;
    const common = { world, sip: this.#port, house: this.#house, domain: () => this.#domain(), upstream };
    this.#messages = new EdgeMessages({ ...common, sha256, submit: options.submit });
    this.#upstream = new UpstreamFlow({
      world,
      transport: this.#transport,
      port: this.#port,
      identity: options.identity,
      contact: (flow, line) => contactOn(flow, this.#house.byId(line)?.username ?? 'hl'),
      address: (line) => this.#addressOf(line),
      domain: () => this.#domain(),
      params: (line) => `;${writeDevices(this.#messages.devices(line))}`,
      onFlow: (flow) => this.#flowChanged(flow),
    });
    this.#inside = new HouseCalls({
      ...{ world, times, house: this.#house, calls: () => this.#calls, domain: () => this.#domain() },
      tell: options.features ?? (() => {}),
      confirmations: new Confirmations(anchor, world.clock, () => this.#calls),
      cloud: () => this.#upstream.flow !== undefined,
      isHelp: (dialled) => readEmergency(`sip:${dialled}@invalid`, this.#document?.emergency?.country) !== undefined,
      fetch: (call, from) => this.#transfers.parking.fetch(call, from),
      together: (call, from) => this.#threeWay.take(call, from),
      locked: (line) => options.locked?.(this.#house.byId(line)?.number ?? line),
      keep: (kept) => this.#continuity.features(kept),
    });
    const music = new HoldMusic({
      ...{ anchor, log: world.log },
      wanted: (line) => this.#document?.noHoldMusic !== true && !this.#inside.holdsInSilence(line),
    });
    this.#calls = new EdgeCalls({
      ...common,
      times,
      inside: () => this.#inside,
      anchor,
      music,
      report: (id, facts) => this.#continuity.tell(id, facts),
      noted: (note) => options.onlooker?.call(note),
      changed: (call) => this.#watch.changed(call),
      kept: (call) => this.#continuity.keep(call),
      rings: (call) => this.#continuity.rings(call),
      answered: (call) => this.#continuity.answered(call),
      up: (call) => {
        this.#transfers.up(call);
        this.#threeWay.up(call);
      },
      helped: () => options.helped?.() ?? false,
      emergency: () => this.#document?.emergency,
      fallback: () => this.#wayOut(this.#document?.emergency?.fallback),
      modem: () => this.#wayOut(options.modem?.()),
      over: (call) => {
        this.#joins.callOver(call);
        this.#continuity.over(call);
        this.#transfers.over(call);
        this.#threeWay.over(call);
      },
    });
    const cloud = () => this.#upstream.flow !== undefined;
    this.#threeWay = new ThreeWay({
      ...{ sip: this.#port, driver: () => this.#calls.driver, anchor, cloud },
      keep: (call) => this.#continuity.keep(call),
    });
    this.#watch = new HouseWatch({
      ...common,
      calls: () => this.#calls,
      keep: (kept) => this.#continuity.watches(kept),
    });
    this.#replaces = new HouseReplaces(this.#port, this.#calls, anchor);
    this.#transfers = new HouseTransfers(this.#port, world.clock, this.#calls, anchor, {
      replaces: this.#replaces,
      music,
      keep: (call, parked) => this.#continuity.keep(call, parked),
      withholds: (line) => this.#inside.withholds(line),
    });
    this.#others = new InCall(this.#port, this.#calls, this.#transfers);
    this.#joins = new Joins(
      this.#port,
      anchor,
      () => this.#calls,
      world.log,
      (call) => this.#continuity.keep(call),
    );
    this.#reception = new Reception({
      ...common,
      ...{ senders: this.#senders, calls: this.#calls, joins: this.#joins, replaces: this.#replaces },
      ...{ watch: this.#watch, messages: this.#messages, document: () => this.#document },
      trust: (host) => this.#transport.trust(host),
      registered: () => this.#sweep(),
    });
    options.engine.onEvent((event) => {
      if (event.on === 'lost' && !this.#stopping) this.#calls.mediaLost(event.owner);
    });
    this.#stopSweep = every(world.clock, SWEEP, () => this.#sweep());
    this.#stopAsking = every(world.clock, ASK_EVERY, () => askPhones(this.#port, this.#calls.driver.all()));
  }

  get bound(): { readonly udp: Address; readonly tcp: Address } {
    if (this.#bound === undefined) throw new Error('the edge is not bound yet');
    return this.#bound;
  }

  async bind(): Promise<void> {
    const takeUp = await this.#continuity.before();
    this.#bound = await bindPhones(this.#o.world.net, this.#transport, this.#o.listen, takeUp);
  }

  apply(document: VoiceDocument): string | undefined {
    const target = readHostPort(document.sips);
    if (target === undefined) return `sips is not HOST:PORT: ${document.sips}`;
    this.#senders.use(document.domain);
    this.#document = document;
    this.#house.apply(document.lines);
    this.#inside.linesChanged();
    this.#watch.linesChanged();
    this.#upstream.use(target);
    this.#sweep();
    return undefined;
  }

  features(document: FeaturesDocument): void {
    this.#inside.apply(document);
  }

  status(): VoiceReport {
    const registrations = this.#house.present(this.#o.world.clock.mono());
    return { flow: this.#upstream.flow === undefined ? 'down' : 'up', registrations, calls: this.#calls.driver.size };
  }

  ring(call: string, numbers: readonly string[]): boolean {
    return this.#calls.ring(call, numbers);
  }

  secrets(): string[] {
    return this.#house.lines.flatMap(({ ha1 }) => [ha1.md5, ha1.sha256]);
  }

  insight(): EdgeInsight {
    const { lines, ...upstream } = this.#upstream.insight();
    const now = this.#o.world.clock.mono();
    return {
      ...(this.#document === undefined ? {} : { domain: this.#document.domain }),
      lines: lineInsights(this.#house.lines, (line) => this.#house.phones(line, now).map(({ flow }) => flow), lines),
      upstream,
      refusals: [...this.#senders.refusals],
      counts: this.#transport.counts(),
      calls: [...this.#calls.driver.all()].map(({ id }) => id),
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopSweep();
    this.#stopAsking();
    this.#watch.stop();
    const { driver } = this.#calls;
    for (const call of [...driver.all()])
      if (call.state.at !== 'up') driver.feed(call, { on: 'close', reason: 'server_unavailable', status: 503 });
    await this.#upstream.stop();
    driver.rest();
    this.#transfers.parking.stop();
    await this.#continuity.stop();
    await this.#transport.close();
  }

  #domain(): string {
    return this.#document?.domain ?? 'invalid';
  }

  #addressOf(id: string): string | undefined {
    const line = this.#house.byId(id);
    return line === undefined ? undefined : `sip:${line.number}@${this.#domain()}`;
  }

  #take(output: UserOutput): void {
    if (output.do === 'incoming' && this.#stopping)
      this.#port.act((endpoint, now, out) => endpoint.reject(output.call, 503, {}, now, out));
    else if (output.do === 'incoming') this.#reception.incoming(output);
    else if (output.do === 'request') this.#reception.request(output);
    else if (output.do === 'response' || output.do === 'no-response') {
      if (this.#messages.heard(output) || this.#others.heard(output) || this.#watch.heard(output)) return;
      if (output.do === 'response') this.#upstream.response(output.transaction, output.message);
      else this.#upstream.noResponse(output.transaction);
    } else if (output.do === 'in-dialog' && output.message.method === 'MESSAGE') void this.#inCall(output);
    else if (output.do === 'in-dialog')
      void this.#others
        .answer(output.call, output.message)
        .then(({ status, headers }) => this.#reply(output.transaction, status, headers));
    else {
      if (output.do === 'ended') this.#transfers.left(output.call);
      if (output.do === 'failed') this.#inside.refused(output);
      if (!this.#calls.driver.take(output)) this.#joins.take(output);
    }
  }

  /** A way to those who help; undefined where there is none, or it cannot be opened. */
  async #wayOut(to: WayOut | undefined): Promise<Flow | undefined> {
    if (to === undefined) return undefined;
    const { host, port, transport: protocol } = to;
    return this.#transport.flowTo({ protocol, host, port, timeout: TRY_FOR_HELP }).catch(() => undefined);
  }

  async #inCall({ call, transaction, message }: Extract<UserOutput, { do: 'in-dialog' }>): Promise<void> {
    const answer = await this.#calls.message(call, message, this.#messages);
    this.#reply(transaction, answer.status === 0 ? 503 : answer.status);
  }

  #reply(transaction: string, status: number, headers: readonly HeaderLine[] = []): void {
    this.#port.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }

  /** Tells the softswitch which lines have a phone now. */
  #sweep(): void {
    const present = this.#house.present(this.#o.world.clock.mono());
    this.#continuity.phones();
    this.#continuity.look();
    if (this.#upstream.want(new Set(present.map(({ line }) => line)))) this.#o.changed();
  }

  #closed(flow: Flow): void {
    this.#watch.lost(flow);
    if (!this.#upstream.closed(flow)) this.#house.lost(flow);
    this.#sweep();
  }

  /** Calls over a flow that is gone wait for another inside the endpoint, which ends them after its grace. */
  #flowChanged(flow: Flow | undefined): void {
    this.#o.changed();
    this.#calls.moveTo(flow);
    if (flow === undefined) return;
    this.#joins.moveTo(flow);
    this.#watch.flowChanged();
  }
}
