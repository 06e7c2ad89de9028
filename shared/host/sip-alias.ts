/**
 * Connections that a peer opened and lets us use for our requests to it (RFC 5923): it says so by `alias` in its Via, which is believed
 * only over TLS where both sides have proved who they are, and only for a domain that its certificate speaks for.
 */
import { parse } from '../sip/parse.ts';
import type { Flow } from '../sip/types.ts';

/** Connections that are used so at once; of the oldest it is forgotten that they may be. */
export const ALIASES = 1_000;

/** Where sent-by points without a port. */
const USUAL_PORT = 5061;

export class Aliases {
  /** By the peer's address and the port at which it listens. */
  readonly #flows = new Map<string, Flow>();
  readonly #asked = new Set<string>();

  /** A message came over a connection that the peer opened. */
  heard(flow: Flow, text: string): void {
    if (flow.protocol !== 'tls' || flow.peer.kind !== 'certificate' || !flow.peer.trusted) return;
    if (this.#asked.has(flow.id) || !text.includes(';alias')) return;
    const { message } = parse(text);
    if (message?.kind !== 'request' || message.topVia?.params.has('alias') !== true) return;
    this.#asked.add(flow.id);
    this.#flows.set(keyOf(flow.remote.host, message.topVia.port ?? USUAL_PORT), flow);
    const oldest = this.#flows.size > ALIASES ? this.#flows.entries().next().value : undefined;
    if (oldest !== undefined) this.#forget(...oldest);
  }

  /** The connection for requests to that peer, which has to be `domain`. */
  find(host: string, port: number, domain: string): Flow | undefined {
    const flow = this.#flows.get(keyOf(host, port));
    const fits = flow?.peer.kind === 'certificate' && flow.peer.domains?.includes(domain.toLowerCase()) === true;
    return fits ? flow : undefined;
  }

  closed(flow: Flow): void {
    if (!this.#asked.has(flow.id)) return;
    for (const [key, one] of this.#flows) if (one.id === flow.id) this.#forget(key, one);
    this.#asked.delete(flow.id);
  }

  #forget(key: string, flow: Flow): void {
    this.#flows.delete(key);
    this.#asked.delete(flow.id);
  }
}

const keyOf = (host: string, port: number): string => `${host} ${port}`;
