/**
 * The gateway as a whole: pairing and the agent, the SIP edge, the watch over the LAN. It runs on any World; the composition root
 * (`main.ts`) gives it the real one.
 */

import type { Sandbox } from '#shared/applet/sandbox.ts';
import { lockedText, PIN_ALARM } from '#shared/call/features/pin-tries.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import { fault } from '#shared/protocol/fault.ts';
import { readCloudUrl } from '#shared/protocol/pairing.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Agent, createAgent } from './agent/agent.ts';
import { Applets } from './applets/applets.ts';
import { type Appliance, startAppliance } from './appliance/server.ts';
import { Diagnostics } from './diagnostics/diagnostics.ts';
import { type EmergencyModem, type ModemLines, startEmergencyModem } from './emergency-modem/server.ts';
import { type HomeNetwork, watchHomeNetwork } from './home-network/discovery.ts';
import type { DeviceFacts } from './home-network/inventory.ts';
import type { Cloud } from './pairing/discovery.ts';
import { createPairing, type Pairing } from './pairing/pairing.ts';
import type { Identity } from './pairing/states.ts';
import type { PairingStatus } from './pairing/status.ts';
import type { Onlooker } from './sip-edge/insight.ts';
import { type SipEdge, startSipEdge } from './sip-edge/server.ts';
import { type Board, noBoard } from './updater/board.ts';
import { testGateway } from './updater/proof.ts';
import { Updater } from './updater/updater.ts';

export const profiles = ['residential-gateway', 'personal-computer', 'ip-appliance'] as const;
export type Profile = (typeof profiles)[number];
export const VERSION = '0.1.0';
/** House calls whose facts are kept while there is no agent; the oldest give way. */
const UNTOLD_LIMIT = 1_000;
/** Milliseconds for which facts of calls and features wait for the cloud: no cut is too long, and no clock too wrong. */
const KEPT_FOR = 100 * 365 * 86_400_000;

export interface GatewaySettings {
  readonly state: string;
  readonly cloudUrl: string;
  readonly profile: Profile;
  readonly sip: Address;
  /** Where user applets run; absent: this gateway runs none and says so. */
  readonly sandbox?: Sandbox;
  /** The board with its two systems; absent: this gateway is not updated by us. */
  readonly board?: Board;
  /** A mobile modem that calls for help where everything else is gone. */
  readonly modem?: ModemLines;
  /** Where bundles are put while they are fetched; default in `state`. */
  readonly updates?: string;
}

export interface GatewayStatus {
  readonly pairing: PairingStatus;
  readonly sip: { readonly udp: Address; readonly tcp: Address };
  readonly voice: ReturnType<SipEdge['status']>;
  readonly devices: number;
}

export interface Gateway {
  status(): GatewayStatus;
  /** Called after every change of the status. */
  onChange(listener: () => void): void;
  /** The agent, while there is an identity. */
  agent(): Agent | undefined;
  /** Answers whoever looks for a fault. */
  readonly diagnostics: Diagnostics;
  /** The user applets, where this gateway runs some. */
  readonly applets: Applets | undefined;
  readonly updater: Updater;
  stop(): Promise<void>;
}

/** Starts a gateway; resolves once its phones can register. Rejects with words for the operator. */
export async function startGateway(world: World, settings: GatewaySettings, engine: MediaEngine): Promise<Gateway> {
  const gateway = new UserAgent(world, settings, engine);
  await gateway.start();
  return gateway;
}

class UserAgent implements Gateway {
  readonly #world: World;
  readonly #settings: GatewaySettings;
  readonly #engine: MediaEngine;
  readonly #listeners: (() => void)[] = [];
  readonly #pairing: Pairing;
  readonly diagnostics: Diagnostics;
  readonly applets: Applets | undefined;
  readonly updater: Updater;
  #edge: SipEdge | undefined;
  /** The same as `#edge` on a device that is itself one SIP endpoint. */
  #appliance: Appliance | undefined;
  /** Facts of house calls for which there was no agent, and the home whose they are: absent where an earlier process left them. */
  readonly #untold: { readonly call: VerbRequest<'voice.report'>; readonly home: string | undefined; done(): void }[] =
    [];
  #network: HomeNetwork | undefined;
  #modem: EmergencyModem | undefined;
  #agent: Agent | undefined;
  #identity: Identity | undefined;
  #devices: readonly DeviceFacts[] = [];
  #voiceVersion = 0;
  #voice: VoiceDocument | undefined;
  /** Whose lines were served last. */
  #voiceHome: string | undefined;

  constructor(world: World, settings: GatewaySettings, engine: MediaEngine) {
    const { cloudUrl, state, profile } = settings;
    this.diagnostics = new Diagnostics({ world, engine, cloudUrl, state, profile, version: VERSION });
    this.#world = { ...world, log: this.diagnostics.log };
    this.#settings = settings;
    this.#engine = engine;
    this.applets = this.#startApplets();
    this.updater = this.#makeUpdater();
    this.#pairing = createPairing({
      world: this.#world,
      cloudUrl: settings.cloudUrl,
      state: settings.state,
      profile: settings.profile,
      version: VERSION,
      agent: (identity, cloud) => this.#newAgent(identity, cloud),
    });
    this.#pairing.onChange(({ at }) => {
      if (at === 'unpaired' || at === 'announced' || at === 'claimed') this.#forgetHome();
      this.#changed();
    });
  }

  async start(): Promise<void> {
    const { profile, sip, state } = this.#settings;
    const common = {
      world: this.#world,
      engine: this.#engine,
      listen: sip,
      identity: () => this.#credentials(),
      changed: () => this.#voiceChanged(),
      onlooker: this.#onlooker(),
    };
    if (profile === 'ip-appliance') this.#edge = this.#appliance = await startAppliance({ ...common, state });
    else
      this.#edge = await startSipEdge({
        ...common,
        state: `${state}/sip`,
        report: (call) => this.#tell(call),
        submit: (message) => this.#submit(message),
        features: (change) => void this.#tellFeatures(change),
        locked: (number) => void this.#tellLocked(number),
        helped: () => this.applets?.mayRing() ?? false,
        modem: () => this.#modem?.way(),
      });
    await this.#startModem();
    // A PC or an appliance is a guest on its LAN and does not watch it.
    if (profile === 'residential-gateway')
      this.#network = await watchHomeNetwork(this.#world, (devices) => this.#lanChanged(devices));
    await this.diagnostics.start({
      pairing: () => this.#pairing.status(),
      cloud: () => this.#pairing.cloud(),
      identity: () => this.#pairing.identity() ?? this.#identity,
      agent: () => this.#agent,
      edge: () => this.#edge,
      network: () => this.#network,
      devices: () => this.#devices,
      updater: () => this.updater,
      modem: () => this.#modem?.report(),
    });
    await this.#pairing.start();
    await this.updater.start();
  }

  status(): GatewayStatus {
    const edge = this.#edge;
    if (edge === undefined) throw new Error('the gateway has not started');
    return { pairing: this.#pairing.status(), sip: edge.bound, voice: edge.status(), devices: this.#devices.length };
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  agent(): Agent | undefined {
    return this.#agent;
  }

  async stop(): Promise<void> {
    await this.updater.stop();
    await this.#modem?.stop();
    await this.#edge?.stop();
    await this.applets?.stop();
    await this.#network?.stop();
    await this.#pairing.stop();
    await this.diagnostics.stop();
  }

  async #startModem(): Promise<void> {
    const { modem, profile } = this.#settings;
    if (modem === undefined || profile === 'ip-appliance') return;
    const caller = () => this.#edge?.bound.udp;
    this.#modem = await startEmergencyModem(this.#world, modem, { beside: this.#settings.sip.host, caller });
  }

  /** The certificate in force; before pairing there is no document that would ask for a flow. */
  #credentials() {
    const identity = this.#pairing.identity() ?? this.#identity;
    return { certificate: identity?.certificate ?? '', key: identity?.key ?? '', ca: identity?.authority ?? '' };
  }

  #startApplets(): Applets | undefined {
    const { sandbox, state, cloudUrl, profile } = this.#settings;
    if (sandbox === undefined || profile === 'ip-appliance') return undefined;
    const applets = new Applets({
      world: this.#world,
      sandbox,
      folder: `${state}/applets`,
      cloudUrl,
      agent: () => this.#agent,
      devices: () => this.#devices,
      ring: (call, numbers) => this.#edge?.ring?.(call, numbers) ?? false,
    });
    this.#engine.onEvent((event) => {
      if (event.on !== 'dtmf') return;
      const [call = '', leg] = event.owner.split('/');
      applets.tell({ on: 'digit', call, by: leg === 'caller' ? 'caller' : 'callee', digit: event.digit });
    });
    return applets;
  }

  #makeUpdater(): Updater {
    const { state, updates, cloudUrl, board = noBoard } = this.#settings;
    const cloud = readCloudUrl(cloudUrl);
    const paired = () => this.#pairing.status().at === 'paired';
    return new Updater({
      world: this.#world,
      board,
      state: `${state}/update.json`,
      folder: updates ?? `${state}/update`,
      cloud: 'refused' in cloud ? undefined : cloud,
      agent: () => this.#agent,
      paired,
      busy: () => (this.#edge?.status().calls ?? 0) > 0,
      test: () =>
        testGateway({ world: this.#world, engine: this.#engine, sip: this.#edge?.bound.udp, state, cloud, paired }),
    });
  }

  /** Who looks on at calls: the diagnosis, and applets that may. */
  #onlooker(): Onlooker {
    const { onlooker } = this.diagnostics;
    return {
      message: (direction, peer, text) => onlooker.message(direction, peer, text),
      call: (note) => {
        onlooker.call(note);
        if (note.at === 'started')
          this.applets?.tell({ on: 'ringing', call: note.call, from: note.from, to: note.to, at: note.wall });
        else if (note.at === 'answered') this.applets?.tell({ on: 'answered', call: note.call, at: note.wall });
        else if (note.at === 'over')
          this.applets?.tell({ on: 'ended', call: note.call, reason: note.reason, at: note.wall });
      },
    };
  }

  #attachApplets(agent: Agent): void {
    const { applets } = this;
    const none = err(fault('gateway_refused', 'This gateway runs no applets.'));
    agent.onDesired('applets', async (document) => {
      if (applets === undefined) return document.installs.length === 0 ? ok({}) : err('this gateway runs no applets');
      applets.apply(document);
      return ok({});
    });
    agent.onCommand('applet.deliver', async (said) => applets?.deliver(said) ?? none);
    agent.onCommand('applet.status.local', async () => ok(applets?.status() ?? { items: [] }));
    agent.onCommand('applet.control.local', async (asked) => applets?.control(asked) ?? none);
  }

  #newAgent(identity: Identity, cloud: Cloud): Agent {
    const { state, profile } = this.#settings;
    this.#identity = identity;
    const agent = createAgent({
      world: this.#world,
      identity,
      mqtt: cloud.mqtt,
      ca: identity.authority,
      state: `${state}/agent`,
      profile,
      version: VERSION,
    });
    agent.onDesired('voice', async (document, version) => {
      const refused = this.#edge?.apply(document);
      if (refused !== undefined) return err(refused);
      this.#voiceVersion = version;
      this.#voice = document;
      this.#voiceHome = identity.home;
      return ok(this.#edge?.status());
    });
    agent.onDesired('features', async (document) => {
      this.#edge?.features?.(document);
      return ok({});
    });
    agent.onCommand('inventory.scan', async () => {
      const network = this.#network;
      return network === undefined
        ? err(fault('gateway_refused', `A ${profile} does not watch its LAN.`))
        : ok({ devices: (await network.scan()).length });
    });
    agent.onCommand('appliance.press.local', async ({ to }) => {
      const appliance = this.#appliance;
      if (appliance === undefined) return err(fault('gateway_refused', `A ${profile} has no button.`));
      const pressed = await appliance.press(to);
      return pressed.ok ? ok({ line: pressed.value }) : err(fault('gateway_refused', pressed.fault));
    });
    agent.onCommand('qos.apply', async () =>
      ok({
        marked: false,
        why: 'Node.js cannot set the DSCP of a UDP socket; mark the media ports by the firewall of the image',
      }),
    );
    this.#attachApplets(agent);
    this.diagnostics.attach(agent);
    this.updater.attach(agent);
    agent.onState(() => this.#changed());
    this.#agent = agent;
    for (const { call, home = identity.home, done } of this.#untold.splice(0)) void this.#tell(call, home).then(done);
    this.#lanChanged(this.#devices);
    return agent;
  }

  /**
   * Facts of a house call: into the agent's outbox, or kept for the next agent where there is none or it is just stopping. Resolves
   * once the outbox has them on its disk, or they are given up; until then the edge keeps them on its own.
   */
  async #tell(call: VerbRequest<'voice.report'>, home = this.#voiceHome): Promise<void> {
    // The gateway is another home's now.
    if (home !== undefined && this.#identity?.home !== home) return;
    const agent = this.#agent;
    const told = await agent?.report('voice.report', call, { priority: 'voice', expiresIn: KEPT_FOR });
    // `internal`: the outbox has it in memory alone. Told twice it counts once, by its Call-ID.
    if (told !== undefined && (told.ok || !['timeout', 'internal'].includes(told.fault.code))) return;
    if (this.#agent !== agent) return this.#tell(call, home);
    await new Promise<void>((done) => {
      this.#untold.push({ call, home, done });
      if (this.#untold.length > UNTOLD_LIMIT) this.#untold.shift()?.done();
    });
  }

  /** What a star code set, into the agent's outbox; the edge keeps it until the cloud's document shows it. */
  async #tellFeatures(change: VerbRequest<'line.features.tell'>): Promise<void> {
    await this.#agent?.report('line.features.tell', change, {
      priority: 'voice',
      order: `features ${change.line}`,
      expiresIn: KEPT_FOR,
    });
  }

  /** Somebody guessed a PIN while the cloud was away: its people hear of it when that is there again. */
  async #tellLocked(number: string): Promise<void> {
    const alarm = { cause: PIN_ALARM, severity: 'minor' as const, text: lockedText(number) };
    await this.#agent?.report('alarm.raise', alarm, { priority: 'alarm', expiresIn: KEPT_FOR });
  }

  /** A message into the agent's outbox; messages of one line are told in their order. */
  async #submit(message: VerbRequest<'message.submit'>): Promise<boolean> {
    const kept = await this.#agent?.report('message.submit', message, {
      priority: 'voice',
      order: `message ${message.line}`,
    });
    return kept?.ok ?? false;
  }

  /** After an undone pairing the phones of what was its home are served no longer. */
  #forgetHome(): void {
    if (this.#voice !== undefined) this.#edge?.apply({ ...this.#voice, lines: [] });
    this.#voice = undefined;
    this.#voiceVersion = 0;
    // What ended here may be told if this home takes the gateway back; whose the rest is, nobody knows.
    const kept = this.#untold.splice(0);
    for (const one of kept)
      if (one.home === undefined) one.done();
      else this.#untold.push(one);
    this.applets?.forget();
  }

  #voiceChanged(): void {
    this.#changed();
    const [agent, edge] = [this.#agent, this.#edge];
    if (agent === undefined || edge === undefined || this.#voiceVersion === 0) return;
    const report = { doc: 'voice', applied: this.#voiceVersion, state: 'applied' as const, body: edge.status() };
    void agent.report('gateway.reported', report, { order: 'voice', latest: true });
  }

  #lanChanged(devices: readonly DeviceFacts[]): void {
    this.#devices = devices;
    void this.#agent?.report('device.report', { devices: [...devices] }, { order: 'lan', latest: true });
    this.#changed();
  }

  #changed(): void {
    if (this.#edge === undefined) return;
    for (const listener of this.#listeners) listener();
  }
}
