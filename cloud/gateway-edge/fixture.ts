/** A cloud with an edge on a virtual world, for tests: real bus, real store; the oamp server's verbs answer from a table. */

import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import type { MqttTarget } from '#shared/host/mqtt.ts';
import { ok } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { applicantFilter, gatewayFilter } from '#shared/protocol/topics.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { gatewayEdge } from './server.ts';

export interface Asked {
  readonly verb: string;
  readonly body: unknown;
  readonly context: Context;
}

export interface Cloud {
  readonly virtual: VirtualWorld;
  readonly world: World;
  readonly bus: ReturnType<typeof createBus>;
  readonly store: ReturnType<typeof openLocalStore>;
  readonly edge: RunningPart;
  /** What the oamp server was asked. */
  readonly asked: Asked[];
  readonly config: CloudConfig;
  /** A certificate of our authority for a gateway that the directory knows; another one replaces the serial. */
  gateway(id: string, home?: string): Promise<Credentials>;
  applicant(): Promise<Credentials & { readonly keyHash: string }>;
  target(credentials: Credentials, more?: Partial<MqttTarget>): MqttTarget;
  startEdge(): Promise<RunningPart>;
}

export interface Credentials {
  readonly id: string;
  readonly certificate: string;
  readonly key: string;
}

const YEAR = 365 * 86_400_000;
export const CLOUD_ADDRESS = '10.0.0.1';
export const MQTT_PORT = 8883;

type Answers = { [V in keyof Handlers<'oamp'>]?: Handlers<'oamp'>[V] };

/** Makes a cloud; `answers` replace what oamp says by default (hello: the next epoch; everything else: empty). */
export async function makeCloud(seed: number, answers: Answers = {}): Promise<Cloud> {
  const virtual = new VirtualWorld({ seed });
  const world = virtual.host('cloud', [CLOUD_ADDRESS]);
  const bus = createBus(world);
  const store = openLocalStore(':memory:');
  const config = await makeConfig(world);
  const asked: Asked[] = [];
  serveOamp(bus, asked, world, answers);
  const startEdge = () => gatewayEdge.start({ world, bus, store, config });
  const edge = await startEdge();

  async function credentials(subject: string, signer?: { issuer: string; key: string }) {
    const pair = await world.crypto.createKey();
    const certificate = await world.crypto.issue({
      subject,
      publicKey: pair.publicKey,
      signer: signer?.key ?? pair.privateKey,
      ...(signer === undefined ? {} : { issuer: signer.issuer }),
      notBefore: world.clock.wall() - YEAR,
      notAfter: world.clock.wall() + YEAR,
      use: 'client',
    });
    return { id: subject, certificate, key: pair.privateKey, keyHash: pair.keyHash };
  }

  return {
    virtual,
    world,
    bus,
    store,
    edge,
    asked,
    config,
    startEdge,
    async gateway(id, home = 'home_1') {
      const { certificate: issuer, key } = config.authority;
      const made = await credentials(id, { issuer, key });
      const serial = (await world.crypto.readCertificate(made.certificate))?.serial ?? '';
      await store.commit([
        sql(
          'INSERT INTO gateway (id, home, key_hash, state, certificate_serial, claimed_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET previous_serial = certificate_serial, certificate_serial = excluded.certificate_serial',
          id,
          home,
          made.keyHash,
          'paired',
          serial,
          0,
        ),
      ]);
      return made;
    },
    async applicant() {
      const made = await credentials('unpaired');
      return { ...made, id: made.keyHash };
    },
    target: (made, more) => ({
      host: CLOUD_ADDRESS,
      port: MQTT_PORT,
      tls: { ca: config.authority.certificate, certificate: made.certificate, key: made.key },
      clientId: made.id,
      filter: made.id.startsWith('gw_') ? gatewayFilter(made.id) : applicantFilter(made.id),
      keepalive: 30,
      timeout: 10_000,
      ...more,
    }),
  };
}

async function makeConfig(world: World): Promise<CloudConfig> {
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
    names: [CLOUD_ADDRESS],
    ...times,
  });
  const at = (port: number) => ({ host: CLOUD_ADDRESS, port });
  return {
    data: '/data',
    http: at(8080),
    mqtt: at(MQTT_PORT),
    sip: at(5060),
    sips: at(5061),
    media: { host: CLOUD_ADDRESS, low: 20_000, high: 20_999 },
    publicHost: CLOUD_ADDRESS,
    domain: 'example.net',
    authority: { certificate: root, key: signer, keyHash: authority.keyHash },
    server: { certificate, key: server.privateKey },
    bound: {},
  };
}

/** Serves the oamp server's verbs, remembering what came. */
export function serveOamp(bus: Cloud['bus'], asked: Asked[], world: World, answers: Answers): () => void {
  let epoch = 0;
  const usual: Record<string, () => unknown> = {
    'gateway.hello': () => ({ epoch: ++epoch, at: world.clock.wall(), documents: [] }),
    'pairing.announce': () => ({ expiresAt: world.clock.wall() + 900_000 }),
  };
  const handlers = new Proxy(
    {},
    {
      ownKeys: () => ['gateway.hello', 'gateway.seen', 'gateway.reported', 'alarm.raise', 'pairing.announce'],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
      get: (_target, verb: string) => async (body: unknown, context: Context) => {
        asked.push({ verb, body, context });
        const own = answers[verb as keyof Answers] as ((b: unknown, c: Context) => Promise<Outcome<never>>) | undefined;
        return own === undefined ? ok(usual[verb]?.() ?? {}) : own(body, context);
      },
    },
  );
  return bus.serve('oamp', handlers as Handlers<'oamp'>);
}
