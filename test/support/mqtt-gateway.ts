import { type MqttConnection, type MqttTarget, openMqtt } from '#shared/host/mqtt.ts';
import type { Envelope } from '#shared/protocol/envelope.ts';
import type { Credentials, VirtualCloud } from './edge.ts';

const HELLO = { version: '1', profile: 'residential-gateway', applied: {}, outbox: { first: 0, last: 0, lost: 0 } };

/** A gateway as far as MQTT goes: it says what a test wants, and keeps what it gets. */
export class Gateway {
  readonly cloud: VirtualCloud;
  readonly got: Envelope[] = [];
  readonly ends: string[] = [];
  readonly made: Credentials;
  connection: MqttConnection | undefined;
  #seq = 0;

  constructor(cloud: VirtualCloud, made: Credentials) {
    this.cloud = cloud;
    this.made = made;
  }

  async open(more: Partial<MqttTarget> = {}, address = '10.0.1.1'): Promise<this> {
    this.connection = await this.cloud.virtual.settle(
      openMqtt(this.cloud.virtual.host(`home ${address}`, [address]), this.cloud.target(this.made, more), {
        message: (_topic, payload) => this.got.push(JSON.parse(Buffer.from(payload).toString()) as Envelope),
        closed: (why) => this.ends.push(why),
      }),
    );
    return this;
  }

  say(channel: string, type: string, body: unknown, more: object = {}): void {
    const seq = ++this.#seq;
    const envelope = { v: 1, id: `i${seq}`, type, ts: 0, epoch: 0, seq, body, ...more };
    const prefix = this.made.id.startsWith('gw_') ? `hl/1/g/${this.made.id}` : `hl/1/p/${this.made.id}/up`;
    this.connection?.publish(`${prefix}/${channel}`, Buffer.from(JSON.stringify(envelope)));
  }

  async greet(): Promise<this> {
    this.say('hello', 'gateway.hello', HELLO);
    await this.cloud.virtual.run(100);
    return this;
  }
}
