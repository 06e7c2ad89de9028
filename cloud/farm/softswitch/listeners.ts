/** Where the softswitch listens, under which names it is known, and what its Contact says. */
import type { CloudConfig } from '#cloud/bus/config.ts';
import type { SipTransport } from '#shared/host/sip.ts';
import { portForBoth } from '#shared/host/sip-port.ts';
import { type Address, type Net, NetError } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeHost } from '#shared/sip/uri.ts';

export class Listeners {
  readonly #net: Net;
  readonly #config: CloudConfig;
  /** Our Contact on each flow, once all sockets are bound. */
  readonly #contacts = new WeakMap<Flow, string>();
  #isBound = false;

  constructor(net: Net, config: CloudConfig) {
    this.#net = net;
    this.#config = config;
  }

  /** Rejects with a text that names the flag where the address is taken. */
  async bindUdp(transport: SipTransport): Promise<void> {
    const { sip, bound } = this.#config;
    await named('--sip', sip, async () => {
      const udp = await transport.bind({ udp: await portForBoth(this.#net, sip) });
      bound.sipUdp = udp.udp[0] ?? sip;
    });
  }

  /** As `bindUdp`, for everything that has connections. */
  async bindStreams(transport: SipTransport): Promise<void> {
    const { sip, sips, ws, wss, bound, server, authority } = this.#config;
    const tls = { certificate: server.certificate, key: server.key, clientCa: authority.certificate };
    const mayOpen = (origin: string) => this.#mayOpen(origin);
    await named('--sip', sip, async () => {
      // TCP takes the port that UDP got, so that one number stands for both.
      const tcp = await transport.bind({ tcp: { host: sip.host, port: bound.sipUdp?.port ?? 0 } });
      bound.sipTcp = tcp.tcp[0] ?? sip;
    });
    await named('--sips', sips, async () => {
      bound.sips = (await transport.bind({ tls: { ...sips, tls } })).tls[0] ?? sips;
    });
    if (ws !== undefined) {
      await named('--ws', ws, async () => {
        bound.ws = (await transport.bind({ ws: { ...ws, mayOpen } })).ws[0] ?? ws;
      });
    }
    if (wss !== undefined) {
      await named('--wss', wss, async () => {
        const open = { certificate: server.certificate, key: server.key, asksNone: true } as const;
        bound.wss = (await transport.bind({ ws: { ...wss, tls: open, mayOpen } })).ws[0] ?? wss;
      });
    }
    this.#isBound = true;
  }

  /** The URI of our Contact towards the other end of a flow. */
  contact(flow: Flow): string {
    const known = this.#contacts.get(flow);
    if (known !== undefined) return known;
    const contact = this.#contactOn(flow);
    // A restored call may want one before all sockets are bound.
    if (this.#isBound) this.#contacts.set(flow, contact);
    return contact;
  }

  #contactOn(flow: Flow): string {
    const { bound, publicHost } = this.#config;
    const { sipUdp: udp, sipTcp: tcp, sips: tls, ws, wss } = bound;
    const port = { udp, tcp, tls, ws, wss }[flow.protocol]?.port ?? flow.local.port;
    const host = publicHost.includes(':') === flow.remote.host.includes(':') ? publicHost : flow.local.host;
    return `sip:hl@${writeHost(host)}:${port}`;
  }

  /** True for a host name or address that is this softswitch. */
  isOurs(host: string): boolean {
    const { domain, publicHost, sip } = this.#config;
    if (host === domain || host === publicHost || host === sip.host) return true;
    return this.#net.addresses().some((one) => one.host === host);
  }

  /** Pages of our own names, and those that the operator lists, may open a WebSocket; any other site may not act for its visitors. */
  #mayOpen(origin: string): boolean {
    if (this.#config.wsOrigins?.includes(origin) === true) return true;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) return false;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return host === 'localhost' || this.isOurs(host);
  }
}

async function named(flag: string, at: Address, bind: () => Promise<void>): Promise<void> {
  try {
    await bind();
  } catch (error) {
    if (!(error instanceof NetError) || error.code !== 'EADDRINUSE') throw error;
    throw new Error(`${writeHost(at.host)}:${at.port} is taken by another program; choose another with ${flag}.`);
  }
}
