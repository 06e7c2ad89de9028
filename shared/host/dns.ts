/**
 * A DNS client over any World: asks the servers that it is given over UDP, and over TCP what does not fit; keeps answers for their time.
 * Every question has an id and a port of its own, and only the server that was asked is heard (RFC 5452).
 */
import type { Address, Stream, World } from '../kernel/world.ts';
import { type DnsAnswer, type DnsType, readAnswer, writeQuestion } from '../sip/dns-message.ts';

export interface DnsOptions {
  readonly servers: readonly Address[];
  /** Milliseconds for one server's answer; default 2 s. Every server is asked twice. */
  readonly timeout?: number;
}

/** Answers kept at once, and the most seconds for which one is believed. */
export const DNS_CACHE = 1_000;
const TTL_LIMIT = 3_600;
/** Milliseconds for which an answer whose time is over still serves where DNS cannot say, and until it is asked again (RFC 8767 sections 4, 5). */
export const STALE_FOR = 86_400_000;
export const ASK_AGAIN = 30_000;
/** Octets of an answer over TCP. */
const STREAM_LIMIT = 16_384;
const ROUNDS = 2;

const FAILED: DnsAnswer = { outcome: 'failed', records: [], ttl: 0 };

interface Kept {
  readonly answer: DnsAnswer;
  readonly until: number;
  readonly staleUntil: number;
}

type NetWorld = Pick<World, 'clock' | 'net' | 'random'>;

export class Dns {
  readonly #world: NetWorld;
  readonly #servers: readonly Address[];
  readonly #timeout: number;
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<DnsAnswer>>();

  constructor(world: NetWorld, { servers, timeout = 2_000 }: DnsOptions) {
    this.#world = world;
    this.#servers = servers;
    this.#timeout = timeout;
  }

  /** Never rejects: what cannot be found out is `failed`. */
  lookup(name: string, type: DnsType): Promise<DnsAnswer> {
    const key = `${type} ${name.toLowerCase()}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#world.clock.mono()) return Promise.resolve(kept.answer);
    const asking = this.#asking.get(key);
    if (asking !== undefined) return asking;
    const work = this.#ask(name, type)
      .then((answer) => this.#keep(key, answer))
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, work);
    return work;
  }

  #keep(key: string, answer: DnsAnswer): DnsAnswer {
    const now = this.#world.clock.mono();
    const before = this.#kept.get(key);
    this.#kept.delete(key);
    if (answer.outcome === 'failed' && before !== undefined && before.staleUntil > now) {
      this.#kept.set(key, { ...before, until: now + ASK_AGAIN });
      return before.answer;
    }
    if (answer.ttl <= 0) return answer;
    const until = now + Math.min(answer.ttl, TTL_LIMIT) * 1000;
    this.#kept.set(key, { answer, until, staleUntil: until + STALE_FOR });
    const oldest = this.#kept.size > DNS_CACHE ? this.#kept.keys().next().value : undefined;
    if (oldest !== undefined) this.#kept.delete(oldest);
    return answer;
  }

  async #ask(name: string, type: DnsType): Promise<DnsAnswer> {
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of this.#servers) {
        const [high = 0, low = 0] = this.#world.random.bytes(2);
        const id = high * 256 + low;
        const question = writeQuestion(id, name, type);
        if (question === undefined) return { outcome: 'none', records: [], ttl: 0 };
        const read = (data: Uint8Array) => readAnswer(data, id, name, type);
        let answer = await this.#datagram(server, question, read).catch(() => undefined);
        if (answer?.outcome === 'cut') answer = await this.#stream(server, question, read).catch(() => undefined);
        if (answer !== undefined && (answer.outcome === 'found' || answer.outcome === 'none')) return answer;
      }
    }
    return FAILED;
  }

  async #datagram(
    server: Address,
    question: Uint8Array,
    read: (data: Uint8Array) => DnsAnswer | undefined,
  ): Promise<DnsAnswer | undefined> {
    const { clock, net } = this.#world;
    let settle: (answer: DnsAnswer | undefined) => void = () => {};
    const answered = new Promise<DnsAnswer | undefined>((resolve) => {
      settle = resolve;
    });
    const host = server.host.includes(':') ? '::' : '0.0.0.0';
    const socket = await net.udp({ host, port: 0 }, (data, from) => {
      const answer = from.host === server.host && from.port === server.port ? read(data) : undefined;
      if (answer !== undefined) settle(answer);
    });
    const timer = clock.at(clock.mono() + this.#timeout, () => settle(undefined));
    socket.send(question, server);
    const answer = await answered;
    timer.cancel();
    await socket.close();
    return answer;
  }

  async #stream(
    server: Address,
    question: Uint8Array,
    read: (data: Uint8Array) => DnsAnswer | undefined,
  ): Promise<DnsAnswer | undefined> {
    const { clock, net } = this.#world;
    const stream: Stream = await net.connect({ ...server, timeout: this.#timeout });
    const whole = await new Promise<Uint8Array | undefined>((resolve) => {
      let held = new Uint8Array(0);
      const timer = clock.at(clock.mono() + this.#timeout, () => resolve(undefined));
      stream.handle({
        close: () => resolve(undefined),
        data(data) {
          const joined = new Uint8Array(held.length + data.length);
          joined.set(held);
          joined.set(data, held.length);
          held = joined;
          const size = (held[0] ?? 0) * 256 + (held[1] ?? 0);
          if (held.length < 2 || held.length < 2 + size) {
            if (held.length > STREAM_LIMIT) resolve(undefined);
            return;
          }
          timer.cancel();
          resolve(held.subarray(2, 2 + size));
        },
      });
      stream.write(Uint8Array.of(question.length >> 8, question.length & 255, ...question));
    });
    stream.destroy();
    return whole === undefined ? undefined : read(whole);
  }
}
