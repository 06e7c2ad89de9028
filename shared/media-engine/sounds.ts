/** The samples of players: files are read once and shared, tones are made once. */
import { levelled, MELODY_SECONDS, musicBox } from '#shared/rtp/melody.ts';
import { SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { tone } from '#shared/rtp/tone.ts';
import { readWav, WAV_LIMIT } from '#shared/rtp/wav.ts';
import { EngineError, type PlayerSpec, type ToneName } from './engine.ts';
import type { GraphHost } from './graph-host.ts';

/** Samples of files that are kept for the next player: 32 MiB. */
const KEPT_SAMPLES = 16 * 1024 * 1024;

export class Sounds {
  readonly #host: GraphHost;
  readonly #kept = new Map<string, Int16Array>();
  #size = 0;

  constructor(host: GraphHost) {
    this.#host = host;
  }

  /** Rejects with `bad_file` and the reason. */
  async samples(source: PlayerSpec['source']): Promise<Int16Array> {
    const key = 'file' in source ? `file:${source.file}` : `tone:${source.tone}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const samples = 'file' in source ? await this.#read(source.file) : await this.#made(source.tone);
    this.#keep(key, samples);
    return samples;
  }

  async #read(path: string): Promise<Int16Array> {
    const data = await this.#host.file(path, WAV_LIMIT);
    if (data === undefined) throw new EngineError('bad_file', 'the file is absent or larger than the limit');
    const read = readWav(data);
    if (!read.ok) throw new EngineError('bad_file', `the file cannot be played: ${read.fault}`);
    return read.value;
  }

  async #made(name: ToneName): Promise<Int16Array> {
    if (name !== 'music') return tone(name);
    const wide = new Float64Array(MELODY_SECONDS * SAMPLE_RATE);
    for (const _beat of musicBox(wide)) await this.#host.pause();
    return levelled(wide);
  }

  #keep(key: string, samples: Int16Array): void {
    if (this.#kept.has(key)) return;
    this.#kept.set(key, samples);
    this.#size += samples.length;
    for (const [oldest, old] of this.#kept) {
      if (this.#size <= KEPT_SAMPLES || oldest === key) break;
      this.#kept.delete(oldest);
      this.#size -= old.length;
    }
  }
}
