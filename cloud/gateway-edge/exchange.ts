/**
 * The talk with the clients on this edge: what comes up goes to the bus and its outcome back, what goes down is put into
 * envelopes. A repeated id that is still under way is not run again; one that is over is answered by its handler
 * from the idempotency key (gateway, id).
 */
import type { Bus, Context, Principal } from '#cloud/bus/bus.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { ENVELOPE_LIMIT, type Envelope } from '#shared/protocol/envelope.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { applicantDown, type DownChannel, gatewayDown, type UpChannel } from '#shared/protocol/topics.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { clientIdOf, type Identity } from './acl.ts';
import type { Connection } from './adapter-aedes.ts';
import type { Commands } from './commands.ts';
import { readUplink, type Uplink } from './uplink.ts';

/** Requests of one client that run at once; its next message is not read before one of them is over. */
export const RUNNING_LIMIT = 16;
/** Milliseconds that a request without an expiry may take, and the most that one may ask for. */
const REQUEST_TIMEOUT = 10_000;
const REQUEST_TIMEOUT_LIMIT = 60_000;
/** Octets of a payload: the packet less its headers; and of a body: the payload less its envelope. */
const PAYLOAD_LIMIT = ENVELOPE_LIMIT - 512;
export const BODY_LIMIT = PAYLOAD_LIMIT - 512;

/** What one connection has under way. */
interface Talk {
  epoch: number;
  readonly seq: Map<DownChannel, number>;
  readonly running: Set<string>;
  /** Settles when all ordered messages so far are over. */
  order: Promise<void>;
  /** Called when a place among the running becomes free. */
  readonly waiters: (() => void)[];
}

export interface ExchangeOptions {
  readonly world: World;
  readonly bus: Bus;
  readonly commands: Commands;
  /** The hello of a gateway was answered: its lease begins. Called after the answer is on its way. */
  greeted(connection: Connection, epoch: number): void;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #talks = new Map<Connection, Talk>();
  readonly #drops = new Map<string, number>();
  readonly #text = new TextDecoder();

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Messages dropped so far, by reason. */
  get drops(): ReadonlyMap<string, number> {
    return this.#drops;
  }

  /** True for a body that no packet to a gateway can carry. */
  static tooLarge(body: unknown): boolean {
    return utf8(JSON.stringify(body) ?? '').length > BODY_LIMIT;
  }

  begin(connection: Connection): void {
    this.#talks.set(connection, {
      epoch: 0,
      seq: new Map(),
      running: new Set(),
      order: Promise.resolve(),
      waiters: [],
    });
  }

  end(connection: Connection): void {
    this.#talks.delete(connection);
  }

  /** Takes a message; resolves when the client may send its next. */
  async take(connection: Connection, channel: UpChannel, payload: Uint8Array): Promise<void> {
    const talk = this.#talks.get(connection);
    if (talk === undefined) return;
    const wall = this.#options.world.clock.wall();
    const uplink = readUplink(connection.identity.kind, channel, this.#text.decode(payload), wall);
    switch (uplink.do) {
      case 'drop':
        this.#drops.set(uplink.why, (this.#drops.get(uplink.why) ?? 0) + 1);
        return;
      case 'settle':
        this.#options.commands.answered(connection, uplink.re, uplink.outcome);
        return;
      case 'refuse':
        this.#answer(connection, uplink.envelope, err(uplink.fault));
        return;
      case 'run':
        while (talk.running.size >= RUNNING_LIMIT) await new Promise<void>((resolve) => talk.waiters.push(resolve));
        this.#start(connection, talk, uplink);
    }
  }

  /** Sends an envelope down; gives its id. */
  send(
    connection: Connection,
    channel: DownChannel,
    message: { readonly type: string } & Pick<Envelope, 're' | 'exp' | 'body' | 'fault'>,
  ): string {
    const { clock, random } = this.#options.world;
    const talk = this.#talks.get(connection);
    const id = newId('msg', clock.wall(), random.bytes(10));
    if (talk === undefined) return id;
    const seq = (talk.seq.get(channel) ?? 0) + 1;
    talk.seq.set(channel, seq);
    const envelope: Envelope = { v: 1, id, ts: clock.wall(), epoch: talk.epoch, seq, ...message };
    let payload = utf8(JSON.stringify(envelope));
    if (payload.length > PAYLOAD_LIMIT) {
      // Only an answer can be: what the cloud sends of itself is measured before.
      const refusal = fault('too_large', 'The answer is larger than one packet may be.');
      payload = utf8(JSON.stringify({ ...envelope, body: undefined, fault: refusal }));
    }
    connection.send(topicOf(connection.identity, channel), payload);
    return id;
  }

  #start(connection: Connection, talk: Talk, uplink: Extract<Uplink, { do: 'run' }>): void {
    const { id } = uplink.envelope;
    if (talk.running.has(id)) return;
    talk.running.add(id);
    const run = () => this.#run(connection, talk, uplink);
    const done = uplink.ordered ? talk.order.then(run) : run();
    if (uplink.ordered) talk.order = done;
    void done.then(() => {
      talk.running.delete(id);
      talk.waiters.shift()?.();
    });
  }

  async #run(connection: Connection, talk: Talk, { envelope, verb, lives }: Extract<Uplink, { do: 'run' }>) {
    // A connection that ended takes its unstarted requests with it: they come again on the next one.
    if (!connection.open) return;
    const timeout = Math.min(lives ?? REQUEST_TIMEOUT, REQUEST_TIMEOUT_LIMIT);
    const context = this.#context(connection.identity, envelope);
    const body = envelope.body as VerbRequest<typeof verb>;
    const outcome = await this.#options.bus.request(verb, body, context, timeout);
    const greeted = verb === 'gateway.hello' && outcome.ok;
    if (greeted) talk.epoch = (outcome.value as { epoch: number }).epoch;
    this.#answer(connection, envelope, outcome);
    if (greeted && connection.open) this.#options.greeted(connection, talk.epoch);
  }

  #context(identity: Identity, envelope: Envelope): Context {
    const principal: Principal =
      identity.kind === 'gateway'
        ? { kind: 'gateway', gateway: identity.gateway, home: identity.home }
        : { kind: 'applicant', keyHash: identity.keyHash };
    const bodyHash = hex(this.#options.world.crypto.hash('sha256', utf8(JSON.stringify(envelope.body ?? null))));
    const scope = `${identity.kind === 'gateway' ? 'gw' : 'ap'}:${clientIdOf(identity)}`;
    const trace = envelope.traceparent === undefined ? {} : { traceparent: envelope.traceparent };
    return { principal, idempotency: { scope, key: envelope.id, bodyHash }, ...trace };
  }

  #answer(connection: Connection, { id, type }: Envelope, outcome: Result<unknown, Fault>): void {
    const answer = outcome.ok ? { body: outcome.value } : { fault: outcome.fault };
    this.send(connection, 'res', { type, re: id, ...answer });
  }
}

function topicOf(identity: Identity, channel: DownChannel): string {
  if (identity.kind === 'gateway') return gatewayDown(identity.gateway, channel);
  return applicantDown(identity.keyHash, channel === 'res' ? 'res' : 'cmd');
}
