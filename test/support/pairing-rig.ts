/** An operator (edge and oamp server, both real) and gateways that pair with it, on the virtual world. */
import type { Outcome, Principal } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { oamp } from '#cloud/farm/oamp/server.ts';
import { gatewayEdge } from '#cloud/gateway-edge/server.ts';
import { type GatewayRow, gatewayById } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { type Agent, createAgent } from '#device/agent/agent.ts';
import { createPairing, type Pairing, type PairingOptions } from '#device/pairing/pairing.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { DISCOVERY_PATH } from '#shared/protocol/pairing.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { mortal } from '#simulator/mortal.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { CLOUD_ADDRESS, MQTT_PORT, makeConfig } from './edge.ts';
import { OPERATOR } from './oamp.ts';

export const CLOUD_URL = 'http://127.0.0.1:8080';
export interface Gateway {
  readonly pairing: Pairing;
  /** The agent that is in use; undefined before there was one. */
  agent(): Agent | undefined;
  /** Ends the program as SIGTERM does. */
  stop(): Promise<void>;
  /** Ends it as a power cut does: nothing more reaches its disk or the network. */
  kill(): void;
}

export interface GatewayOptions {
  /** The gateway refuses its voice document with these words. */
  readonly refusesVoice?: string;
  /** A claim that its first boot took from the boot partition. */
  readonly claim?: string;
  /** Called before each write to its disk. */
  readonly beforeWrite?: (path: string) => void;
}

export class PairingRig {
  readonly virtual: VirtualWorld;
  readonly store: Store = openLocalStore(':memory:');
  readonly bus: InProcessBus;
  config: CloudConfig;
  readonly #parts = new Map<string, RunningPart>();
  readonly #gateways = new Set<Gateway>();

  private constructor(virtual: VirtualWorld, config: CloudConfig) {
    this.virtual = virtual;
    this.config = config;
    this.bus = createBus(virtual.host('cloud', [CLOUD_ADDRESS]));
  }

  static async make(seed: number): Promise<PairingRig> {
    const virtual = new VirtualWorld({ seed });
    const config = await makeConfig(virtual.host('cloud', [CLOUD_ADDRESS]), CLOUD_ADDRESS, MQTT_PORT);
    const rig = new PairingRig(virtual, config);
    await rig.startCloud();
    virtual.serveHttp('cloud', '127.0.0.1:8080', async ({ path }) => ({
      status: path === DISCOVERY_PATH ? 200 : 404,
      headers: {},
      body: JSON.stringify({
        mqtt: `${CLOUD_ADDRESS}:${rig.config.mqtt.port}`,
        sips: `${CLOUD_ADDRESS}:5061`,
        ca: config.authority.certificate,
        http: 'https://portal.example',
      }),
    }));
    return rig;
  }

  async startCloud(): Promise<void> {
    await this.startPart('gateway-edge');
    await this.startPart('oamp');
  }

  async startPart(name: 'gateway-edge' | 'oamp'): Promise<void> {
    const world = this.virtual.host('cloud', [CLOUD_ADDRESS]);
    const part = name === 'oamp' ? oamp : gatewayEdge;
    this.#parts.set(name, await part.start({ world, bus: this.bus, store: this.store, config: this.config }));
  }

  /** The edge listens on another port from now on. */
  async moveEdge(port: number): Promise<void> {
    await this.stopPart('gateway-edge');
    this.config = { ...this.config, mqtt: { ...this.config.mqtt, port } };
    await this.startPart('gateway-edge');
  }

  async stopPart(name: 'gateway-edge' | 'oamp'): Promise<void> {
    await this.settle(this.#parts.get(name)?.stop() ?? Promise.resolve());
    this.#parts.delete(name);
  }

  /** Asks the bus as `principal`, default the operator. */
  ask<V extends VerbName>(verb: V, body: VerbRequest<V>, principal: Principal = OPERATOR): Promise<Outcome<V>> {
    return this.settle(this.bus.request(verb, body, { principal }));
  }

  /** The same, where a fault would be a failure of the test. */
  async must<V extends VerbName>(verb: V, body: VerbRequest<V>): Promise<VerbReply<V>> {
    const outcome = await this.ask(verb, body);
    if (!outcome.ok) throw new Error(`${verb}: ${JSON.stringify(outcome.fault)}`);
    return outcome.value;
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.virtual.settle(promise);
  }

  async home(name = 'Elm Street'): Promise<string> {
    return (await this.must('home.create', { name })).id;
  }

  row(gateway: string): Promise<GatewayRow | undefined> {
    return gatewayById(this.store, gateway);
  }

  /** Starts a gateway program on a host; the same name again is the same gateway after a restart. */
  async gateway(name: string, address: string, options: GatewayOptions = {}): Promise<Gateway> {
    const cut = () => this.virtual.network.drop(name, true);
    const { world, kill } = mortal(this.virtual.host(name, [address]), cut, options.beforeWrite);
    if (options.claim !== undefined)
      await this.settle(world.disk.write('/state/claim.json', utf8(JSON.stringify({ claim: options.claim }))));
    let agent: Agent | undefined;
    const make: PairingOptions['agent'] = (identity, cloud) => {
      agent = createAgent({
        world,
        identity,
        mqtt: cloud.mqtt,
        ca: identity.authority,
        state: '/state/agent',
        profile: 'residential-gateway',
        version: '0.1.0',
      });
      const { refusesVoice } = options;
      agent.onDesired('voice', async () => (refusesVoice === undefined ? ok({}) : err(refusesVoice)));
      return agent;
    };
    const pairing = createPairing({
      world,
      cloudUrl: CLOUD_URL,
      state: '/state',
      profile: 'residential-gateway',
      version: '0.1.0',
      agent: make,
    });
    const gateway: Gateway = {
      pairing,
      agent: () => agent,
      stop: () => this.settle(pairing.stop()),
      kill: () => {
        this.#gateways.delete(gateway);
        kill();
      },
    };
    this.#gateways.add(gateway);
    await this.settle(pairing.start());
    return gateway;
  }

  /** Waits until the gateway shows a code, and gives it. */
  async code(gateway: Gateway): Promise<string> {
    await this.virtual.until(() => gateway.pairing.status().code !== undefined, 120_000, 'a code');
    return gateway.pairing.status().code ?? '';
  }

  async end(): Promise<void> {
    for (const gateway of this.#gateways) await gateway.stop();
    for (const name of [...this.#parts.keys()] as ('gateway-edge' | 'oamp')[]) await this.stopPart(name);
    await this.store.close();
    this.virtual[Symbol.dispose]();
  }
}
