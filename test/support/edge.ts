/** A cloud with nothing but its gateways' edge, for tests and benches: real bus, real store; the oamp server's verbs answer from a table. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { gatewayEdge } from '#cloud/gateway-edge/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import type { MqttTarget } from '#shared/host/mqtt.ts';
import { hostWorld } from '#shared/host/world.ts';
import { ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { applicantFilter, gatewayFilter } from '#shared/protocol/topics.ts';
import { VirtualWorld } from '#simulator/world.ts';

export interface Asked {
  readonly verb: string;
  readonly body: unknown;
  readonly context: Context;
}

export interface Credentials {
  /** The client identifier. */
  readonly id: string;
  readonly certificate: string;
  readonly key: string;
  readonly keyHash: string;
}

export interface Cloud {
  readonly world: World;
  readonly bus: ReturnType<typeof createBus>;
  readonly store: ReturnType<typeof openLocalStore>;
  readonly edge: RunningPart;
  readonly config: CloudConfig;
  /** What the oamp server was asked. */
  readonly asked: Asked[];
  /** A certificate of our authority for a gateway that the directory then knows; another one replaces the first. */
  gateway(id: string, home?: string): Promise<Credentials>;
  /** A certificate that its own key has signed. */
  applicant(): Promise<Credentials>;
  target(credentials: Credentials, more?: Partial<MqttTarget>): MqttTarget;
  /** Takes the oamp server away; the result brings it back. */
  stopOamp(): () => void;
}

export interface VirtualCloud extends Cloud {
  readonly virtual: VirtualWorld;
}

const YEAR = 365 * 86_400_000;
export const CLOUD_ADDRESS = '10.0.0.1';
export const MQTT_PORT = 8883;

export type Answers = { [V in keyof Handlers<'oamp'>]?: Handlers<'oamp'>[V] };

/** A cloud at 10.0.0.1 of a virtual world; `answers` replace what oamp says (hello: the next epoch; everything else: nothing). */
export async function makeCloud(seed: number, answers: Answers = {}): Promise<VirtualCloud> {
  const virtual = new VirtualWorld({ seed });
  return { virtual, ...(await buildCloud(virtual.host('cloud', [CLOUD_ADDRESS]), CLOUD_ADDRESS, MQTT_PORT, answers)) };
}

/** A cloud on a free port of 127.0.0.1, with real sockets and real TLS. */
export function makeHostCloud(answers: Answers = {}): Promise<Cloud> {
  return buildCloud(hostWorld(), '127.0.0.1', 0, answers);
}

async function buildCloud(world: World, address: string, mqttPort: number, answers: Answers): Promise<Cloud> {
  const bus = createBus(world);
  const store = openLocalStore(':memory:');
  const config = await makeConfig(world, address, mqttPort);
  const asked: Asked[] = [];
  const serve = () => serveOamp(bus, asked, world, answers);
  let withdraw = serve();
  const edge = await gatewayEdge.start({ world, bus, store, config });
  return {
    world,
    bus,
    store,
    edge,
    config,
    asked,
    async gateway(id, home = 'home_1') {
      const made = await credentials(world, id, config.authority);
      const serial = (await world.crypto.readCertificate(made.certificate))?.serial ?? '';
      await store.commit([
        sql(
          `INSERT INTO gateway (id, home, key_hash, state, certificate_serial, claimed_at) VALUES (?, ?, ?, 'paired', ?, 0)
           ON CONFLICT (id) DO UPDATE SET previous_serial = certificate_serial, certificate_serial = excluded.certificate_serial`,
          id,
          home,
          made.keyHash,
          serial,
        ),
      ]);
      return made;
    },
    applicant: async () => {
      const made = await credentials(world, 'unpaired');
      return { ...made, id: made.keyHash };
    },
    target: (made, more) => ({
      host: address,
      port: config.bound.mqtt?.port ?? mqttPort,
      tls: { ca: config.authority.certificate, certificate: made.certificate, key: made.key },
      clientId: made.id,
      filter: made.id.startsWith('gw_') ? gatewayFilter(made.id) : applicantFilter(made.id),
      keepalive: 30,
      timeout: 10_000,
      ...more,
    }),
    stopOamp() {
      withdraw();
      return () => {
        withdraw = serve();
      };
    },
  };
}

async function credentials(
  world: World,
  subject: string,
  authority?: { readonly certificate: string; readonly key: string },
): Promise<Credentials> {
  const pair = await world.crypto.createKey();
  const certificate = await world.crypto.issue({
    subject,
    publicKey: pair.publicKey,
    signer: authority?.key ?? pair.privateKey,
    ...(authority === undefined ? {} : { issuer: authority.certificate }),
    notBefore: world.clock.wall() - YEAR,
    notAfter: world.clock.wall() + YEAR,
    use: 'client',
  });
  return { id: subject, certificate, key: pair.privateKey, keyHash: pair.keyHash };
}

/** A configuration with an authority and a server certificate made by it. */
export async function makeConfig(world: World, address: string, mqttPort: number): Promise<CloudConfig> {
  const wall = world.clock.wall();
  const times = { notBefore: wall - YEAR, notAfter: wall + YEAR };
  const authority = await world.crypto.createKey();
  const { publicKey, privateKey: signer } = authority;
  const root = await world.crypto.issue({ subject: 'authority', publicKey, signer, use: 'authority', ...times });
  const server = await world.crypto.createKey();
  const certificate = await world.crypto.issue({
    subject: 'cloud',
    publicKey: server.publicKey,
    issuer: root,
    signer,
    use: 'server',
    names: [address],
    ...times,
  });
  const at = (port: number) => ({ host: address, port });
  return {
    data: '/data',
    http: at(0),
    mqtt: at(mqttPort),
    sip: at(0),
    sips: at(0),
    media: { host: address, low: 20_000, high: 20_999 },
    publicHost: address,
    domain: 'example.net',
    authority: { certificate: root, key: signer, keyHash: authority.keyHash },
    server: { certificate, key: server.privateKey },
    bound: {},
  };
}

const served = ['gateway.hello', 'gateway.seen', 'gateway.reported', 'alarm.raise', 'pairing.announce'] as const;

function serveOamp(bus: Cloud['bus'], asked: Asked[], world: World, answers: Answers): () => void {
  let epoch = 0;
  const usual: Partial<Record<string, () => unknown>> = {
    'gateway.hello': () => ({ epoch: ++epoch, at: world.clock.wall(), documents: [] }),
    'pairing.announce': () => ({ expiresAt: world.clock.wall() + 900_000 }),
  };
  const handlers = served.map((verb) => [
    verb,
    (body: unknown, context: Context): Promise<Outcome<typeof verb>> => {
      asked.push({ verb, body, context });
      const own = answers[verb] as ((body: unknown, context: Context) => Promise<Outcome<typeof verb>>) | undefined;
      return own?.(body, context) ?? Promise.resolve(ok((usual[verb]?.() ?? {}) as never));
    },
  ]);
  return bus.serve('oamp', Object.fromEntries(handlers) as Handlers<'oamp'>);
}
