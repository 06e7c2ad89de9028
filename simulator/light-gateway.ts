/**
 * A light gateway: of all that a gateway is, only its bond with the cloud. Mutual TLS, MQTT, hello, the documents it is told to
 * apply, reports, signs of life, and the same back-off as the real one. Made to be held by the ten thousand.
 */
import { backoff } from '#shared/host/mqtt-backoff.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Address, Stream, World } from '#shared/kernel/world.ts';
import { type Envelope, readEnvelope } from '#shared/protocol/envelope.ts';
import { gatewayDown, gatewayFilter, gatewayUp, type UpChannel } from '#shared/protocol/topics.ts';
import {
  connectPacket,
  PacketReader,
  PINGREQ,
  pubackPacket,
  publishPacket,
  type Received,
  subscribePacket,
} from './light-mqtt.ts';

/** Seconds between signs of life, as the real gateway has them. */
export const KEEPALIVE = 30;

export interface LightIdentity {
  readonly gateway: string;
  readonly certificate: string;
  readonly key: string;
}

/** What all light gateways of a fleet share. */
export interface LightSettings {
  readonly world: World;
  readonly ca: string;
  cloud(): Address;
  /** Waits for its turn to connect; the result is called once it is connected or has failed. */
  turn(): Promise<() => void>;
  /** It is connected and greeted, after so many ms since it began to connect; or no longer. */
  changed(gateway: LightGateway, ready: boolean, ms: number): void;
}

interface Hello {
  readonly epoch: number;
  readonly documents: readonly { readonly doc: string; readonly version: number }[];
}

export class LightGateway {
  readonly #settings: LightSettings;
  readonly #identity: LightIdentity;
  readonly #waiting = new Map<string, () => void>();
  #stream: Stream | undefined;
  #reader = new PacketReader();
  #applied: Record<string, number> = {};
  #epoch = 0;
  #sequence = 0;
  #packet = 0;
  #message = 0;
  #failures = 0;
  #since = 0;
  #leave = () => {};
  #stopped = false;
  ready = false;

  constructor(settings: LightSettings, identity: LightIdentity) {
    this.#settings = settings;
    this.#identity = identity;
  }

  /** Connects, and connects again whenever it is cut off. Resolves once the handshake is over. */
  async connect(): Promise<void> {
    const { world, ca, cloud, turn } = this.#settings;
    const { certificate, key, gateway } = this.#identity;
    this.#leave = await turn();
    this.#since = world.clock.mono();
    try {
      const stream = await world.net.connect({ ...cloud(), tls: { ca, certificate, key }, timeout: 60_000 });
      if (this.#stopped) {
        stream.destroy();
        return;
      }
      this.#stream = stream;
      this.#reader = new PacketReader();
      stream.handle({
        data: (data) => {
          for (const received of this.#reader.take(data)) this.#take(received);
        },
        close: () => this.#closed(),
      });
      stream.write(connectPacket(gateway, KEEPALIVE));
    } catch {
      this.#closed();
    }
  }

  /** Says that it lives. */
  ping(): void {
    if (this.ready) this.#stream?.write(PINGREQ);
  }

  /** Tells a document's state; resolves once the cloud has it on its disk. A cut takes the answer along. */
  report(doc: string, body: unknown): Promise<void> {
    return this.#ask('reported', 'gateway.reported', { doc, applied: this.#applied[doc] ?? 1, state: 'applied', body });
  }

  /** Sends telemetry; resolves when the broker has it. */
  tele(body: unknown): Promise<void> {
    const id = this.#send('tele', 'tele', body);
    return new Promise((resolve) => this.#waiting.set(`#${id.packet}`, resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.ready = false;
    this.#stream?.destroy();
  }

  #ask(channel: UpChannel, type: string, body: unknown): Promise<void> {
    const { message } = this.#send(channel, type, body);
    return new Promise((resolve) => this.#waiting.set(message, resolve));
  }

  #send(channel: UpChannel, type: string, body: unknown): { packet: number; message: string } {
    const { clock } = this.#settings.world;
    const message = `l${this.#epoch}_${++this.#message}`;
    this.#packet = this.#packet === 65_535 ? 1 : this.#packet + 1;
    const envelope: Envelope = {
      v: 1,
      id: message,
      type,
      ts: Math.floor(clock.wall()),
      epoch: this.#epoch,
      seq: ++this.#sequence,
      body,
    };
    const topic = gatewayUp(this.#identity.gateway, channel);
    this.#stream?.write(publishPacket(this.#packet, topic, utf8(JSON.stringify(envelope))));
    return { packet: this.#packet, message };
  }

  #take(received: Received): void {
    const { gateway } = this.#identity;
    switch (received.is) {
      case 'connack':
        if (received.code === 0) this.#stream?.write(subscribePacket(1, gatewayFilter(gateway)));
        return;
      case 'suback': {
        const applied = this.#applied;
        this.#send('hello', 'gateway.hello', {
          version: 'light',
          profile: 'residential-gateway',
          applied,
          outbox: { first: 0, last: 0, lost: 0 },
        });
        return;
      }
      case 'puback':
        this.#settle(`#${received.id}`);
        return;
      case 'publish':
        if (received.id !== 0) this.#stream?.write(pubackPacket(received.id));
        this.#heard(received.topic, received.payload);
        return;
      case 'other':
    }
  }

  #heard(topic: string, payload: Uint8Array): void {
    const envelope = readEnvelope(new TextDecoder().decode(payload));
    if (envelope === undefined) return;
    if (topic === gatewayDown(this.#identity.gateway, 'desired')) {
      this.#apply(envelope.body as Hello['documents'][number]);
      return;
    }
    if (topic !== gatewayDown(this.#identity.gateway, 'res')) return;
    this.#settle(envelope.re ?? '');
    if (envelope.type === 'gateway.hello' && envelope.fault === undefined) this.#greeted(envelope.body as Hello);
  }

  #greeted({ epoch, documents }: Hello): void {
    this.#epoch = epoch;
    this.#failures = 0;
    for (const document of documents) this.#apply(document);
    this.#leave();
    this.ready = true;
    this.#settings.changed(this, true, this.#settings.world.clock.mono() - this.#since);
  }

  #apply({ doc, version }: Hello['documents'][number]): void {
    this.#applied[doc] = version;
    this.#send('reported', 'gateway.reported', { doc, applied: version, state: 'applied', body: {} });
  }

  #settle(name: string): void {
    const resolve = this.#waiting.get(name);
    this.#waiting.delete(name);
    resolve?.();
  }

  #closed(): void {
    this.#leave();
    this.#stream = undefined;
    if (this.ready) {
      this.ready = false;
      this.#settings.changed(this, false, 0);
    }
    for (const name of [...this.#waiting.keys()]) this.#settle(name);
    if (this.#stopped) return;
    const { clock, random } = this.#settings.world;
    clock.at(clock.mono() + backoff(++this.#failures, random.fraction()), () => {
      if (!this.#stopped) void this.connect();
    });
  }
}
