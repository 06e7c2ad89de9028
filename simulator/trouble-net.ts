/** The network of a gateway in trouble: its streams and datagrams to the cloud pass through the weather, all others do not. */
import {
  type Address,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  type Net,
  NetError,
  type Stream,
  type StreamHandlers,
  type Timer,
  type UdpOptions,
  type UdpSocket,
  type World,
} from '#shared/kernel/world.ts';
import type { Trouble } from './trouble.ts';

/** Octets that wait in a troubled stream before its writer is held back. */
const HIGH_WATER = 64 * 1024;
/** What a stream pays for a lost packet, ms; and by how much a reordered datagram is late. */
const RETRANSMISSION = 200;
const OVERTAKEN = 40;

type Wires = Pick<World, 'net' | 'clock' | 'random'>;

export class TroubledNet implements Net {
  readonly #world: Wires;
  readonly #trouble: Trouble;
  readonly #isWan: (to: Address) => boolean;

  constructor(world: Wires, trouble: Trouble, isWan: (to: Address) => boolean) {
    this.#world = world;
    this.#trouble = trouble;
    this.#isWan = isWan;
  }

  addresses() {
    return this.#world.net.addresses();
  }

  listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<Listener> {
    return this.#world.net.listen(options, onStream);
  }

  async connect(options: ConnectOptions): Promise<Stream> {
    if (!this.#isWan(options)) return this.#world.net.connect(options);
    const { cut, impostor, delay } = this.#trouble.weather;
    const { clock } = this.#world;
    const wait = (ms: number) => new Promise<void>((resolve) => clock.at(clock.mono() + ms, resolve));
    if (cut) {
      await wait(options.timeout ?? 10_000);
      throw new NetError('ETIMEDOUT', `${options.host}:${options.port}: no connection in time`);
    }
    // A round trip for TCP and one for TLS.
    if (delay > 0) await wait(4 * delay);
    // Whoever stands in for the cloud is asked for the cloud's name.
    const tls = options.tls && { serverName: options.host, ...options.tls };
    const target = impostor === undefined ? options : { ...options, ...impostor, ...(tls && { tls }) };
    return new TroubledStream(await this.#world.net.connect(target), this.#world, this.#trouble);
  }

  async udp(options: UdpOptions, onMessage: (data: Uint8Array, from: Address) => void): Promise<UdpSocket> {
    const socket = await this.#world.net.udp(options, (data, from) => {
      if (this.#trouble.weather.deaf && this.#isWan(from)) return;
      this.#datagram(from, () => onMessage(data, from));
    });
    return {
      local: socket.local,
      send: (data, to) => this.#datagram(to, (held) => socket.send(held ? data.slice() : data, to)),
      close: () => socket.close(),
    };
  }

  /** Lets a datagram pass now, later, twice or not at all; `held`: its octets must be copied. */
  #datagram(other: Address, pass: (held: boolean) => void): void {
    const { cut, loss, duplicate, reorder, delay } = this.#trouble.weather;
    const fair = !cut && loss === 0 && duplicate === 0 && reorder === 0 && delay === 0;
    if (fair || !this.#isWan(other)) {
      pass(false);
      return;
    }
    if (cut) return;
    const { random, clock } = this.#world;
    for (let copies = random.fraction() < duplicate ? 2 : 1; copies > 0; copies--) {
      if (random.fraction() < loss) continue;
      const late = delay + (random.fraction() < reorder ? OVERTAKEN : 0);
      if (late === 0) pass(true);
      else clock.at(clock.mono() + late, () => !this.#trouble.weather.cut && pass(true));
    }
  }
}

/** What goes one way through a stream: in order, each thing after its delay, nothing while the way is shut. */
class Way {
  readonly #clock: World['clock'];
  readonly #shut: () => boolean;
  readonly #things: { readonly due: number; readonly pass: () => void }[] = [];
  #timer: Timer | undefined;

  constructor(clock: World['clock'], shut: () => boolean) {
    this.#clock = clock;
    this.#shut = shut;
  }

  push(delay: number, pass: () => void): void {
    if (delay === 0 && this.#things.length === 0 && !this.#shut()) {
      pass();
      return;
    }
    const due = Math.max(this.#clock.mono() + delay, this.#things.at(-1)?.due ?? 0);
    this.#things.push({ due, pass });
    this.flow();
  }

  /** Lets pass what is due. */
  flow(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#shut()) return;
    for (let first = this.#things[0]; first !== undefined; first = this.#things[0]) {
      if (first.due > this.#clock.mono()) {
        this.#timer = this.#clock.at(first.due, () => this.flow());
        return;
      }
      this.#things.shift();
      first.pass();
    }
  }
}

class TroubledStream implements Stream {
  readonly #inner: Stream;
  readonly #world: Wires;
  readonly #trouble: Trouble;
  readonly #out: Way;
  readonly #in: Way;
  readonly #leave: () => void;
  #handlers: StreamHandlers | undefined;
  #held = 0;
  #blocked = false;
  #paused = false;
  /** Half-open: nothing goes either way any more, and nobody is told. */
  #stranded = false;
  #told = false;

  constructor(inner: Stream, world: Wires, trouble: Trouble) {
    this.#inner = inner;
    this.#world = world;
    this.#trouble = trouble;
    const shut = () => trouble.weather.cut || this.#stranded;
    this.#out = new Way(world.clock, shut);
    this.#in = new Way(world.clock, () => shut() || this.#paused);
    const leaveWeather = trouble.onChange(() => this.#follow());
    const leaveStreams = trouble.onStream((how) => {
      if (how === 'silent') this.#stranded = true;
      else {
        inner.destroy();
        this.#tell('ECONNRESET');
      }
    });
    this.#leave = () => {
      leaveWeather();
      leaveStreams();
    };
  }

  get local() {
    return this.#inner.local;
  }
  get remote() {
    return this.#inner.remote;
  }
  get secure() {
    return this.#inner.secure;
  }
  get peer() {
    return this.#inner.peer;
  }
  get buffered() {
    return this.#inner.buffered + this.#held;
  }

  write(data: Uint8Array): boolean {
    if (this.#told) return true;
    this.#held += data.length;
    this.#out.push(this.#delay(), () => {
      this.#held -= data.length;
      this.#inner.write(data);
      this.#drained();
    });
    this.#blocked ||= this.buffered > HIGH_WATER;
    return !this.#blocked;
  }

  end(): void {
    this.#out.push(this.#delay(), () => this.#inner.end());
    this.#tell();
  }

  destroy(): void {
    this.#out.push(0, () => this.#inner.destroy());
    this.#tell();
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#trouble.weather.deaf) this.#inner.resume();
    this.#in.flow();
  }

  handle(handlers: StreamHandlers): void {
    const first = this.#handlers === undefined;
    this.#handlers = handlers;
    this.#paused = false;
    if (!first) return;
    this.#inner.handle({
      data: (data) => this.#in.push(this.#delay(), () => this.#told || this.#handlers?.data(data)),
      drain: () => this.#drained(),
      close: (error) => this.#in.push(this.#delay(), () => this.#tell(error)),
    });
    this.#follow();
  }

  #delay(): number {
    const { delay, loss } = this.#trouble.weather;
    let wait = delay;
    for (let i = 0; i < 8 && loss > 0 && this.#world.random.fraction() < loss; i++) wait += RETRANSMISSION;
    return wait;
  }

  #drained(): void {
    if (!this.#blocked || this.buffered > HIGH_WATER / 2) return;
    this.#blocked = false;
    this.#handlers?.drain?.();
  }

  #follow(): void {
    if (this.#trouble.weather.deaf) this.#inner.pause();
    else if (!this.#paused && this.#handlers !== undefined) this.#inner.resume();
    this.#out.flow();
    this.#in.flow();
  }

  #tell(error?: string): void {
    if (this.#told) return;
    this.#told = true;
    // What it has still to say to the other end passes by the weather's changes, so it goes on listening to them until then.
    this.#out.push(0, () => this.#leave());
    this.#handlers?.close(error);
  }
}
