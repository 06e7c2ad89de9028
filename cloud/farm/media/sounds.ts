/** Sounds of live commands: a player or a recorder per command, and the word to the session manager when it has ended. */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { MediaEngine, NodeInfo } from '#shared/media-engine/engine.ts';
import { fault } from '#shared/protocol/fault.ts';
import { engineFault } from './faults.ts';
import { playable } from './items.ts';
import { nodeId, type Owner, ownerText, readOwner } from './names.ts';
import type { Recordings } from './recordings.ts';

/** An end that nobody took is told again after this long, ms. */
const SAY_AGAIN = 2000;

type SoundVerbs =
  | 'media.sound.start'
  | 'media.sound.stop'
  | 'media.record.start'
  | 'media.record.stop'
  | 'media.digits';

export class Sounds {
  readonly #world: World;
  readonly #bus: Bus;
  readonly #engine: MediaEngine;
  readonly #recordings: Recordings;
  readonly #data: string;
  /** Nodes of sounds that run, by the node. */
  readonly #running = new Map<string, Owner>();
  readonly #retries = new Map<string, Timer>();

  constructor(world: World, bus: Bus, engine: MediaEngine, recordings: Recordings, data: string) {
    this.#world = world;
    this.#bus = bus;
    this.#engine = engine;
    this.#recordings = recordings;
    this.#data = data;
  }

  /** A player or recorder that the engine held before this run; true where it is one of a command. */
  adopt(node: NodeInfo): boolean {
    if (!node.id.startsWith('snd_')) return false;
    this.#running.set(node.id, readOwner(node.owner));
    return true;
  }

  /** True while the recorder of a recording runs. */
  runs(owner: Owner): boolean {
    return this.#running.has(this.#node(owner));
  }

  /** Ends all retries. */
  stop(): void {
    for (const timer of this.#retries.values()) timer.cancel();
    this.#retries.clear();
  }

  handlers(): Pick<Handlers<'media'>, SoundVerbs> {
    return {
      'media.sound.start': ({ session, sound, item, tone, legs, room, loop, gain = 1 }) =>
        engineFault(async () => {
          const id = this.#node({ session, leg: sound });
          if (this.#running.has(id)) return ok({});
          const file = item === undefined ? undefined : this.#fileOf(item);
          if (tone === undefined && file === undefined) return err(fault('media_item_unknown'));
          const owner = { session, leg: sound };
          const source = tone === undefined ? { file: file ?? '' } : { tone };
          await this.#engine.player({ id, owner: ownerText(owner), group: session, source, loop, gain });
          this.#running.set(id, owner);
          await this.#connect(session, id, legs, room, true);
          await this.#engine.start(id);
          return ok({});
        }),

      'media.sound.stop': ({ session, sound }) =>
        engineFault(async () => {
          const owner = { session, leg: sound };
          // A recording runs under a name of its own.
          for (const [id, { leg, session: other }] of [...this.#running]) {
            if (other === session && leg === sound) await this.#release(id);
          }
          await this.#release(this.#node(owner));
          await this.#recordings.finishOf(owner);
          return ok({});
        }),

      'media.record.start': (request) =>
        engineFault(async () => {
          const { session, sound, recording, legs, room, limit } = request;
          const id = this.#node({ session, leg: recording });
          if (this.#running.has(id)) return ok({});
          const begun = await this.#recordings.begin(request);
          if (!begun.ok) return begun;
          const owner = { session, leg: sound };
          const file = this.#recordings.file(recording);
          await this.#engine.recorder({ id, owner: ownerText(owner), group: session, file, limit });
          this.#running.set(id, owner);
          await this.#connect(session, id, legs, room, false);
          return ok({});
        }),

      'media.record.stop': ({ session, recording }) =>
        engineFault(async () => {
          await this.#release(this.#node({ session, leg: recording }));
          await this.#recordings.finish(recording);
          return ok({});
        }),

      'media.digits': ({ session, leg, digits }) =>
        engineFault(async () => {
          await this.#engine.press(nodeId(this.#world.crypto, 'ep', { session, leg }), digits);
          return ok({});
        }),
    };
  }

  /** The engine says that a node has come to its end, or is lost; true where it was one of a command. */
  ended(node: string, failed: boolean): boolean {
    const owner = this.#running.get(node);
    if (owner === undefined) return false;
    void this.#finish(node, owner, failed);
    return true;
  }

  async #finish(node: string, owner: Owner, failed: boolean): Promise<void> {
    this.#running.delete(node);
    await this.#engine.release(node).catch(() => undefined);
    // A disk that is full keeps nobody waiting; the next start closes what it left.
    await this.#recordings.finishOf(owner).catch((error: unknown) => {
      this.#world.log.error('media.recording-not-closed', { ...owner, error: String(error) });
    });
    await this.#tell(owner, failed ? 'failed' : 'ended');
  }

  /** Said until the session manager has taken it. */
  async #tell(owner: Owner, event: 'ended' | 'failed'): Promise<void> {
    const { session, leg: sound } = owner;
    const told = await this.#bus.request(
      'sound.report',
      { session, sound, event },
      { principal: { kind: 'part', part: 'media' } },
    );
    const again = !told.ok && ['server_unavailable', 'timeout', 'internal'].includes(told.fault.code);
    if (!again) return;
    const { clock } = this.#world;
    this.#retries.set(
      ownerText(owner),
      clock.at(clock.mono() + SAY_AGAIN, () => void this.#tell(owner, event)),
    );
  }

  async #release(id: string): Promise<void> {
    this.#running.delete(id);
    await this.#engine.release(id);
  }

  /** Joins a node with the endpoints of legs and a room: as their source, or as what hears them. */
  async #connect(session: string, node: string, legs: readonly string[], room: string | undefined, source: boolean) {
    const others = legs.map((leg) => nodeId(this.#world.crypto, 'ep', { session, leg }));
    if (room !== undefined) others.push(room);
    for (const other of others) await this.#engine.connect(source ? node : other, source ? other : node, true);
  }

  #node(owner: Owner): string {
    return nodeId(this.#world.crypto, 'snd', owner);
  }

  #fileOf(item: string): string | undefined {
    return item.startsWith('rec_') ? this.#recordings.file(item) : playable(item, this.#data);
  }
}
