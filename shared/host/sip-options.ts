/** What a SIP transport is told: where to listen, whom to reach. */
import type { Address, TlsClientOptions, TlsServerOptions } from '#shared/kernel/world.ts';
import type { OpenedProtocol } from '../sip/types.ts';

export interface BindOptions {
  readonly udp?: Address | readonly Address[];
  readonly tcp?: Address | readonly Address[];
  readonly tls?:
    | (Address & { readonly tls: TlsServerOptions })
    | readonly (Address & { readonly tls: TlsServerOptions })[];
  /** WebSockets (RFC 7118), with `tls` over TLS. */
  readonly ws?: WebSocketAddress | readonly WebSocketAddress[];
}

export interface WebSocketAddress extends Address {
  readonly tls?: TlsServerOptions;
  /** Whether a page of that origin (`https://host:port`) may open one. */
  readonly mayOpen: (origin: string) => boolean;
}

/** The addresses that listen now, in the order asked for. */
export interface Bound {
  readonly udp: readonly Address[];
  readonly tcp: readonly Address[];
  readonly tls: readonly Address[];
  readonly ws: readonly Address[];
}

export interface FlowOptions {
  readonly protocol: OpenedProtocol;
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsClientOptions;
  /** Sends a keep-alive so often, ms (RFC 5626 section 3.5.1), and closes the connection when no answer comes. */
  readonly keepAlive?: number;
  /** Opens a connection of its own even if there is one to the same peer. */
  readonly fresh?: boolean;
  /** Over TLS with a certificate of ours: lets the peer use the connection for its requests (RFC 5923). */
  readonly alias?: boolean;
  /** For connecting, ms; default 10 s. */
  readonly timeout?: number;
}

export interface SipCounts {
  readonly connections: number;
  /** Messages dropped because their source sent too many, or because they were too large. */
  readonly dropped: number;
  readonly received: number;
  readonly sent: number;
}
