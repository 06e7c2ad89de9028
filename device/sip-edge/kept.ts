/**
 * What the edge keeps on the disk, so that a gateway that starts again goes on with its calls and reaches its phones at once: a file
 * per established call (written when it is answered and when a channel joins or leaves it, removed at its end), and one of all phones
 * over UDP (written when one comes or goes, not when it merely registers again), one of what its star codes set and its lines dialled last, and one of who watches what. The facts of a call inside the house take its file's
 * place until the agent's outbox has them.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Disk, Log } from '#shared/kernel/world.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { KeptPhone } from './house.ts';
import type { KeptFeatures } from './house-calls.ts';
import type { KeptWatches } from './house-watch.ts';
import { isSavedCall, type SavedCall } from './saved-call.ts';

const PHONES = 'phones.json';
const FEATURES = 'features.json';
const WATCHES = 'watches.json';

/** Facts of a call inside the house that is over, until the agent's outbox has them. */
export interface KeptFacts {
  readonly v: 1;
  readonly id: string;
  readonly report: VerbRequest<'voice.report'>;
}

/** What an earlier process left. */
export interface KeptBefore {
  readonly phones: readonly KeptPhone[];
  readonly calls: readonly SavedCall[];
  readonly facts: readonly KeptFacts[];
  readonly features: KeptFeatures;
  readonly watches: KeptWatches;
}

export class Kept {
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #folder: string;
  /** What each file should hold next; undefined: nothing. Several changes of one file make one write. */
  readonly #dirty = new Map<string, string | undefined>();
  /** Who waits for the next write of a file: that goes before others. */
  readonly #awaited = new Map<string, (() => void)[]>();
  /** The same of files that the disk did not take: it was full, or fails. */
  readonly #failed = new Map<string, string | undefined>();
  #writing: Promise<void> | undefined;
  #phones = '';
  #features = '';

  constructor(disk: Disk, log: Log, folder: string) {
    this.#disk = disk;
    this.#log = log;
    this.#folder = folder;
  }

  /** What an earlier process left; a damaged file counts as none and goes. */
  async load(): Promise<KeptBefore> {
    const calls: SavedCall[] = [];
    const facts: KeptFacts[] = [];
    for (const name of await this.#disk.list(`${this.#folder}/calls`)) {
      const call = await this.#read(`calls/${name}`);
      if (isSavedCall(call)) calls.push(call);
      else if (isFacts(call)) facts.push(call);
      else this.#put(`calls/${name}`, undefined);
    }
    const kept = (await this.#read(PHONES)) as { v?: unknown; phones?: unknown } | undefined;
    const phones = kept?.v === 1 && Array.isArray(kept.phones) ? (kept.phones as KeptPhone[]) : [];
    this.#phones = outline(phones);
    const known = await this.#read(FEATURES);
    const features = isFeatures(known) ? featuresOf(known) : { untold: [], past: [], pins: [] };
    const seen = await this.#read(WATCHES);
    const watches = isWatches(seen) ? seen : { subscriptions: [], summaries: [] };
    return { phones, calls, facts, features, watches };
  }

  phones(phones: readonly KeptPhone[]): void {
    const now = outline(phones);
    if (now === this.#phones) return;
    this.#phones = now;
    this.#put(PHONES, JSON.stringify({ v: 1, phones }));
  }

  features(features: KeptFeatures): void {
    const text = JSON.stringify({ v: 1, ...features });
    if (text !== this.#features) this.#put(FEATURES, text);
    this.#features = text;
  }

  watches(watches: KeptWatches): void {
    this.#put(WATCHES, JSON.stringify({ v: 1, ...watches }));
  }

  call(call: SavedCall): void {
    this.#put(`calls/${call.id}.json`, JSON.stringify(call));
  }

  /** The same; resolves once it is on the disk, or the disk has refused it. */
  callNow(call: SavedCall): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const name = `calls/${call.id}.json`;
    this.#awaited.set(name, [...(this.#awaited.get(name) ?? []), resolve]);
    this.call(call);
    return promise;
  }

  facts(facts: KeptFacts): void {
    this.#put(`calls/${facts.id}.json`, JSON.stringify(facts));
  }

  over(id: string): void {
    this.#put(`calls/${id}.json`, undefined);
  }

  /** Tries once more what the disk did not take. */
  retry(): void {
    const failed = [...this.#failed];
    this.#failed.clear();
    for (const [name, content] of failed) this.#put(name, content);
  }

  /** Resolves once nothing waits to be written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #put(name: string, content: string | undefined): void {
    this.#dirty.set(name, content);
    this.#failed.delete(name);
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // Changes of this turn go together.
    await Promise.resolve();
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [name, content] = next;
      const waiting = this.#awaited.get(name) ?? [];
      this.#awaited.delete(name);
      const path = `${this.#folder}/${name}`;
      try {
        if (content === undefined) await this.#disk.remove(path);
        else await this.#disk.write(path, utf8(content));
      } catch (error) {
        this.#log.error('edge.not-kept', { name, error: String(error) });
        if (!this.#dirty.has(name)) this.#failed.set(name, content);
      }
      for (const resolve of waiting) resolve();
    }
    this.#writing = undefined;
  }

  #next(): [string, string | undefined] | undefined {
    const [name] = this.#awaited.size > 0 ? this.#awaited.keys() : this.#dirty.keys();
    if (name === undefined) return undefined;
    const content = this.#dirty.get(name);
    this.#dirty.delete(name);
    return [name, content];
  }

  async #read(name: string): Promise<unknown> {
    const octets = await this.#disk.read(`${this.#folder}/${name}`);
    if (octets === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(octets));
    } catch {
      this.#log.warn('edge.kept-unreadable', { name });
      return undefined;
    }
  }
}

function isFacts(value: unknown): value is KeptFacts {
  if (typeof value !== 'object' || value === null) return false;
  const { v, id, report } = value as Partial<Record<keyof KeptFacts, unknown>>;
  return v === 1 && typeof id === 'string' && typeof report === 'object' && report !== null;
}

function isFeatures(value: unknown): value is KeptFeatures {
  if (typeof value !== 'object' || value === null) return false;
  const { v, untold, past } = value as Partial<Record<keyof KeptFeatures | 'v', unknown>>;
  return v === 1 && Array.isArray(untold) && Array.isArray(past);
}

/** A file of before has no PINs. */
const featuresOf = ({ untold, past, pins = [] }: KeptFeatures): KeptFeatures => ({ untold, past, pins });

function isWatches(value: unknown): value is KeptWatches {
  if (typeof value !== 'object' || value === null) return false;
  const { v, subscriptions, summaries } = value as Partial<Record<keyof KeptWatches | 'v', unknown>>;
  return v === 1 && Array.isArray(subscriptions) && Array.isArray(summaries);
}

/** Which phones are where, and for how long they are granted: by that an earlier one's time to come again is measured. */
function outline(phones: readonly KeptPhone[]): string {
  return phones
    .map(
      ({ line, binding, flow, granted }) => `${line} ${binding.uri} ${flow.remote.host}:${flow.remote.port} ${granted}`,
    )
    .join();
}
