/**
 * A gateway's MQTT connection: mqtt.js over a World stream, behind the wire guard. One object is one connection: when it
 * is over it never comes back; whoever owns it decides when to open the next. It counts as open only after the broker
 * has granted its one subscription, and it hands on only topics below that filter.
 */
import { MqttClient } from 'mqtt';
import { type Clock, NetError, type Timer, type TlsClientOptions, type World } from '#shared/kernel/world.ts';
import { GuardedDuplex } from './duplex.ts';
import { WireGuard } from './wire-guard.ts';
import { DISCONNECT } from './wire-guard-shape.ts';

export interface MqttTarget {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsClientOptions;
  readonly clientId: string;
  /** The one filter; it ends in `/#`. */
  readonly filter: string;
  /** Seconds. */
  readonly keepalive: number;
  /** Milliseconds for everything until the subscription is granted. */
  readonly timeout: number;
}

export interface MqttHandlers {
  message(topic: string, payload: Uint8Array): void;
  /** Exactly once after the connection was open, unless we closed it. */
  closed(why: string): void;
}

export interface MqttConnection {
  /** QoS 1. What is not acknowledged when the connection ends is forgotten; ask again by your own answer’s absence. */
  publish(topic: string, payload: Uint8Array): void;
  /** Says DISCONNECT and closes. */
  close(): void;
}

/** Milliseconds that DISCONNECT may take to leave. */
const CLOSE_TIMEOUT = 1000;

/** Opens a connection; rejects with a NetError (`EREFUSED` for a CONNACK or SUBACK that says no). */
export async function openMqtt(
  world: Pick<World, 'net' | 'clock'>,
  target: MqttTarget,
  handlers: MqttHandlers,
): Promise<MqttConnection> {
  const { clock } = world;
  const until = clock.mono() + target.timeout;
  const { host, port, tls, timeout } = target;
  const stream = await world.net.connect({ host, port, tls, timeout });
  let refusal: string | undefined;
  const duplex = new GuardedDuplex(stream, new WireGuard('broker', clock.mono()), clock, {
    refused: (why) => {
      refusal = `the cloud sent ${why}`;
    },
  });
  const client = new MqttClient(() => duplex, {
    clientId: target.clientId,
    keepalive: target.keepalive,
    protocolVersion: 4,
    clean: true,
    // What to do after an end is decided elsewhere, with a back-off that mqtt.js does not have.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    connectTimeout: target.timeout,
    timerVariant: intervals(clock),
    messageIdProvider: new PacketIds(),
  });
  client.on('message', (topic, payload) => {
    if (topic.startsWith(target.filter.slice(0, -1))) handlers.message(topic, payload);
    else client.end(true);
  });
  await subscribed(client, clock, target.filter, until);
  let over = false;
  client.on('close', () => {
    if (over) return;
    over = true;
    client.end(true);
    handlers.closed(refusal ?? 'the connection ended');
  });
  return {
    publish: (topic, payload) => {
      if (!over) client.publish(topic, Buffer.from(payload), { qos: 1 }, () => {});
    },
    close: () => {
      if (over) return;
      over = true;
      // mqtt.js itself would wait for every acknowledgement before it says DISCONNECT (section 3.14), perhaps for ever.
      const timer = clock.at(clock.mono() + CLOSE_TIMEOUT, () => client.end(true));
      duplex.write(Uint8Array.of(DISCONNECT << 4, 0));
      duplex.end(() => {
        timer.cancel();
        client.end(true);
      });
    },
  };
}

/** Waits for CONNACK and SUBACK; ends the client and rejects where one of them says no or is late. */
function subscribed(client: MqttClient, clock: Clock, filter: string, until: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, why: string) => {
      timer.cancel();
      client.off('close', closed);
      client.end(true);
      reject(new NetError(code, why));
    };
    const closed = () => fail('ECONNRESET', 'the connection ended before the subscription was granted');
    const timer = clock.at(until, () => fail('ETIMEDOUT', 'the subscription was not granted in time'));
    client.on('close', closed);
    // Stays for the life of the client: an unheard `error` event would end the process.
    client.on('error', (error) => fail('EREFUSED', error.message));
    client.once('connect', () => {
      client.subscribe(filter, { qos: 1 }, (error, granted) => {
        if (error !== null) return fail('EREFUSED', error.message);
        if (granted?.[0]?.qos !== 1) return fail('EREFUSED', 'the subscription was refused');
        timer.cancel();
        client.off('close', closed);
        resolve();
      });
    });
  });
}

/** The World's clock in the form in which mqtt.js drives its pings. */
function intervals(clock: Clock) {
  const running = new Map<number, Timer>();
  let last = 0;
  return {
    set(run: () => void, every: number): number {
      const id = ++last;
      const again = () => {
        const timer = clock.at(clock.mono() + every, () => {
          again();
          run();
        });
        running.set(id, timer);
      };
      again();
      return id;
    },
    clear(id: number): void {
      running.get(id)?.cancel();
      running.delete(id);
    },
  };
}

/** Packet identifiers 1..65535 in order; the library's own start at a random one, which no seed could repeat. */
class PacketIds {
  #last = 0;
  allocate(): number {
    this.#last = this.#last === 65_535 ? 1 : this.#last + 1;
    return this.#last;
  }
  getLastAllocated(): number {
    return this.#last;
  }
  register(_id: number): boolean {
    return true;
  }
  deallocate(_id: number): void {}
  clear(): void {}
}
