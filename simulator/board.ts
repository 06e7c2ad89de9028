/**
 * A gateway's board with two systems: slots, a bootloader that counts starts, RAUC's rules, and what can go wrong with all of it. The
 * gateway's code on it is the real one; its power is the home's.
 */
import type {
  Board,
  BoardFacts,
  Stage as BootStage,
  BundleFacts,
  Refusal,
  Slot,
  Wreck,
} from '#device/updater/board.ts';
import { hex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import { NetError, type World } from '#shared/kernel/world.ts';

/**
 * What an image does once it is started: `good` works; `dead` never comes as far as its agent; `deaf` runs but gets no session although the
 * cloud answers; `mute` hangs and is never heard of again.
 */
export type ImageKind = 'good' | 'dead' | 'deaf' | 'mute';

export interface VirtualImage {
  readonly version: string;
  readonly board: string;
  readonly kind: ImageKind;
  readonly trusted: boolean;
}

export const BOARD = 'hearthline-virtual';
/** Milliseconds that the steps take. */
const TIME = { install: 20_000, boot: 15_000, hang: 60_000, quick: 200 } as const;
const ATTEMPTS = 3;

/** A bundle of an image: its facts, then octets up to a size. */
export function makeBundle(
  image: Partial<VirtualImage> & { readonly version: string },
  size = 300_000,
): Uint8Array<ArrayBuffer> {
  const whole: VirtualImage = { board: BOARD, kind: 'good', trusted: true, ...image };
  const octets = new Uint8Array(size).fill(0x2e);
  octets.set(utf8(`${JSON.stringify(whole)}\n`));
  return octets;
}

/** The power of the home that the board is in. */
export interface Power {
  off(): void;
  on(): Promise<void>;
}

export type Operation = 'inspect' | 'install' | 'mark-good' | 'mark-bad' | 'reboot';

export class VirtualBoard implements Board {
  readonly slots: Record<Slot, VirtualImage | undefined>;
  readonly good: Record<Slot, boolean> = { A: true, B: false };
  /** The power fails at this operation, once: before it does anything, or in its middle. */
  cut: { readonly at: Operation; readonly middle: boolean } | undefined;
  running: Slot = 'A';
  boots = 1;
  readonly #left: Record<Slot, number> = { A: ATTEMPTS, B: 0 };
  #first: Slot = 'A';
  readonly #wrecks: Partial<Record<Slot, Wreck>> = {};
  #world: World | undefined;
  #power: Power | undefined;

  constructor(version: string) {
    this.slots = { A: { version, board: BOARD, kind: 'good', trusted: true }, B: undefined };
  }

  /** Puts the board into its home; `world` is that of the host, which outlives the power. */
  mount(world: World, power: Power): void {
    this.#world = world;
    this.#power = power;
  }

  /** The world as the running image has it. */
  around(world: World): World {
    if (this.slots[this.running]?.kind !== 'deaf') return world;
    const connect: World['net']['connect'] = async () => {
      throw new NetError('EPROTO', 'this image speaks no TLS');
    };
    const { net } = world;
    return {
      ...world,
      net: {
        udp: (options, onMessage) => net.udp(options, onMessage),
        listen: (options, onStream) => net.listen(options, onStream),
        connect,
        addresses: () => net.addresses(),
      },
    };
  }

  async facts(): Promise<Result<BoardFacts, Refusal>> {
    const image = this.slots[this.running];
    if (image === undefined) return err({ code: 'update_install_failed', detail: 'no system runs' });
    const { version, board } = image;
    return ok({ version, board, slot: this.running, good: this.good[this.running], boot: `boot-${this.boots}` });
  }

  async inspect(file: string): Promise<Result<BundleFacts, Refusal>> {
    await this.#operation('inspect', TIME.quick);
    const octets = await this.#host.disk.read(file);
    if (octets === undefined) return err({ code: 'update_not_found' });
    const image = imageIn(octets);
    if (image === undefined) return err({ code: 'update_damaged', detail: 'the bundle cannot be read' });
    if (!image.trusted) return err({ code: 'update_untrusted' });
    const sha256 = hex(this.#host.crypto.hash('sha256', octets));
    return ok({ version: image.version, board: image.board, sha256, size: octets.length });
  }

  async install(file: string, bundle: BundleFacts): Promise<Result<void, Refusal>> {
    const octets = await this.#host.disk.read(file);
    if (octets === undefined || hex(this.#host.crypto.hash('sha256', octets)) !== bundle.sha256)
      return err({ code: 'update_swapped' });
    const other = this.running === 'A' ? 'B' : 'A';
    // From here on the other slot holds nothing whole until the last octet is written.
    this.slots[other] = undefined;
    this.good[other] = false;
    await this.#operation('install', TIME.install);
    this.slots[other] = imageIn(octets);
    this.#left[other] = ATTEMPTS;
    this.#first = other;
    return ok(undefined);
  }

  async markGood(): Promise<Result<void, Refusal>> {
    await this.#operation('mark-good', TIME.quick);
    this.good[this.running] = true;
    this.#left[this.running] = ATTEMPTS;
    return ok(undefined);
  }

  async markBad(): Promise<Result<void, Refusal>> {
    await this.#operation('mark-bad', TIME.quick);
    this.#wrecks[this.running] = wreckOf('agent', ATTEMPTS - this.#left[this.running]);
    this.good[this.running] = false;
    this.#left[this.running] = 0;
    this.#first = this.running === 'A' ? 'B' : 'A';
    return ok(undefined);
  }

  async reboot(): Promise<Result<void, Refusal>> {
    await this.#operation('reboot', TIME.quick);
    this.failPower();
    return ok(undefined);
  }

  async wreck(slot: Slot): Promise<Wreck | undefined> {
    return this.#wrecks[slot];
  }

  async reached(): Promise<void> {}

  /** Ends the power and starts whatever the bootloader finds. */
  failPower(): void {
    this.#power?.off();
    void this.#boot();
  }

  async #boot(): Promise<void> {
    const { clock } = this.#host;
    for (;;) {
      await sleep(clock, TIME.boot);
      this.boots++;
      const slot = this.#choose();
      if (slot === undefined) return;
      this.running = slot;
      const kind = this.slots[slot]?.kind ?? 'dead';
      if (kind === 'mute') return;
      if (kind !== 'dead') return this.#power?.on();
      this.#wrecks[slot] = wreckOf('kernel', ATTEMPTS - this.#left[slot]);
      await sleep(clock, TIME.hang);
    }
  }

  /** The first slot with starts left; each start costs one until the slot is marked good. */
  #choose(): Slot | undefined {
    const order: readonly Slot[] = this.#first === 'A' ? ['A', 'B'] : ['B', 'A'];
    const slot = order.find((one) => this.#left[one] > 0);
    if (slot !== undefined && !this.good[slot]) this.#left[slot]--;
    return slot;
  }

  get #host(): World {
    if (this.#world === undefined) throw new Error('the board is in no home');
    return this.#world;
  }

  /** Takes its time; where the power is to fail, nothing comes after. */
  async #operation(at: Operation, ms: number): Promise<void> {
    const { cut, boots } = this;
    const fails = cut?.at === at;
    if (!fails || cut.middle) await sleep(this.#host.clock, ms);
    if (fails) {
      this.cut = undefined;
      this.failPower();
    }
    if (fails || boots !== this.boots) await new Promise(() => {});
  }
}

function wreckOf(stage: BootStage, attempts: number): Wreck {
  return { stage, attempts, lines: [`the system came as far as ${stage}`, 'watchdog: the board starts anew'] };
}

function imageIn(octets: Uint8Array): VirtualImage | undefined {
  try {
    return JSON.parse(latin1(octets.subarray(0, octets.indexOf(10)))) as VirtualImage;
  } catch {
    return undefined;
  }
}
