/** Media on demand: a player per leg, and the word to the session manager when its item has ended. */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { Endpoints } from './endpoints.ts';
import { engineFault } from './faults.ts';
import { playable } from './items.ts';
import { nodeId, type Owner, ownerText } from './names.ts';

/** An `item-ended` that nobody took is said again after this long, ms, while the player exists. */
const SAY_AGAIN = 2000;

type PlayerVerbs = 'media.prepare' | 'media.start' | 'media.stop';

export class Players {
  readonly #world: World;
  readonly #bus: Bus;
  readonly #engine: MediaEngine;
  readonly #endpoints: Endpoints;
  readonly #data: string;
  /** Players that exist, and what they play as far as this run knows. */
  readonly #items = new Map<string, string | undefined>();
  readonly #retries = new Map<string, Timer>();

  constructor(world: World, bus: Bus, engine: MediaEngine, endpoints: Endpoints, data: string) {
    this.#world = world;
    this.#bus = bus;
    this.#engine = engine;
    this.#endpoints = endpoints;
    this.#data = data;
  }

  /** A player that the engine held before this run. */
  adopt(id: string): void {
    this.#items.set(id, undefined);
  }

  forget(id: string): void {
    this.#items.delete(id);
    this.#retries.get(id)?.cancel();
    this.#retries.delete(id);
  }

  /** Ends all retries. */
  stop(): void {
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
  }

  handlers(): Pick<Handlers<'media'>, PlayerVerbs> {
    return {
      'media.prepare': ({ session, leg, item, into, loop }) =>
        engineFault(async () => {
          const file = playable(item, this.#data);
          if (file === undefined) return err(fault('media_item_unknown'));
          const owner = { session, leg };
          const player = nodeId(this.#world.crypto, 'player', owner);
          const known = this.#items.get(player);
          if (known !== undefined && known !== item) await this.#engine.release(player);
          await this.#engine.player({
            id: player,
            owner: ownerText(owner),
            group: session,
            source: { file },
            loop: loop ?? into !== undefined,
            gain: 1,
          });
          this.#items.set(player, item);
          // A room hears the player once the conference server has let it in.
          if (into !== undefined) return ok({ player });
          const endpoint = await this.#endpoints.open(owner, 4, undefined);
          await this.#engine.connect(player, endpoint, true);
          return ok({ player, endpoint });
        }),

      'media.start': (owner) =>
        engineFault(async () => {
          await this.#engine.start(nodeId(this.#world.crypto, 'player', owner));
          return ok({});
        }),

      'media.stop': (owner) =>
        engineFault(async () => {
          const player = nodeId(this.#world.crypto, 'player', owner);
          await this.#engine.release(player);
          this.forget(player);
          return ok({});
        }),
    };
  }

  /** An item came to its end: said until the session manager has taken it, or the player is gone. */
  async ended(player: string, owner: Owner): Promise<void> {
    if (!this.#items.has(player)) return;
    const outcome = await this.#bus.request(
      'leg.report',
      { ...owner, event: 'item-ended', at: this.#world.clock.wall() },
      { principal: { kind: 'part', part: 'media' } },
    );
    const again = !outcome.ok && ['server_unavailable', 'timeout', 'internal'].includes(outcome.fault.code);
    if (!again || !this.#items.has(player)) return;
    const { clock } = this.#world;
    this.#retries.set(
      player,
      clock.at(clock.mono() + SAY_AGAIN, () => void this.ended(player, owner)),
    );
  }
}
