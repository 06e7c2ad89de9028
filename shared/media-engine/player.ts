/** A player: samples that flow into endpoints and rooms, 20 ms per tick, once or for ever. */
import { FRAME } from '#shared/rtp/packet.ts';
import type { PlayerSpec } from './engine.ts';

export class PlayerNode {
  readonly kind = 'player';
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  readonly pcm = new Int16Array(FRAME);
  /** Nodes that hear it. */
  readonly sinks = new Set<string>();
  running = false;
  /** `pcm` holds sound of this tick. */
  live = false;
  readonly #samples: Int16Array;
  readonly #loop: boolean;
  readonly #gain: number;
  #position = 0;

  constructor(spec: PlayerSpec, samples: Int16Array) {
    this.id = spec.id;
    this.owner = spec.owner;
    this.group = spec.group;
    this.#samples = samples;
    this.#loop = spec.loop && samples.length > 0;
    this.#gain = spec.gain;
  }

  start(): void {
    this.#position = 0;
    this.running = true;
  }

  /** Fills `pcm` for this tick; false where the player has just come to its end. */
  fill(): boolean {
    this.live = this.running;
    if (!this.running) return true;
    if (this.#position >= this.#samples.length && !this.#loop) {
      this.running = false;
      this.live = false;
      return false;
    }
    for (let i = 0; i < FRAME; i++) {
      if (this.#position >= this.#samples.length && this.#loop) this.#position = 0;
      const sample = (this.#samples[this.#position++] ?? 0) * this.#gain;
      this.pcm[i] = sample > 32_767 ? 32_767 : sample < -32_768 ? -32_768 : sample;
    }
    return true;
  }
}
