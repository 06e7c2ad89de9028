/** The RTP endpoints of legs and their descriptions (RFC 3264): what the softswitch asks for. */
import type { Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine, RemoteSpec } from '#shared/media-engine/engine.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { answerLike, offerLike, type RemoteEnd, readEnd } from '#shared/sip/fax.ts';
import { engineFault } from './faults.ts';
import { holdMusic } from './hold-music.ts';
import { nodeId, type Owner, ownerText, sdpSession, toneId } from './names.ts';

/** What is remembered of an endpoint's descriptions; after a restart it begins anew with a higher version. */
interface Described {
  readonly local: Address;
  readonly family: 4 | 6;
  version: number;
  last: string | undefined;
}

type EndpointVerbs =
  | 'media.endpoint.offer'
  | 'media.endpoint.answer'
  | 'media.endpoint.accept'
  | 'media.endpoint.connect'
  | 'media.endpoint.release'
  | 'media.tone';

export class Endpoints {
  readonly #world: World;
  readonly #config: CloudConfig;
  readonly #engine: MediaEngine;
  readonly #described = new Map<string, Described>();
  /** Endpoints that the engine holds, with their owners. */
  readonly owners = new Map<string, Owner>();

  constructor(world: World, config: CloudConfig, engine: MediaEngine) {
    this.#world = world;
    this.#config = config;
    this.#engine = engine;
  }

  /** Makes the endpoint of a leg, or finds it. Rejects with an EngineError. */
  async open(owner: Owner, family: 4 | 6, dscp: number | undefined): Promise<string> {
    const id = nodeId(this.#world.crypto, 'ep', owner);
    const { local } = await this.#engine.endpoint({
      id,
      owner: ownerText(owner),
      group: owner.session,
      host: this.#bindHost(family),
      ...(dscp === undefined ? {} : { dscp }),
    });
    this.owners.set(id, owner);
    if (!this.#described.has(id)) {
      // Seconds since 1970 are above any count of descriptions that an earlier run can have given.
      const version = Math.floor(this.#world.clock.wall() / 1000);
      this.#described.set(id, { local, family, version, last: undefined });
    }
    return id;
  }

  forget(id: string): void {
    this.owners.delete(id);
    this.#described.delete(id);
  }

  handlers(): Pick<Handlers<'media'>, EndpointVerbs> {
    return {
      'media.endpoint.offer': ({ session, leg, dscp, family = '4', like }) =>
        engineFault(async () => {
          const endpoint = await this.open({ session, leg }, family === '6' ? 6 : 4, dscp);
          const sdp = this.#describe(endpoint, (local) => offerLike(like, local));
          return sdp === undefined ? err(fault('internal')) : ok({ endpoint, sdp });
        }),

      'media.endpoint.answer': ({ session, leg, sdp, dscp, source, way, like }) =>
        engineFault(async () => {
          const remote = readEnd(sdp, sdp);
          if (remote === undefined) return err(fault('no_codec'));
          const endpoint = await this.open({ session, leg }, remote.address.host.includes(':') ? 6 : 4, dscp);
          const answer = this.#describe(endpoint, (local) => answerLike(sdp, like, local));
          if (answer === undefined) return err(fault('no_codec'));
          await this.#engine.remote(endpoint, remoteSpec(remote, source, way));
          return ok({ endpoint, sdp: answer });
        }),

      'media.endpoint.accept': ({ endpoint, sdp, source, way }) =>
        engineFault(async () => {
          const remote = readEnd(sdp, sdp);
          if (remote === undefined) return err(fault('no_codec'));
          await this.#engine.remote(endpoint, remoteSpec(remote, source, way));
          return ok({});
        }),

      'media.endpoint.connect': ({ from, to, connected }) =>
        engineFault(async () => {
          await this.#engine.connect(from, to, connected);
          return ok({});
        }),

      'media.endpoint.release': ({ session, leg }) =>
        engineFault(async () => {
          const id = nodeId(this.#world.crypto, 'ep', { session, leg });
          await this.#engine.release(toneId(id));
          await this.#engine.release(id);
          this.forget(id);
          return ok({});
        }),

      'media.tone': ({ endpoint, tone }) => engineFault(() => this.#tone(endpoint, tone)),
    };
  }

  async #tone(endpoint: string, tone: VerbRequest<'media.tone'>['tone']): Promise<Outcome<'media.tone'>> {
    const owner = this.owners.get(endpoint);
    if (owner === undefined) return err(fault('not_found'));
    const id = toneId(endpoint);
    await this.#engine.release(id);
    if (tone === 'none') return ok({});
    await this.#engine.player({
      id,
      owner: ownerText(owner),
      group: owner.session,
      ...(tone === 'music' ? holdMusic(this.#config) : { source: { tone }, gain: 1 }),
      loop: true,
    });
    await this.#engine.connect(id, endpoint, true);
    await this.#engine.start(id);
    return ok({});
  }

  /** Writes a description: the version grows exactly when the text changes (RFC 3264 section 8). */
  #describe(
    endpoint: string,
    write: (local: { address: Address; sessionId: number; version: number }) => string | undefined,
  ): string | undefined {
    const described = this.#described.get(endpoint);
    if (described === undefined) return undefined;
    const address = { host: this.#publicHost(described.family), port: described.local.port };
    const sessionId = sdpSession(this.#world.crypto, endpoint);
    const same = write({ address, sessionId, version: described.version });
    if (same === undefined || same === described.last) return same;
    if (described.last !== undefined) described.version++;
    described.last = write({ address, sessionId, version: described.version });
    return described.last;
  }

  /** The bound host; one that listens everywhere does so in the family of the other side. */
  #bindHost(family: 4 | 6): string {
    const { host } = this.#config.media;
    if (host !== '0.0.0.0' && host !== '::') return host;
    return this.#familyOfPublic() === family || this.#own(family) !== undefined ? wildcard(family) : host;
  }

  #publicHost(family: 4 | 6): string {
    const { host } = this.#config.media;
    if (host !== '0.0.0.0' && host !== '::') return this.#config.publicHost;
    return this.#familyOfPublic() === family ? this.#config.publicHost : (this.#own(family) ?? this.#config.publicHost);
  }

  #familyOfPublic(): 4 | 6 {
    return this.#config.publicHost.includes(':') ? 6 : 4;
  }

  #own(family: 4 | 6): string | undefined {
    return this.#world.net.addresses().find((one) => one.family === family && !one.loopback)?.host;
  }
}

function wildcard(family: 4 | 6): string {
  return family === 6 ? '::' : '0.0.0.0';
}

/** `source`: the only host from which RTP may come, its port learned, anew by another `way`; without it, exactly the described address. */
function remoteSpec(remote: RemoteEnd, source: string | undefined, way: string | undefined): RemoteSpec {
  if (source === undefined) return { ...remote, accept: { exact: true } };
  return { ...remote, accept: { address: source, ...(way === undefined ? {} : { way }) } };
}
