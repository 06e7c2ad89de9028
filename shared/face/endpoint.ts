/**
 * The SIP stack's public face, in pjsip's words: an Endpoint has Transports and Accounts, and Accounts make and take Calls. What can
 * go wrong comes back as a value that says what to do next; nothing here throws for what a peer or an operator does. See
 * docs/api/sip-stack.md.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { within } from '#shared/kernel/time.ts';
import { type Address, NetError, type TlsClientOptions, type World } from '#shared/kernel/world.ts';
import { SipTransport, type UserOutput } from '../host/sip.ts';
import { sipHash } from '../host/sip-hash.ts';
import { flowByName, SipResolver } from '../host/sip-resolver.ts';
import { Endpoint as Stack } from '../sip/endpoint.ts';
import type { SipMessage } from '../sip/message.ts';
import type { CallHandle, EndpointOutput, Flow, OpenedProtocol, SipEndpoint, TransactionHandle } from '../sip/types.ts';
import { parseUri, type SipUri } from '../sip/uri.ts';
import { Account, type AccountConfig, type AccountPort } from './account.ts';
import { AudioMedia } from './audio-media.ts';
import type { Call } from './call.ts';
import { type Trouble, trouble } from './trouble.ts';

export interface TransportConfig {
  readonly protocol: OpenedProtocol;
  /** Address to bind; default all (UDP). */
  readonly host?: string;
  /** UDP: default any free one. TCP: listens there; without it connections are only opened. */
  readonly port?: number;
  /** Whom TLS believes; default the web's authorities. */
  readonly tls?: TlsClientOptions;
}

export interface Transport {
  readonly protocol: OpenedProtocol;
  /** Where it listens; undefined where it only opens connections. */
  readonly local?: Address;
}

export interface EndpointConfig {
  /** Name servers for what is named and not addressed (RFC 3263). */
  readonly nameServers?: readonly Address[];
  /** Every message, as it goes over the wire. */
  readonly trace?: (direction: 'in' | 'out', text: string) => void;
}

/** What the face serves; REFER, SUBSCRIBE and the like are refused with 405. */
const ALLOW = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'UPDATE', 'INFO', 'NOTIFY'] as const;
/** Milliseconds that `destroy` waits for answers to its last requests. */
const FAREWELL = 2_000;

export class Endpoint {
  readonly #world: World;
  readonly #stack: Stack;
  readonly #sip: SipTransport;
  readonly #resolver: SipResolver | undefined;
  readonly #transports = new Map<OpenedProtocol, TransportConfig>();
  readonly #accounts: Account[] = [];
  readonly #calls = new Map<CallHandle, Call>();
  /** Who waits for the final answer to a request. */
  readonly #asked = new Map<TransactionHandle, (answer: SipMessage | undefined) => void>();

  constructor(world: World, config: EndpointConfig = {}) {
    const { nameServers, trace } = config;
    this.#world = world;
    this.#stack = new Stack({ random: world.random, hash: sipHash(world.crypto), allow: ALLOW, supported: [] });
    this.#sip = new SipTransport(world, {
      endpoint: this.#stack,
      onOutput: (output) => this.#take(output),
      onFlowClosed: (flow) => {
        for (const account of this.#accounts) account.flowClosed(flow);
      },
      ...(trace && { trace: (direction, _flow, text) => trace(direction, text) }),
    });
    if (nameServers !== undefined)
      this.#resolver = new SipResolver(world, { servers: nameServers, protocols: ['udp', 'tcp', 'tls'] });
  }

  /** Calls that are not over. */
  get calls(): readonly Call[] {
    return [...this.#calls.values()];
  }

  /** Opens a way for messages; one for each protocol. */
  async createTransport(config: TransportConfig): Promise<Result<Transport, Trouble>> {
    const { protocol, host = '0.0.0.0', port } = config;
    try {
      const at = { host, port: port ?? 0 };
      let local: Address | undefined;
      if (protocol === 'udp') local = (await this.#sip.bind({ udp: at })).udp[0];
      else if (protocol === 'tcp' && port !== undefined) local = (await this.#sip.bind({ tcp: at })).tcp[0];
      this.#transports.set(protocol, config);
      return ok({ protocol, ...(local === undefined ? {} : { local }) });
    } catch (error) {
      return err(netTrouble(error, `${host}:${port ?? 0} cannot be bound`));
    }
  }

  createAccount(config: AccountConfig): Account {
    const account = new Account(this.#port(), config);
    this.#accounts.push(account);
    return account;
  }

  /** Hangs up, takes registrations back and closes. */
  async destroy(): Promise<void> {
    for (const call of this.calls) call.hangup();
    const gone = this.#accounts.map((account) => (account.registered ? account.unregister() : account.close()));
    await within(this.#world.clock, FAREWELL, Promise.all(gone), undefined);
    for (const account of this.#accounts) account.close();
    await this.#sip.close();
  }

  #port(): AccountPort {
    const world = this.#world;
    const act = <T>(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => T) =>
      this.#sip.act((now, out) => run(this.#stack, now, out));
    return {
      ...{ world, stack: this.#stack, act },
      flowTo: (uri) => this.#flowTo(uri),
      send: (request, flow, credentials) =>
        new Promise((resolve) => {
          // Known before anything can be heard of it.
          act((endpoint, now, out) => {
            this.#asked.set(endpoint.request(request, flow, now, out, credentials), resolve);
          });
        }),
      audio: async (flow) => {
        try {
          return ok(await AudioMedia.open(world, flow.local.host));
        } catch (error) {
          return err(netTrouble(error, 'no port is free for sound'));
        }
      },
      hold: (call) => void this.#calls.set(call.handle, call),
      forget: (call) => void this.#calls.delete(call.handle),
    };
  }

  async #flowTo(uri: SipUri): Promise<Result<Flow, Trouble>> {
    const asked = uri.params.get('transport')?.toLowerCase();
    const protocol = (
      uri.scheme === 'sips' ? 'tls' : (asked ?? this.#transports.keys().next().value)
    ) as OpenedProtocol;
    const transport = this.#transports.get(protocol);
    if (transport === undefined) return err(trouble('no_transport'));
    const port = uri.port ?? (protocol === 'tls' ? 5061 : 5060);
    const { tls } = transport;
    try {
      const to = { protocol, host: uri.host, port, ...(tls && { tls }) };
      return ok(await flowByName(this.#sip, this.#resolver, to));
    } catch (error) {
      return err(netTrouble(error, `${uri.host}:${port} cannot be reached over ${protocol}`));
    }
  }

  #take(output: UserOutput): void {
    if (output.do === 'incoming') this.#incoming(output);
    else if (output.do === 'request') this.#reply(output.transaction, output.message.method === 'OPTIONS' ? 200 : 405);
    else if (output.do === 'in-dialog') this.#reply(output.transaction, 200);
    else if (output.do === 'response') {
      if (output.message.status >= 200) this.#answered(output.transaction, output.message);
    } else if (output.do === 'no-response') this.#answered(output.transaction, undefined);
    else this.#calls.get(output.call)?.take(output);
  }

  /** A call in is the account's whose user it names; where there is but one account, it is that one's. */
  #incoming(output: Extract<UserOutput, { do: 'incoming' }>): void {
    const user = parseUri(output.message.uri)?.user;
    const only = this.#accounts.length === 1 ? this.#accounts[0] : undefined;
    const account = this.#accounts.find((one) => one.isFor(user)) ?? only;
    if (account !== undefined) return void account.incoming(output);
    this.#sip.act((now, out) => this.#stack.reject(output.call, 404, {}, now, out));
  }

  #reply(transaction: TransactionHandle, status: number): void {
    this.#sip.act((now, out) => this.#stack.reply(transaction, status, {}, now, out));
  }

  #answered(transaction: TransactionHandle, answer: SipMessage | undefined): void {
    this.#asked.get(transaction)?.(answer);
    this.#asked.delete(transaction);
  }
}

/** A failure of the network as trouble; anything else is a bug, and thrown. */
function netTrouble(error: unknown, text: string): Trouble {
  if (!(error instanceof NetError)) throw error;
  return trouble(error.code === 'EADDRNOTAVAIL' ? 'no_transport' : 'unreachable', `${text}: ${error.code}.`);
}
