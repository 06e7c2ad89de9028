/**
 * Where the cloud is: asked at every start and again while the gateway cannot connect; kept on the disk, so that a gateway
 * which was paired starts at once, with or without a network.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { type CloudUrl, readCloudUrl } from '#shared/protocol/pairing.ts';
import { type Cloud, discover } from './discovery.ts';

/** Milliseconds between tries: doubled from the first to the last, and shortened by up to half at random. */
export const FIRST_WAIT = 1_000;
export const LAST_WAIT = 30_000;
/** A gateway that cannot connect looks so often (ms) whether the cloud has moved. */
export const LOOK_EVERY = 60_000;

type Found = (cloud: Cloud) => void;

export class CloudFinder {
  readonly #world: World;
  /** Undefined where no cloud is set. */
  readonly #url: CloudUrl | undefined;
  readonly #path: string;
  readonly #changed: () => void;
  #cloud: Cloud | undefined;
  #problem: string | undefined;
  #timer: Timer | undefined;
  #lookedAt = 0;
  #stopped = false;

  /** An empty `url` is a cloud that nobody has set yet. Throws where it cannot be taken, with words for the person who gave it. */
  constructor(world: World, url: string, path: string, changed: () => void) {
    const read = url === '' ? undefined : readCloudUrl(url);
    if (read !== undefined && 'refused' in read) throw new Error(read.refused);
    this.#world = world;
    this.#url = read;
    this.#path = path;
    this.#changed = changed;
  }

  /** Undefined until it was found for the first time. */
  get cloud(): Cloud | undefined {
    return this.#cloud;
  }

  /** Why it cannot be found, in words. */
  get problem(): string | undefined {
    return this.#problem;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Tells the cloud's place as soon as it is known, and again when it turns out to be another. */
  async find(found: Found): Promise<void> {
    if (this.#url === undefined) {
      this.#problem = 'No cloud is set: write "cloud" of your operator into hearthline.json, or give --cloud.';
      return this.#changed();
    }
    this.#cloud = await this.#remembered();
    if (this.#cloud !== undefined) found(this.#cloud);
    await this.#try(found, FIRST_WAIT);
  }

  /** Looks again in a while, as the gateway cannot connect. */
  look(found: Found): void {
    const { clock } = this.#world;
    if (this.#stopped || clock.mono() < this.#lookedAt + LOOK_EVERY) return;
    this.#lookedAt = clock.mono();
    void this.#once(found);
  }

  async #try(found: Found, wait: number): Promise<void> {
    if (this.#stopped || (await this.#once(found)) || this.#stopped) return;
    const { clock, random } = this.#world;
    this.#timer = clock.at(clock.mono() + wait * (1 - random.fraction() / 2), () => {
      void this.#try(found, Math.min(LAST_WAIT, wait * 2));
    });
  }

  async #once(found: Found): Promise<boolean> {
    this.#lookedAt = this.#world.clock.mono();
    if (this.#url === undefined) return false;
    const answer = await discover(this.#world, this.#url);
    if (this.#stopped) return false;
    this.#problem = answer.ok ? undefined : answer.fault;
    if (!answer.ok) this.#world.log.warn('pairing.cloud-not-found', { why: answer.fault });
    this.#changed();
    if (!answer.ok) return false;
    if (JSON.stringify(answer.value) === JSON.stringify(this.#cloud)) return true;
    this.#cloud = answer.value;
    found(answer.value);
    await this.#remember(answer.value);
    return true;
  }

  /** Only a help for the next start: a disk that does not take it harms nothing now. */
  async #remember(cloud: Cloud): Promise<void> {
    try {
      await this.#world.disk.write(this.#path, utf8(JSON.stringify({ url: this.#url, cloud })));
    } catch (error) {
      this.#world.log.error('pairing.disk-failed', { error: String(error) });
    }
  }

  /** What was found at an earlier start, if it was for the same address. */
  async #remembered(): Promise<Cloud | undefined> {
    const file = await this.#world.disk.read(this.#path);
    if (file === undefined) return undefined;
    try {
      const { url, cloud } = JSON.parse(new TextDecoder().decode(file)) as { url: unknown; cloud: Cloud };
      const whole = typeof cloud.mqtt.host === 'string' && typeof cloud.mqtt.port === 'number';
      return whole && JSON.stringify(url) === JSON.stringify(this.#url) ? cloud : undefined;
    } catch {
      return undefined;
    }
  }
}
