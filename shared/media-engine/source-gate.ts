/**
 * From where an endpoint takes RTP. Signalling names the host that may send; everything from another host is refused,
 * whenever it comes. With `address` the port is learned from the first packets, since network address translation
 * changes it.
 */
import type { Address } from '#shared/kernel/world.ts';
import type { RemoteSpec } from './engine.ts';

/** Packets of the right host within which the port may still change. */
export const LEARNING = 5;

export class SourceGate {
  readonly #exact: Address | undefined;
  readonly #host: string | undefined;
  /** Where packets go; undefined until known. */
  target: Address | undefined;
  #accepted = 0;

  constructor(spec: RemoteSpec) {
    if ('exact' in spec.accept) {
      this.#exact = spec.address;
      this.target = spec.address;
    } else {
      this.#host = spec.accept.address;
      // Signalling may name any address; sound goes only to the host that its channel vouches for.
      if (spec.address !== undefined && spec.address.host === this.#host) this.target = spec.address;
    }
  }

  /** True where a valid packet from there may pass. */
  admit(host: string, port: number): boolean {
    if (this.#exact !== undefined) return host === this.#exact.host && port === this.#exact.port;
    if (host !== this.#host) return false;
    if (this.#accepted >= LEARNING) return port === this.target?.port;
    this.#accepted++;
    if (this.target?.port !== port) this.target = { host, port };
    return true;
  }

  /** True for the host whose RTCP counts. */
  knows(host: string): boolean {
    return host === (this.#exact?.host ?? this.#host);
  }
}
