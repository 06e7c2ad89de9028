/** Music for who is put on hold: which lines give it, and the words to the media server. When it plays is decided in `shared/call/hold-music.ts`. */
import type { Bus } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import type { Store } from '#cloud/store/store.ts';
import type { CallOutput, Party } from '#shared/call/call.ts';
import type { LineFeatures } from '#shared/call/features/document.ts';
import type { Log } from '#shared/kernel/world.ts';
import { type Callee, endOf, type Live } from './live.ts';
import { BUS_LIMIT, SELF } from './media.ts';
import type { Snapshots } from './snapshots.ts';

type Music = Extract<CallOutput<Callee>, { do: 'music' }>;

export interface HoldMusicOptions {
  readonly bus: Bus;
  readonly store: Pick<Store, 'all'>;
  readonly config: Pick<CloudConfig, 'holdMusic'>;
  readonly log: Log;
  readonly snapshots: Pick<Snapshots, 'save'>;
}

export class HoldMusic {
  readonly #o: HoldMusicOptions;
  /** Lines that are to hold in silence, by their homes: mostly none. */
  readonly #silent = new Map<string, ReadonlySet<string>>();
  /** What is under way for a call: the next waits for it. */
  readonly #work = new WeakMap<Live, Promise<void>>();
  /** One reading after the other: what an older one found never stands last. */
  #reading: Promise<void> = Promise.resolve();

  constructor(options: HoldMusicOptions) {
    this.#o = options;
  }

  /** Learns what lines want; the function ends that. */
  async begin(): Promise<() => void> {
    const { bus, log } = this.#o;
    const leave = bus.subscribe('features.changed', ({ home }) => {
      this.#read(home).catch((error: unknown) => log.error('softswitch.hold-music', { error: String(error) }));
    });
    await this.#read();
    return leave;
  }

  /** Whom this side holds hears music: the side is a line's whose owner has not said otherwise, and the call is none for help. */
  plays(live: Live, party: Party): boolean {
    const { line } = endOf(live, party);
    if (line === undefined || live.help !== undefined) return false;
    if (this.#o.config.holdMusic === 'none' || !this.#o.bus.has('media')) return false;
    return this.#silent.get(line.home)?.has(line.id) !== true;
  }

  /** Starts or ends the music of a leg; `endpointOf` finds its endpoint. Resolves when that is done, or could not be: then they hear each other. */
  change(live: Live, music: Music, endpointOf: (leg: string) => Promise<string | undefined>): Promise<void> {
    const before = this.settled(live);
    const work = (before ?? Promise.resolve())
      .then(() => this.#change(live, music, endpointOf))
      // The next change, the release of the endpoint and a transfer wait for this one: a full disk must not keep them from their work.
      .catch((error: unknown) => this.#o.log.error('softswitch.hold-music', { call: live.id, error: String(error) }));
    this.#work.set(live, work);
    return work;
  }

  /** Resolves once nothing is under way for the call; undefined where it never heard music. */
  settled(live: Live): Promise<void> | undefined {
    return this.#work.get(live);
  }

  async #change(
    live: Live,
    { leg, from, on }: Music,
    endpointOf: (leg: string) => Promise<string | undefined>,
  ): Promise<void> {
    // Of a call that has ended nothing is to be found: asking would make it anew.
    if (live.state.at !== 'up') return;
    const [to, holder] = await Promise.all([endpointOf(leg), endpointOf(from)]);
    if (to === undefined || holder === undefined) return;
    const { bus, log } = this.#o;
    const tone = on ? 'music' : 'none';
    const played = await bus.request('media.tone', { endpoint: to, tone }, SELF, BUS_LIMIT);
    if (!played.ok) log.warn('softswitch.no-hold-music', { call: live.id, fault: played.fault.code });
    const join = (one: string, other: string, connected: boolean) =>
      bus.request('media.endpoint.connect', { from: one, to: other, connected }, SELF, BUS_LIMIT);
    await Promise.all([join(holder, to, !(on && played.ok)), join(to, holder, true)]);
    // How the sides stand now outlasts this process.
    await this.#o.snapshots.save(live);
  }

  #read(home?: string): Promise<void> {
    const read = this.#reading.then(() => this.#readNow(home));
    this.#reading = read.catch(() => {});
    return read;
  }

  async #readNow(home?: string): Promise<void> {
    const select = "SELECT line, home, body FROM line_feature WHERE body LIKE '%noHoldMusic%'";
    const rows = await this.#o.store.all<{ line: string; home: string; body: string }>(
      home === undefined ? select : `${select} AND home = ?`,
      home === undefined ? [] : [home],
    );
    const silent = rows.filter(({ body }) => (JSON.parse(body) as LineFeatures).noHoldMusic === true);
    if (home === undefined) this.#silent.clear();
    else this.#silent.delete(home);
    for (const one of silent) this.#silent.set(one.home, new Set([...(this.#silent.get(one.home) ?? []), one.line]));
  }
}
