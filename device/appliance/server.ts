/**
 * The profile `ip-appliance`: this device is itself one SIP endpoint, a speaker or a door station. It registers its home's line of
 * kind `appliance` over a kept flow of its own, answers by itself, calls when its button is pressed, and serves no other phone.
 */

import type { SipPort } from '#shared/host/call-driver.ts';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { VoiceDocument, VoiceReport } from '#shared/protocol/documents.ts';
import { writeWav } from '#shared/rtp/wav.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeNameAddr } from '#shared/sip/uri.ts';
import { Anchor } from '../media-relay/anchor.ts';
import { bindPhones } from '../sip-edge/bind.ts';
import { contactOn, readHostPort } from '../sip-edge/contact.ts';
import { type EdgeInsight, peerText } from '../sip-edge/insight.ts';
import type { SipEdge, SipEdgeOptions } from '../sip-edge/server.ts';
import { UpstreamFlow } from '../sip-edge/upstream-flow.ts';
import { chime } from './chime.ts';
import { StationCalls } from './station-calls.ts';

export interface ApplianceOptions extends Omit<SipEdgeOptions, 'report' | 'submit'> {
  /** Folder for the chime's file. */
  readonly state: string;
}

export interface Appliance extends SipEdge {
  /** Its button: calls a number or username. Gives the line that calls, or why it cannot, in words. */
  press(to: string): Promise<Result<string, string>>;
}

/** Starts an appliance; rejects where its address is taken. */
export async function startAppliance(options: ApplianceOptions): Promise<Appliance> {
  const path = `${options.state}/chime.wav`;
  await options.world.disk.write(path, writeWav(chime()));
  const station = new Station(options, path);
  await station.bind();
  return station;
}

type HouseLine = VoiceDocument['lines'][number];

class Station implements Appliance {
  readonly #o: ApplianceOptions;
  readonly #transport: SipTransport;
  readonly #port: SipPort;
  readonly #upstream: UpstreamFlow;
  readonly #calls: StationCalls;
  #line: HouseLine | undefined;
  #domain = 'invalid';
  #since = 0;
  #bound: { udp: Address; tcp: Address } | undefined;

  constructor(options: ApplianceOptions, chimePath: string) {
    this.#o = options;
    const { world, engine } = options;
    const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
    this.#transport = new SipTransport(world, {
      endpoint,
      onOutput: (output) => this.#take(output),
      onFlowClosed: (flow) => void this.#upstream.closed(flow),
      trace: (direction, flow, text) => options.onlooker?.message(direction, peerText(flow), text),
    });
    this.#port = {
      endpoint,
      act: (run) => this.#transport.act((now, out) => run(endpoint, now, out)),
      contact: (flow) => contactOn(flow, this.#line?.username ?? 'hl'),
    };
    this.#upstream = new UpstreamFlow({
      world,
      transport: this.#transport,
      port: this.#port,
      identity: options.identity,
      contact: (flow) => this.#port.contact(flow),
      address: (id) => (this.#line?.id === id ? `sip:${this.#line.number}@${this.#domain}` : undefined),
      domain: () => this.#domain,
      onFlow: (flow) => this.#flowChanged(flow),
    });
    const anchor = new Anchor(engine, world.random);
    const { changed } = options;
    this.#calls = new StationCalls({ world, sip: this.#port, engine, anchor, chime: chimePath, changed });
  }

  get bound(): { readonly udp: Address; readonly tcp: Address } {
    if (this.#bound === undefined) throw new Error('the appliance is not bound yet');
    return this.#bound;
  }

  async bind(): Promise<void> {
    this.#bound = await bindPhones(this.#o.world.net, this.#transport, this.#o.listen);
  }

  apply({ domain, sips, lines }: VoiceDocument): string | undefined {
    const target = readHostPort(sips);
    if (target === undefined) return `sips is not HOST:PORT: ${sips}`;
    const line = lines.find(({ kind }) => kind === 'appliance');
    this.#domain = domain;
    if (line?.id !== this.#line?.id) {
      this.#calls.hangUpAll();
      this.#upstream.want(new Set());
    }
    this.#line = line;
    this.#upstream.use(target);
    this.#upstream.want(new Set(line === undefined ? [] : [line.id]));
    return undefined;
  }

  status(): VoiceReport {
    const up = this.#upstream.flow !== undefined;
    const registrations =
      up && this.#line !== undefined ? [{ line: this.#line.id, contacts: 1, since: this.#since }] : [];
    return { flow: up ? 'up' : 'down', registrations, calls: this.#calls.size };
  }

  secrets(): string[] {
    return this.#line === undefined ? [] : [this.#line.ha1.md5, this.#line.ha1.sha256];
  }

  insight(): EdgeInsight {
    const { lines, ...upstream } = this.#upstream.insight();
    const line = this.#line;
    return {
      ...(line === undefined ? {} : { domain: this.#domain }),
      lines: line === undefined ? [] : [{ ...line, phones: [], upstream: lines.get(line.id) ?? 'none' }],
      upstream,
      refusals: [],
      counts: this.#transport.counts(),
      calls: [],
    };
  }

  async press(to: string): Promise<Result<string, string>> {
    const [line, flow] = [this.#line, this.#upstream.flow];
    if (line === undefined) return err('This home has no line of kind appliance.');
    if (flow === undefined) return err('There is no way to the softswitch just now.');
    const from = writeNameAddr({
      display: line.name ?? '',
      uri: `sip:${line.number}@${this.#domain}`,
      params: new Map(),
    });
    const called = await this.#calls.call({ uri: `sip:${to}@${this.#domain}`, from, flow });
    return called ? ok(line.id) : err('It has too many calls already, or no media.');
  }

  async stop(): Promise<void> {
    this.#calls.hangUpAll();
    await this.#upstream.stop();
    await this.#transport.close();
  }

  #take(output: UserOutput): void {
    if (output.do === 'incoming') {
      // Only the softswitch may call: it is no registrar and no switch for others.
      if (output.flow.id === this.#upstream.flow?.id && this.#line !== undefined)
        void this.#calls.start(output.call, output.flow, output.offer);
      else this.#port.act((endpoint, now, out) => endpoint.reject(output.call, 403, {}, now, out));
    } else if (output.do === 'request') {
      const { method } = output.message;
      this.#reply(output.transaction, method === 'OPTIONS' ? 200 : method === 'REGISTER' ? 403 : 501);
    } else if (output.do === 'response') this.#upstream.response(output.transaction, output.message);
    else if (output.do === 'no-response') this.#upstream.noResponse(output.transaction);
    else if (output.do === 'in-dialog') this.#reply(output.transaction, output.message.method === 'INFO' ? 200 : 501);
    else this.#calls.take(output);
  }

  #reply(transaction: string, status: number): void {
    this.#port.act((endpoint, now, out) => endpoint.reply(transaction, status, {}, now, out));
  }

  #flowChanged(flow: Flow | undefined): void {
    if (flow !== undefined) {
      this.#since = this.#o.world.clock.wall();
      this.#calls.moveTo(flow);
    }
    this.#o.changed();
  }
}
