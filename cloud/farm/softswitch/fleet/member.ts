/**
 * A softswitch as one of several processes, from its first word to the main process to its end. Its settings come over the link; where the
 * link breaks its calls go on, and it tries for a while to find the main process again.
 */
import type { CloudConfig } from '#cloud/bus/config.ts';
import { FleetEnd } from '#cloud/bus/fleet-end.ts';
import { FLEET_VERSION, type FleetMessage, type LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Pipe } from '#cloud/bus/link.ts';
import { LinkedBus } from '#cloud/bus/linked.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { LinkedStore, type Reader } from '#cloud/store/linked.ts';
import { hex } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { softswitch } from '../server.ts';

/** Milliseconds between two tries to find the main process, and for which they go on. */
const TRY_EVERY = 250;
const ALONE = 20_000;
/** Milliseconds between two words on its health. */
const HEALTH_EVERY = 1_000;
/** Milliseconds that a clean end may take. */
const STOP_WITHIN = 4_000;

export interface MemberOptions {
  readonly world: World;
  /** Its place among the processes. */
  readonly index: number;
  readonly pid: number;
  /** By which the main process of the folder believes it, and the next one too. */
  readonly token: string;
  /** A new link to the main process. */
  readonly dial: () => Pipe<LinkMessage>;
  /** What reads the store of that file. */
  readonly reader: (database: string) => Reader;
  /** The process ends. */
  readonly exit: (code: number) => void;
}

export class FleetMember {
  readonly #o: MemberOptions;
  readonly #fleet: FleetEnd;
  readonly #bus: LinkedBus;
  #store: LinkedStore | undefined;
  #running: RunningPart | undefined;
  #settings: { readonly asked: string; readonly config: CloudConfig } | undefined;
  #pipe: Pipe<LinkMessage> | undefined;
  #lostAt: number;
  #ending = false;

  constructor(options: MemberOptions) {
    this.#o = options;
    const { world, index } = options;
    this.#fleet = new FleetEnd(`${index}-${hex(world.random.bytes(4))}`, world.clock);
    this.#bus = new LinkedBus(world);
    this.#lostAt = world.clock.mono();
  }

  start(): void {
    this.#dial();
    this.#tell();
  }

  async end(code: number): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { world, exit } = this.#o;
    world.clock.at(world.clock.mono() + STOP_WITHIN, () => exit(code));
    await this.#running
      ?.stop()
      .catch((error: unknown) => world.log.error('softswitch.stop-failed', { error: String(error) }));
    await this.#store?.close();
    this.#pipe?.close();
    exit(code);
  }

  #dial(): void {
    const { world, dial, pid, token } = this.#o;
    const { clock, log } = world;
    const { owner } = this.#fleet;
    const pipe = dial();
    this.#pipe = pipe;
    pipe.send({ on: 'hello', version: FLEET_VERSION, owner, pid, token });
    const begun = clock.mono();
    pipe.handle({
      message: (message) => {
        this.#lostAt = Number.POSITIVE_INFINITY;
        this.#take(message);
      },
      closed: () => {
        this.#bus.detach();
        this.#store?.detach();
        this.#fleet.detach();
        if (this.#ending) return;
        const now = clock.mono();
        if (this.#lostAt === Number.POSITIVE_INFINITY) {
          log.warn('softswitch.link-lost', { owner });
          this.#lostAt = now;
        }
        if (now - this.#lostAt > ALONE) void this.end(1);
        else clock.at(Math.max(now, begun + TRY_EVERY), () => this.#dial());
      },
    });
  }

  #take(message: LinkMessage): void {
    switch (message.on) {
      case 'welcome':
        this.#welcomed(message).catch((error: unknown) => {
          this.#o.world.log.error('softswitch.start-failed', { error: String(error) });
          void this.end(1);
        });
        break;
      case 'stop':
        void this.end(0);
        break;
      case 'ask':
      case 'answer':
      case 'event':
      case 'parts':
        this.#bus.take(message);
        break;
      case 'written':
        this.#store?.take(message);
        break;
      default:
        this.#fleet.take(message as FleetMessage);
    }
  }

  /** The settings that count are those of the first start. */
  async #welcomed({ config, database, settings: asked }: Extract<FleetMessage, { on: 'welcome' }>): Promise<void> {
    const { world, reader } = this.#o;
    if (this.#settings !== undefined && this.#settings.asked !== asked) return this.end(0);
    this.#settings ??= { asked, config };
    this.#store ??= new LinkedStore(reader(database), world.clock);
    const send = (message: LinkMessage) => this.#pipe?.send(message);
    if (this.#pipe !== undefined) this.#bus.attach(this.#pipe);
    this.#store.attach(send);
    this.#fleet.attach(send);
    try {
      this.#running ??= await softswitch.start({
        ...{ world, bus: this.#bus, store: this.#store, config: this.#settings.config },
        fleet: this.#fleet,
      });
      const { sipUdp, sipTcp, sips, ws, wss } = this.#settings.config.bound;
      const bound = Object.entries({ sipUdp, sipTcp, sips, ws, wss }).filter(([, at]) => at !== undefined);
      this.#pipe?.send({ on: 'up', bound: Object.fromEntries(bound) });
    } catch (error) {
      this.#pipe?.send({ on: 'failed', why: error instanceof Error ? error.message : String(error) });
      await this.end(1);
    }
  }

  #tell(): void {
    const { clock } = this.#o.world;
    if (this.#running !== undefined) this.#pipe?.send({ on: 'health', health: this.#running.health() });
    clock.at(clock.mono() + HEALTH_EVERY, () => this.#tell());
  }
}
