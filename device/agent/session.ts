/** Runs a link (`link.ts`) on the world: opens its connections, writes its envelopes, keeps its one timer. */
import { type MqttConnection, type MqttTarget, openMqtt } from '#shared/host/mqtt.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { newId } from '#shared/kernel/ids.ts';
import { TICK, type Tick } from '#shared/kernel/machine.ts';
import { err, type Result } from '#shared/kernel/result.ts';
import { NetError, type Timer, type World } from '#shared/kernel/world.ts';
import { ENVELOPE_LIMIT, type Envelope, readEnvelope } from '#shared/protocol/envelope.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { DownChannel, UpChannel } from '#shared/protocol/topics.ts';
import { type LinkInput, type LinkOutput, type LinkPhase, type LinkState, link, newLink } from './link.ts';

/** What a state change tells. `why` says what ended the last connection. */
export interface LinkStatus {
  readonly at: LinkPhase;
  readonly epoch: number;
  readonly why?: string;
}

export interface SessionOptions {
  readonly world: World;
  /** Where to connect and as whom; asked anew for every connection. */
  target(): MqttTarget;
  readonly topics: {
    up(channel: UpChannel): string;
    down(topic: string): DownChannel | undefined;
  };
  /** The body of hello; absent for an applicant, who does not greet. */
  hello?(): Promise<unknown>;
  obey(verb: string, body: unknown): Promise<Result<unknown, Fault>>;
  desired(body: unknown): void;
  changed(status: LinkStatus): void;
}

/** Most octets of an envelope's payload: the packet's limit less topic and headers. */
const PAYLOAD_LIMIT = ENVELOPE_LIMIT - 512;

export class Session {
  readonly #options: SessionOptions;
  readonly #state: LinkState;
  readonly #waiting = new Map<string, (outcome: Result<unknown, Fault>) => void>();
  readonly #inputs: (LinkInput | Tick)[] = [];
  readonly #text = new TextDecoder();
  #stepping = false;
  #timer: Timer | undefined;
  #connection: MqttConnection | undefined;
  /** Counts tries, so that what an old one still says is not taken for the new one's. */
  #attempt = 0;
  #status: LinkStatus = { at: 'stopped', epoch: 0 };

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#state = newLink({ greets: options.hello !== undefined });
  }

  get status(): LinkStatus {
    return this.#status;
  }

  /** The cloud's wall clock, ms; undefined before it has told. Ours may jump: it has no part in it. */
  get cloudTime(): number | undefined {
    const { ahead } = this.#state;
    return ahead === undefined ? undefined : this.#options.world.clock.mono() + ahead;
  }

  /** The cloud's wall clock minus ours, ms; 0 before it has told. */
  get offset(): number {
    const wall = this.#options.world.clock.wall();
    return (this.cloudTime ?? wall) - wall;
  }

  start(): void {
    this.#step({ on: 'start' });
  }

  /** Every open request settles; nothing runs afterwards. */
  stop(): void {
    this.#step({ on: 'stop' });
    this.#timer?.cancel();
  }

  /** Leaves the present connection and opens another at once, for example with a new certificate. */
  reconnect(): void {
    this.#step({ on: 'again' });
  }

  /** Asks the cloud; `timeout` in ms. Always resolves. The same `id` again means the same request. */
  ask(
    channel: UpChannel,
    verb: string,
    body: unknown,
    timeout: number,
    id = this.#newId(),
  ): Promise<Result<unknown, Fault>> {
    if (utf8(JSON.stringify(body)).length > PAYLOAD_LIMIT - 512) {
      return Promise.resolve(err(fault('too_large', 'The message is larger than one packet may be.')));
    }
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      const deadline = this.#options.world.clock.mono() + timeout;
      this.#step({ on: 'ask', id, channel, verb, body, deadline });
    });
  }

  #newId(): string {
    const { clock, random } = this.#options.world;
    return newId('msg', clock.wall(), random.bytes(10));
  }

  /** One input at a time: what an output causes waits until the step is over. */
  #step(input: LinkInput | Tick): void {
    this.#inputs.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    const { clock } = this.#options.world;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const out: LinkOutput[] = [];
      link.step(this.#state, next, clock.mono(), out);
      for (const output of out) this.#perform(output);
    }
    this.#stepping = false;
    this.#timer?.cancel();
    this.#timer = clock.at(link.due(this.#state), () => this.#step(TICK));
  }

  #perform(output: LinkOutput): void {
    switch (output.do) {
      case 'open':
        void this.#open();
        return;
      case 'close':
        this.#close();
        return;
      case 'give-up':
        this.#close();
        this.#ended('the connection was given up');
        return;
      case 'greet':
        void this.#greet();
        return;
      case 'send':
        this.#send(output);
        return;
      case 'settle':
        this.#waiting.get(output.id)?.(output.outcome);
        this.#waiting.delete(output.id);
        return;
      case 'obey':
        void this.#obey(output.id, output.verb, output.body);
        return;
      case 'desired':
        this.#options.desired(output.body);
        return;
      case 'state':
        this.#status = {
          at: output.at,
          epoch: this.#state.epoch,
          ...(output.why === undefined ? {} : { why: output.why }),
        };
        this.#options.changed(this.#status);
        return;
    }
  }

  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    const ended = (why: string) => {
      if (current()) this.#ended(why);
    };
    try {
      const connection = await openMqtt(this.#options.world, this.#options.target(), {
        message: (topic, payload) => {
          if (current()) this.#received(topic, payload);
        },
        closed: ended,
      });
      if (!current()) return connection.close();
      this.#connection = connection;
      this.#step({ on: 'opened' });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      ended(error.message);
    }
  }

  #close(): void {
    this.#attempt++;
    this.#connection?.close();
    this.#connection = undefined;
  }

  #ended(why: string): void {
    this.#connection = undefined;
    this.#step({ on: 'closed', fraction: this.#options.world.random.fraction(), why });
  }

  async #greet(): Promise<void> {
    const attempt = this.#attempt;
    const body = await this.#options.hello?.();
    if (attempt === this.#attempt) this.#step({ on: 'hello', id: this.#newId(), body });
  }

  async #obey(id: string, verb: string, body: unknown): Promise<void> {
    this.#step({ on: 'obeyed', id, outcome: await this.#options.obey(verb, body) });
  }

  #send(output: Extract<LinkOutput, { do: 'send' }>): void {
    const { cloudTime } = this;
    const exp = output.lives === undefined || cloudTime === undefined ? undefined : Math.ceil(cloudTime + output.lives);
    const envelope: Envelope = {
      v: 1,
      id: output.id ?? this.#newId(),
      type: output.type,
      ts: Math.floor(cloudTime ?? this.#options.world.clock.wall()),
      epoch: output.epoch,
      seq: output.seq,
      ...(exp === undefined ? {} : { exp }),
      ...(output.re === undefined ? {} : { re: output.re }),
      ...output.answer,
    };
    let payload = utf8(JSON.stringify(envelope));
    if (payload.length > PAYLOAD_LIMIT) {
      // Only an answer can be: what we ask is measured before.
      const refusal = fault('too_large', 'The answer is larger than one packet may be.');
      payload = utf8(JSON.stringify({ ...envelope, body: undefined, fault: refusal }));
    }
    this.#connection?.publish(this.#options.topics.up(output.channel), payload);
  }

  #received(topic: string, payload: Uint8Array): void {
    const channel = this.#options.topics.down(topic);
    const envelope = readEnvelope(this.#text.decode(payload));
    if (channel === undefined || envelope === undefined) {
      this.#options.world.log.warn('agent.unreadable', { octets: payload.length });
      return;
    }
    this.#step({ on: 'received', channel, envelope });
  }
}
