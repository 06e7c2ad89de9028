/** A recorder: what the nodes connected to it say, mixed, goes as mu-law into a WAV file, a second at a time. */
import { mu } from '#shared/rtp/g711.ts';
import { encodeInto } from '#shared/rtp/mix.ts';
import { FRAME, SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { WAV_HEADER, wavHeader } from '#shared/rtp/wav.ts';
import type { RecorderSpec } from './engine.ts';
import type { GraphFile } from './graph-host.ts';

/** Longest recording, ms: its file can be read back (`WAV_LIMIT`) and played. */
export const RECORDING_LIMIT = 30 * 60_000;

export class RecorderNode {
  readonly kind = 'recorder';
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  readonly sources = new Set<string>();
  /** A recorder is heard by nobody. */
  readonly sinks = new Set<string>();
  running = true;
  failed = false;
  readonly #file: GraphFile;
  readonly #limit: number;
  #block = new Uint8Array(SAMPLE_RATE);
  #filled = 0;
  #written = 0;
  #writing: Promise<void>;

  constructor(spec: RecorderSpec, file: GraphFile) {
    this.id = spec.id;
    this.owner = spec.owner;
    this.group = spec.group;
    this.#file = file;
    this.#limit = Math.min(RECORDING_LIMIT, spec.limit) * (SAMPLE_RATE / 1000);
    this.#writing = this.#put(0, wavHeader(0, 'PCMU'));
  }

  /** Takes one mixed frame; false where the recording has just come to its end. */
  take(sum: Int32Array): boolean {
    if (!this.running) return true;
    encodeInto(this.#block, this.#filled, sum, mu.encode);
    this.#filled += FRAME;
    if (this.#filled >= this.#block.length) this.#flush();
    if (!this.failed && this.#written + this.#filled < this.#limit) return true;
    this.running = false;
    return false;
  }

  /** Writes what is left and the lengths; resolves once the file is complete, also where it could not be written. */
  async finish(): Promise<void> {
    this.running = false;
    this.#flush();
    this.#writing = this.#writing.then(() => this.#put(0, wavHeader(this.#written, 'PCMU')));
    await this.#writing;
    await this.#file.close().catch(() => undefined);
  }

  #flush(): void {
    const data = this.#block.subarray(0, this.#filled);
    const at = WAV_HEADER + this.#written;
    this.#written += this.#filled;
    this.#filled = 0;
    this.#block = new Uint8Array(SAMPLE_RATE);
    this.#writing = this.#writing.then(() => this.#put(at, data));
  }

  async #put(at: number, data: Uint8Array): Promise<void> {
    try {
      await this.#file.write(at, data);
    } catch {
      this.failed = true;
    }
  }
}
