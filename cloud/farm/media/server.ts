/** The media server: the library, and alone the owner of the media engine and of every RTP port. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { Health, Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { leaveEngine } from '#shared/media-engine/client.ts';
import { EngineError, type EngineEvent, type MediaEngine } from '#shared/media-engine/engine.ts';
import { NODES } from '#shared/media-engine/graph-host.ts';
import { fault } from '#shared/protocol/fault.ts';
import { Endpoints } from './endpoints.ts';
import type { EngineFor } from './engines.ts';
import { engineFault } from './faults.ts';
import { tryHoldMusic } from './hold-music.ts';
import { items } from './items.ts';
import { nodeId, type Owner, ownerText, readOwner } from './names.ts';
import { Players } from './players.ts';
import { quality } from './quality.ts';
import { Recordings } from './recordings.ts';
import { Silence } from './silence.ts';
import { Sounds } from './sounds.ts';

export { type EngineFor, processEngine, threadEngine } from './engines.ts';

const AS_MEDIA: Context = { principal: { kind: 'part', part: 'media' } };

/** The part, on an engine of the caller's choice: the process in the real world, one in this thread in the virtual one. */
export function createMediaServer(engineFor: EngineFor): Part {
  return {
    name: 'media',
    async start(context) {
      const engine = await engineFor(context);
      const server = new MediaServer(context, engine);
      try {
        await server.start();
      } catch (error) {
        await leaveEngine(engine);
        throw error;
      }
      return server;
    },
  };
}

class MediaServer implements RunningPart {
  readonly #context: PartContext;
  readonly #engine: MediaEngine;
  readonly #endpoints: Endpoints;
  readonly #players: Players;
  readonly #silence: Silence;
  readonly #recordings: Recordings;
  readonly #sounds: Sounds;
  #leave: (() => void) | undefined;

  constructor(context: PartContext, engine: MediaEngine) {
    const { world, bus, config, store } = context;
    this.#context = context;
    this.#engine = engine;
    this.#endpoints = new Endpoints(world, config, engine);
    this.#players = new Players(world, bus, engine, this.#endpoints, config.data);
    this.#recordings = new Recordings(world, store, config);
    this.#sounds = new Sounds(world, bus, engine, this.#recordings, config.data);
    this.#silence = new Silence(world.clock, engine, (owner) => this.#end(owner));
  }

  /** Learns what the engine still holds from before, then serves. */
  async start(): Promise<void> {
    await this.#tryAddress();
    await tryHoldMusic(this.#engine, this.#context.config);
    for (const node of await this.#engine.list()) {
      if (this.#sounds.adopt(node)) continue;
      if (node.kind === 'endpoint') {
        this.#endpoints.owners.set(node.id, readOwner(node.owner));
        // The engine may have reported its silence while nobody listened.
        await this.#silence.watch(node.id, readOwner(node.owner));
      }
      if (node.kind === 'player') this.#players.adopt(node.id);
    }
    await this.#recordings.repair((owner) => this.#sounds.runs(owner));
    this.#engine.onEvent((event) => this.#onEvent(event));
    this.#leave = this.#context.bus.serve('media', this.#handlers());
  }

  /** Rejects where the address of `--media` cannot be bound, so that this shows at once and not at the first call. */
  async #tryAddress(): Promise<void> {
    const { host } = this.#context.config.media;
    try {
      await this.#engine.endpoint({ id: 'probe', owner: 'probe/probe', group: 'probe', host });
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (error.code === 'no_address') throw new Error(`--media: ${host} is no address of this machine.`);
    } finally {
      await this.#engine.release('probe');
    }
  }

  health(): Health {
    const legs = this.#endpoints.owners.size;
    const { low, high } = this.#context.config.media;
    const most = Math.min(NODES, Math.floor((high - low + 1) / 2));
    const load = Math.min(1, legs / Math.max(1, most));
    if (load < 0.9) return { state: 'running', load, legs };
    return { state: 'degraded', load, legs, advice: 'Nearly all RTP ports are in use: widen --media.' };
  }

  /** The engine lives on for 60 s where it holds calls, so that a restart finds them again. */
  async stop(): Promise<void> {
    this.#leave?.();
    this.#leave = undefined;
    this.#players.stop();
    this.#sounds.stop();
    this.#silence.stop();
    await leaveEngine(this.#engine);
  }

  #handlers(): Handlers<'media'> {
    return {
      ...this.#endpoints.handlers(),
      ...this.#players.handlers(),
      ...this.#sounds.handlers(),
      ...this.#recordings.handlers(),

      'media.list': async () => ok({ items: items() }),

      'media.quality': (owner, context) => engineFault(() => this.#quality(owner, context)),

      'media.room': ({ session, room, exists }) =>
        engineFault(async () => {
          if (exists) await this.#engine.room(room, ownerText({ session, leg: room }), session);
          else await this.#engine.release(room);
          return ok({});
        }),

      'media.endpoint.list': () =>
        engineFault(async () => {
          const nodes = await this.#engine.list();
          return ok({ items: nodes.map(({ id, kind, owner }) => ({ id, kind, ...readOwner(owner) })) });
        }),
    };
  }

  /** The quality of a leg's sound, for whoever may see its session. */
  async #quality(owner: Owner, { principal }: Context): Promise<Outcome<'media.quality'>> {
    if (principal.kind !== 'part') {
      const seen = await this.#context.bus.request('session.get', { session: owner.session }, { principal });
      if (!seen.ok) return seen;
    }
    const stats = await this.#engine.stats(nodeId(this.#context.world.crypto, 'ep', owner));
    return stats === undefined ? err(fault('not_found', 'This leg has no sound here.')) : ok(quality(stats));
  }

  #onEvent(event: EngineEvent): void {
    const owner = readOwner(event.owner);
    const { bus, world } = this.#context;
    switch (event.on) {
      case 'player-ended':
        if (!this.#sounds.ended(event.id, false)) void this.#players.ended(event.id, owner);
        return;
      case 'recorder-ended':
        this.#sounds.ended(event.id, event.failed);
        return;
      case 'dtmf':
        bus.publish('leg.digit', { ...owner, digit: event.digit, duration: event.duration });
        return;
      case 'silent':
        void this.#silence.watch(event.id, owner);
        return;
      case 'lost':
        this.#lost(event.id, owner);
        return;
      case 'first-packet':
        world.log.debug('media.first-packet', { ...owner, from: event.from.host });
    }
  }

  /** A part of the engine crashed: the calls whose sound is gone end with a reason rather than in silence. */
  #lost(id: string, owner: Owner): void {
    if (this.#sounds.ended(id, true)) return;
    // An item that can play no more has ended, as far as its session is concerned.
    void this.#players.ended(id, owner);
    if (!this.#endpoints.owners.has(id)) return;
    this.#endpoints.forget(id);
    this.#end(owner);
  }

  #end(owner: Owner): void {
    this.#context.world.log.warn('media.lost', { ...owner });
    void this.#context.bus.request('channel.close', { ...owner, reason: 'media_lost' }, AS_MEDIA);
  }
}
