/**
 * aedes as protocol engine behind the wire guard: it answers CONNECT, SUBSCRIBE, PINGREQ and acknowledges; what comes up is
 * taken out of `authorizePublish`, what goes down is written to that one client's own stream.
 */
import type { AuthenticateError, Client } from 'aedes';
import { Aedes } from 'aedes';
import { GuardedDuplex } from '#shared/host/duplex.ts';
import { WireGuard } from '#shared/host/wire-guard.ts';
import { number16, PUBACK } from '#shared/host/wire-guard-shape.ts';
import type { Stream, Timer, World } from '#shared/kernel/world.ts';
import type { UpChannel } from '#shared/protocol/topics.ts';
import { clientIdOf, filterOf, type Identity, mayPublish, maySubscribe } from './acl.ts';
import { emptyEmitter, emptyPersistence } from './adapter-persistence.ts';
import { Downlink, STALL_LIMIT } from './downlink.ts';

export interface Connection {
  readonly identity: Identity;
  readonly address: string;
  /** False once it is over. */
  readonly open: boolean;
  /** Queues a message; a connection whose queue is full is closed. Before the SUBSCRIBE it waits. */
  send(topic: string, payload: Uint8Array): void;
  close(why: string): void;
}

export interface BrokerHooks {
  /** CONNECT was accepted. */
  connected(connection: Connection): void;
  /** A message; the client's next ones are read once the promise resolves, which it must. */
  message(connection: Connection, channel: UpChannel, payload: Uint8Array): Promise<void>;
  /** Exactly once for every accepted stream, whether or not it ever was `connected`. */
  closed(connection: Connection, why: string): void;
}

export interface Broker {
  accept(stream: Stream, identity: Identity): void;
  close(): Promise<void>;
}

/** How often a connection on which something waits is looked at, ms. */
const LOOK = STALL_LIMIT / 5;
/** aedes' code for `not authorized` in a CONNACK. */
const NOT_AUTHORIZED = 5;

export async function createBroker(world: World, hooks: BrokerHooks): Promise<Broker> {
  const connections = new WeakMap<object, Served>();
  const of = (client: Client | null) => (client === null ? undefined : connections.get(client.conn));

  const broker = await Aedes.createBroker({
    id: 'edge',
    mq: emptyEmitter,
    persistence: emptyPersistence,
    drainTimeout: STALL_LIMIT,
    maxClientsIdLength: 64,
    authenticate(client, _user, _password, done) {
      const served = of(client);
      if (served === undefined || client.id !== clientIdOf(served.identity)) {
        const error = Object.assign(new Error('the client identifier is not the certificate’s'), {
          returnCode: NOT_AUTHORIZED,
        }) as AuthenticateError;
        return done(error, null);
      }
      hooks.connected(served);
      done(null, true);
    },
    authorizePublish(client, packet, done) {
      const served = of(client);
      const channel = served === undefined ? undefined : mayPublish(served.identity, packet.topic);
      if (served === undefined || channel === undefined) return done(new Error('a topic of somebody else'));
      const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
      hooks.message(served, channel, payload).then(
        () => done(null),
        (error: unknown) => done(error instanceof Error ? error : new Error('the message failed')),
      );
    },
    authorizeSubscribe(client, subscription, done) {
      const served = of(client);
      const good = served !== undefined && maySubscribe(served.identity, subscription.topic, subscription.qos);
      // aedes answers `null` with the return code 0x80 (MQTT 3.1.1 section 3.9.3).
      done(null, good ? subscription : null);
    },
  });
  broker.on('subscribe', (subscriptions, client) => {
    const served = of(client);
    if (served === undefined) return;
    const own = filterOf(served.identity);
    // aedes has put the granted quality of service, or 128 for a refusal, into each entry.
    if (subscriptions.some(({ topic, qos }) => topic === own && qos <= 1)) served.subscribed();
  });
  for (const event of ['clientError', 'connectionError'] as const) {
    broker.on(event, (client, error) => of(client)?.blame(error.message));
  }

  return {
    accept(stream, identity) {
      const served = new Served(world, stream, identity, hooks);
      connections.set(served.duplex, served);
      broker.handle(served.duplex);
    },
    close: () => new Promise((resolve) => broker.close(() => resolve())),
  };
}

class Served implements Connection {
  readonly identity: Identity;
  readonly address: string;
  readonly duplex: GuardedDuplex;
  readonly #world: World;
  readonly #downlink = new Downlink();
  #open = true;
  #subscribed = false;
  #why = 'the gateway closed it';
  #timer: Timer | undefined;

  constructor(world: World, stream: Stream, identity: Identity, hooks: BrokerHooks) {
    this.#world = world;
    this.identity = identity;
    this.address = stream.remote.host;
    this.duplex = new GuardedDuplex(stream, new WireGuard('client', world.clock.mono()), world.clock, {
      packet: (data) => this.#acknowledgement(data),
      refused: (why) => this.blame(`refused: ${why}`),
      drained: () => this.#flush(),
    });
    this.duplex.on('close', () => {
      this.#open = false;
      this.#timer?.cancel();
      hooks.closed(this, this.#why);
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /** Keeps the first cause of the end. */
  blame(why: string): void {
    if (this.#why === 'the gateway closed it') this.#why = why;
  }

  subscribed(): void {
    this.#subscribed = true;
    this.#flush();
  }

  send(topic: string, payload: Uint8Array): void {
    if (!this.#open) return;
    if (!this.#downlink.push(topic, payload, this.duplex.waiting, this.#world.clock.mono())) {
      this.close('it does not read: its queue is full');
    } else this.#flush();
  }

  close(why: string): void {
    if (!this.#open) return;
    this.blame(why);
    this.#open = false;
    this.duplex.destroy();
  }

  #acknowledgement(data: Uint8Array): void {
    if ((data[0] ?? 0) >> 4 !== PUBACK) return;
    this.#downlink.acknowledged(number16(data, 2), this.#world.clock.mono());
    this.#flush();
  }

  #flush(): void {
    if (!this.#open) return;
    const now = this.#world.clock.mono();
    if (this.#subscribed) {
      for (;;) {
        const packet = this.#downlink.next(this.duplex.waiting, now);
        if (packet === undefined) break;
        this.duplex.write(packet);
      }
    }
    if (this.#timer === undefined && this.#downlink.waits(this.duplex.waiting)) this.#look(now);
  }

  /** While something waits, looks whether it moves. */
  #look(now: number): void {
    this.#timer = this.#world.clock.at(now + LOOK, () => {
      this.#timer = undefined;
      const at = this.#world.clock.mono();
      if (this.#downlink.stalled(this.duplex.waiting, at)) this.close('it does not read: nothing moved for too long');
      else this.#flush();
    });
  }
}
