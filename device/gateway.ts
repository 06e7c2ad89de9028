/**
 * The gateway as a whole: pairing and the agent, the SIP edge, the watch over the LAN. It runs on any World; the composition root
 * (`main.ts`) gives it the real one.
 */
import { err, ok } from '#shared/kernel/result.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Agent, createAgent } from './agent/agent.ts';
import { type Appliance, startAppliance } from './appliance/server.ts';
import { type HomeNetwork, watchHomeNetwork } from './home-network/discovery.ts';
import type { DeviceFacts } from './home-network/inventory.ts';
import type { Cloud } from './pairing/discovery.ts';
import { createPairing, type Pairing } from './pairing/pairing.ts';
import type { Identity } from './pairing/states.ts';
import type { PairingStatus } from './pairing/status.ts';
import { type SipEdge, startSipEdge } from './sip-edge/server.ts';

export const profiles = ['residential-gateway', 'personal-computer', 'ip-appliance'] as const;
export type Profile = (typeof profiles)[number];
export const VERSION = '0.1.0';
/** House calls whose facts are kept while there is no agent; the oldest give way. */
const UNTOLD_LIMIT = 1_000;

export interface GatewaySettings {
  readonly state: string;
  readonly cloudUrl: string;
  readonly profile: Profile;
  readonly sip: Address;
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
  #edge: SipEdge | undefined;
  /** The same as `#edge` on a device that is itself one SIP endpoint. */
  #appliance: Appliance | undefined;
  /** Facts of house calls for which there was no agent yet. */
  readonly #untold: VerbRequest<'voice.report'>[] = [];
  #network: HomeNetwork | undefined;
  #agent: Agent | undefined;
  #identity: Identity | undefined;
  #devices: readonly DeviceFacts[] = [];
  #voiceVersion = 0;
  #voice: VoiceDocument | undefined;

  constructor(world: World, settings: GatewaySettings, engine: MediaEngine) {
    this.#world = world;
    this.#settings = settings;
    this.#engine = engine;
    this.#pairing = createPairing({
      world,
      cloudUrl: settings.cloudUrl,
      state: settings.state,
      profile: settings.profile,
      version: VERSION,
      agent: (identity, cloud) => this.#newAgent(identity, cloud),
    });
    this.#pairing.onChange(({ at }) => {
      if (at === 'unpaired' || at === 'announced') this.#forgetHome();
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
    };
    if (profile === 'ip-appliance') this.#edge = this.#appliance = await startAppliance({ ...common, state });
    else this.#edge = await startSipEdge({ ...common, report: (call) => this.#tell(call) });
    // A PC or an appliance is a guest on its LAN and does not watch it.
    if (profile === 'residential-gateway')
      this.#network = await watchHomeNetwork(this.#world, (devices) => this.#lanChanged(devices));
    await this.#pairing.start();
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
    await this.#edge?.stop();
    await this.#network?.stop();
    await this.#pairing.stop();
  }

  /** The certificate in force; before pairing there is no document that would ask for a flow. */
  #credentials() {
    const identity = this.#pairing.identity() ?? this.#identity;
    return { certificate: identity?.certificate ?? '', key: identity?.key ?? '', ca: identity?.authority ?? '' };
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
      return ok(this.#edge?.status());
    });
    agent.onCommand('device.wake.local', async ({ mac }) => {
      const network = this.#network;
      return network === undefined
        ? err(fault('gateway_refused', `A ${profile} does not wake devices.`))
        : ok({ sent: await network.wake(mac) });
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
    agent.onState(() => this.#changed());
    this.#agent = agent;
    for (const call of this.#untold.splice(0)) void this.#tell(call);
    this.#lanChanged(this.#devices);
    return agent;
  }

  /** Facts of a house call: into the agent's outbox, or kept for the next agent where there is none or it is just stopping. */
  async #tell(call: VerbRequest<'voice.report'>): Promise<void> {
    const agent = this.#agent;
    const told = await agent?.report('voice.report', call, { priority: 'voice' });
    if (told !== undefined && (told.ok || told.fault.code !== 'timeout')) return;
    if (this.#agent !== agent) return this.#tell(call);
    this.#untold.push(call);
    if (this.#untold.length > UNTOLD_LIMIT) this.#untold.shift();
  }

  /** After an undone pairing the phones of what was its home are served no longer. */
  #forgetHome(): void {
    if (this.#voice !== undefined) this.#edge?.apply({ ...this.#voice, lines: [] });
    this.#voice = undefined;
    this.#voiceVersion = 0;
    this.#untold.length = 0;
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
