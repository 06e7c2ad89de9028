/** The phones of each line: those that are registered now, and those with an instance that were in the last 30 days. */
import type { Bus, Context } from '#cloud/bus/bus.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { MESSAGE_LIFE } from '#shared/protocol/verbs/messaging.ts';
import { isInstance } from '#shared/sip/instance.ts';

export const SELF: Context = { principal: { kind: 'part', part: 'messaging' } };

/** Milliseconds for which a phone that is off is remembered: as long as a message may live. */
const REMEMBERED = MESSAGE_LIFE.longest;
/** Milliseconds after which a phone that was seen is written down again. */
const NOTE_EVERY = 86_400_000;
/** Lines whose phones are kept in memory; the one used longest ago goes. */
const LINES_KEPT = 10_000;
/** Phones remembered per line; of more, those seen longest ago give way. */
export const DEVICES_KEPT = 16;
/** Milliseconds for the softswitch to say who is registered; late, the remembered ones are all there is. */
const LOOK_FOR = 2_000;

export class Devices {
  readonly #store: Store;
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #known = new Map<string, Map<string, number>>();

  constructor(store: Store, bus: Bus, clock: Clock) {
    this.#store = store;
    this.#bus = bus;
    this.#clock = clock;
  }

  /** The phones registered now, by line. */
  async here(lines: readonly string[]): Promise<Map<string, readonly string[]>> {
    if (lines.length === 0) return new Map();
    const list = await this.#bus.request('registration.list', { lines: [...lines] }, SELF, LOOK_FOR);
    return new Map(list.ok ? list.value.items.map(({ line, devices }) => [line, devices]) : []);
  }

  /** Every phone that a message for these lines is for, by line. */
  async ofLines(lines: readonly string[]): Promise<Map<string, readonly string[]>> {
    const here = await this.here(lines);
    const all = new Map<string, readonly string[]>();
    for (const line of lines)
      all.set(line, [...new Set([...(here.get(line) ?? []), ...(await this.#of(line)).keys()])]);
    return all;
  }

  /** These phones have registered: they are remembered, as far as they can be told from others later. */
  async seen(line: string, devices: readonly string[]): Promise<void> {
    const known = await this.#of(line);
    const now = Math.floor(this.#clock.wall());
    const news = devices.filter((one) => isInstance(one) && (known.get(one) ?? 0) < now - NOTE_EVERY);
    if (news.length === 0) return;
    for (const device of news) known.set(device, now);
    const gone = [...known].sort(([, a], [, b]) => b - a).slice(DEVICES_KEPT);
    for (const [device] of gone) known.delete(device);
    await this.#store.commit([
      ...news.map((device) =>
        sql(
          'INSERT INTO message_device (line, device, seen_at) VALUES (?, ?, ?) ON CONFLICT (line, device) DO UPDATE SET seen_at = excluded.seen_at',
          ...[line, device, now],
        ),
      ),
      ...gone.map(([device]) => sql('DELETE FROM message_device WHERE line = ? AND device = ?', line, device)),
    ]);
  }

  async #of(line: string): Promise<Map<string, number>> {
    const oldest = this.#clock.wall() - REMEMBERED;
    let known = this.#known.get(line);
    if (known === undefined) {
      const rows = await this.#store.all<{ device: string; seen_at: number }>(
        'SELECT device, seen_at FROM message_device WHERE line = ?',
        [line],
      );
      known = this.#known.get(line) ?? new Map(rows.map(({ device, seen_at }) => [device, seen_at]));
    }
    for (const [device, seenAt] of known) if (seenAt < oldest) known.delete(device);
    this.#known.delete(line);
    this.#known.set(line, known);
    const first = this.#known.keys().next().value;
    if (this.#known.size > LINES_KEPT && first !== undefined) this.#known.delete(first);
    return known;
  }
}
