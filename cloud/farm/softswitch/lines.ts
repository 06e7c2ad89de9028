/** Lines and gateways as the softswitch keeps them in memory, so that no call waits for the store twice. */
import { gatewayByCertificate, type LineRow, lineById, lineByNumber, lineByUsername } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import { readDialled } from '#shared/call/numbers.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import { own } from '#shared/sip/params.ts';
import type { Flow } from '#shared/sip/types.ts';

/** Names kept, known and unknown ones together; the oldest goes for a new one. */
export const LINE_CACHE = 20_000;

/** A line by what names it. A change of a home's lines drops what is kept of it, and all that was not found. */
export class Lines {
  readonly #store: Store;
  /** Null: there is none of that name. */
  readonly #byId = new Map<string, LineRow | null>();
  readonly #byUser = new Map<string, LineRow | null>();
  readonly #limit: number;
  #generation = 0;

  constructor(store: Store, limit = LINE_CACHE) {
    this.#store = store;
    this.#limit = limit;
  }

  byId(id: string): Soon<LineRow | undefined> {
    const known = this.#byId.get(id);
    return known === undefined ? this.#read(this.#byId, id, lineById(this.#store, id)) : (known ?? undefined);
  }

  /** By the user part of a URI: a number in any usual writing, a username, or a line id. */
  byUser(user: string): Soon<LineRow | undefined> {
    const known = this.#byUser.get(user);
    return known === undefined ? this.#read(this.#byUser, user, this.#find(user)) : (known ?? undefined);
  }

  async #find(user: string): Promise<LineRow | undefined> {
    const dialled = readDialled(user);
    if (dialled?.kind === 'number') {
      const line = await lineByNumber(this.#store, dialled.number);
      if (line !== undefined) return line;
    }
    return (await lineByUsername(this.#store, user)) ?? (await lineById(this.#store, user));
  }

  /** The lines of a home changed, or with no home any line may have. */
  forget(home?: string): void {
    this.#generation++;
    for (const known of [this.#byId, this.#byUser]) {
      for (const [name, line] of known)
        if (home === undefined || line === null || line.home === home) known.delete(name);
    }
  }

  async #read(
    known: Map<string, LineRow | null>,
    name: string,
    reading: Promise<LineRow | undefined>,
  ): Promise<LineRow | undefined> {
    const generation = this.#generation;
    const line = await reading;
    // A change while we read: what was read may be old, so it is used once and not kept.
    if (generation !== this.#generation) return line;
    if (this.#byId.size + this.#byUser.size >= this.#limit) {
      const full = known.size > 0 ? known : this.#byId.size > 0 ? this.#byId : this.#byUser;
      const oldest = full.keys().next().value;
      if (oldest !== undefined) full.delete(oldest);
    }
    // The name comes out of a message, which it must not keep.
    known.set(own(name), line ?? null);
    return line;
  }
}

export interface GatewayOfFlow {
  readonly gateway: string;
  readonly home: string;
}

/** Which gateway, of which home, a flow's certificate proves. */
export class Gateways {
  readonly #store: Store;
  readonly #byFlow = new Map<string, { readonly flow: Flow; readonly found: GatewayOfFlow | undefined }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Undefined for a flow without a certificate of a gateway that may come in. */
  of(flow: Flow): Soon<GatewayOfFlow | undefined> {
    const known = this.#byFlow.get(flow.id);
    return known === undefined ? this.#read(flow) : known.found;
  }

  async #read(flow: Flow): Promise<GatewayOfFlow | undefined> {
    if (flow.peer.kind !== 'certificate' || !flow.peer.trusted) return undefined;
    const row = await gatewayByCertificate(this.#store, flow.peer.subject, flow.peer.serial);
    const found = row === undefined ? undefined : { gateway: row.id, home: row.home };
    this.#byFlow.set(flow.id, { flow, found });
    return found;
  }

  closed(flow: Flow): void {
    this.#byFlow.delete(flow.id);
  }

  /** Flows of gateways that may not come in any more, after a gateway's standing changed. */
  async revoked(gateway: string): Promise<Flow[]> {
    const gone: Flow[] = [];
    for (const { flow, found } of [...this.#byFlow.values()]) {
      if (found?.gateway === gateway && (await this.#read(flow)) === undefined) gone.push(flow);
    }
    return gone;
  }
}
