/** Wires the pure upstream machine: opens and keeps the flow, sends the REGISTERs, tells who wants to know. */
import type { SipPort } from '#shared/host/call-driver.ts';
import type { SipTransport } from '#shared/host/sip.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { TICK } from '#shared/kernel/machine.ts';
import { every, sleep } from '#shared/kernel/time.ts';
import type { Address, Timer, World } from '#shared/kernel/world.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import type { Flow, TransactionHandle } from '#shared/sip/types.ts';
import { newUpstream, type UpstreamInput, type UpstreamOutput, upstream } from './upstream.ts';

/** Milliseconds between keep-alives (RFC 5626 section 4.4.1). */
const KEEP_ALIVE = 25_000;
/** Milliseconds between looks whether the address that the flow goes out from is still ours: a keep-alive finds that out much later. */
const LOOK_EVERY = 5_000;

export interface UpstreamFlowOptions {
  readonly world: World;
  readonly transport: SipTransport;
  readonly port: SipPort;
  readonly identity: () => { readonly certificate: string; readonly key: string; readonly ca: string };
  readonly contact: (flow: Flow, line: string) => string;
  /** Address of record of a line; undefined for one that is gone. */
  readonly address: (line: string) => string | undefined;
  readonly domain: () => string;
  /** Further parameters of a line's contact. */
  readonly params?: (line: string) => string;
  readonly onFlow: (flow: Flow | undefined) => void;
}

export interface UpstreamInsight {
  readonly target?: Address;
  readonly flow: 'stopped' | 'down' | 'opening' | 'up';
  readonly lines: ReadonlyMap<string, 'asking' | 'held' | 'refused'>;
}

export class UpstreamFlow {
  readonly #o: UpstreamFlowOptions;
  readonly #state = newUpstream();
  /** Parameters with which each line was last registered. */
  readonly #params = new Map<string, string>();
  readonly #asked = new Map<TransactionHandle, string>();
  /** Call-ID and last CSeq of each line's registration (RFC 3261 section 10.2.4), and its address, for taking it away. */
  readonly #dialogs = new Map<string, { readonly callId: string; seq: number; readonly address: string }>();
  #target: Address | undefined;
  #flow: Flow | undefined;
  #timer: Timer | undefined;
  /** Ends the looks for the flow's own address. */
  #unwatch: () => void = () => {};

  constructor(options: UpstreamFlowOptions) {
    this.#o = options;
  }

  get flow(): Flow | undefined {
    return this.#flow;
  }

  /** The softswitch's address, how the flow stands, and the registration of each line that has a phone. */
  insight(): UpstreamInsight {
    const lines = new Map([...this.#state.lines].map(([line, { at }]) => [line, at]));
    return { ...(this.#target === undefined ? {} : { target: this.#target }), flow: this.#state.flow, lines };
  }

  /** Keeps a flow to this address from now on. */
  use(target: Address): void {
    const moved =
      this.#target !== undefined && (this.#target.host !== target.host || this.#target.port !== target.port);
    if (moved || this.#target === undefined) this.#target = target;
    if (moved && this.#flow !== undefined) this.#o.transport.closeFlow(this.#flow);
    this.#feed({ on: 'start' });
  }

  /** The lines that have a phone; true where that changed. */
  want(lines: ReadonlySet<string>): boolean {
    let changed = false;
    for (const line of [...this.#state.wanted]) {
      if (lines.has(line)) continue;
      this.#feed({ on: 'line', line, wanted: false });
      changed = true;
    }
    for (const line of lines) {
      if (this.#state.wanted.has(line)) continue;
      this.#feed({ on: 'line', line, wanted: true });
      changed = true;
    }
    for (const line of lines) {
      if (this.#params.get(line) !== this.#paramsOf(line)) this.#feed({ on: 'renew', line });
    }
    return changed;
  }

  /** A flow is gone; true where it was the kept one. */
  closed(flow: Flow): boolean {
    if (flow.id !== this.#flow?.id) return false;
    this.#flow = undefined;
    this.#unwatch();
    this.#asked.clear();
    this.#feed({ on: 'closed', jitter: this.#o.world.random.fraction() });
    this.#o.onFlow(undefined);
    return true;
  }

  response(transaction: TransactionHandle, message: SipMessage): void {
    const line = this.#asked.get(transaction);
    if (line === undefined || message.status < 200) return;
    this.#asked.delete(transaction);
    if (message.status >= 300) {
      this.#o.world.log.warn('edge.register-refused', { line, status: message.status });
      const after = retryAfter(message.header('Retry-After'));
      const jitter = this.#o.world.random.fraction();
      this.#feed({ on: 'refused', line, jitter, ...(after === undefined ? {} : { after }) });
      return;
    }
    const granted = message.contacts
      .map((contact) => Number(contact.params.get('expires')))
      .filter((seconds) => seconds > 0);
    this.#feed({
      on: 'registered',
      line,
      seconds: granted.length > 0 ? Math.min(...granted) : (message.expires ?? 60),
    });
  }

  noResponse(transaction: TransactionHandle): void {
    const line = this.#asked.get(transaction);
    this.#asked.delete(transaction);
    if (line !== undefined) this.#feed({ on: 'refused', line, jitter: this.#o.world.random.fraction() });
  }

  /** Takes the registrations away and lets go of the flow. */
  async stop(): Promise<void> {
    const registered = this.#flow !== undefined && this.#state.wanted.size > 0;
    const flow = this.#flow;
    this.#timer?.cancel();
    this.#unwatch();
    this.#feed({ on: 'stop' });
    // The last REGISTERs are on their way; their answers are of no interest.
    if (registered) await sleep(this.#o.world.clock, 50);
    if (flow !== undefined) this.#o.transport.closeFlow(flow);
    this.#timer?.cancel();
  }

  #feed(input: UpstreamInput | typeof TICK): void {
    const out: UpstreamOutput[] = [];
    const { clock } = this.#o.world;
    upstream.step(this.#state, input, clock.mono(), out);
    for (const one of out) {
      if (one.do === 'open') void this.#open();
      else if (one.do === 'register') this.#register(one.line, one.expires);
    }
    this.#timer?.cancel();
    this.#timer = clock.at(upstream.due(this.#state), () => this.#feed(TICK));
  }

  async #open(): Promise<void> {
    const { transport, world, identity } = this.#o;
    const target = this.#target;
    if (target === undefined) return;
    const { certificate, key, ca } = identity();
    try {
      const flow = await transport.flowTo({
        protocol: 'tls',
        ...target,
        tls: { ca, certificate, key },
        keepAlive: KEEP_ALIVE,
        fresh: true,
      });
      if (this.#state.flow !== 'opening') return transport.closeFlow(flow);
      // The softswitch moved while this was being opened.
      if (this.#target !== target) {
        transport.closeFlow(flow);
        return this.#feed({ on: 'closed', jitter: 0 });
      }
      this.#flow = flow;
      this.#watch(flow);
      this.#feed({ on: 'opened' });
      this.#o.onFlow(flow);
    } catch (error) {
      world.log.debug('edge.flow-not-open', {
        host: target.host,
        why: error instanceof Error ? error.message : String(error),
      });
      this.#feed({ on: 'closed', jitter: world.random.fraction() });
    }
  }

  /** The router gave us another address, or the interface is gone: nothing comes back over this flow, and a new one is opened at once. */
  #watch(flow: Flow): void {
    const { world, transport } = this.#o;
    const ours = () => world.net.addresses().some(({ host }) => host === flow.local.host);
    if (!ours()) return;
    this.#unwatch();
    this.#unwatch = every(world.clock, LOOK_EVERY, () => {
      if (ours()) return;
      world.log.warn('edge.address-gone', { host: flow.local.host });
      transport.closeFlow(flow);
    });
  }

  #register(line: string, expires: number): void {
    const flow = this.#flow;
    const { port, contact, address, domain, world } = this.#o;
    const of = address(line) ?? this.#dialogs.get(line)?.address;
    if (flow === undefined || of === undefined) return;
    let dialog = this.#dialogs.get(line);
    if (dialog === undefined) {
      dialog = { callId: hex(world.random.bytes(12)), seq: 0, address: of };
      this.#dialogs.set(line, dialog);
    }
    dialog.seq++;
    const parameters = this.#paramsOf(line);
    this.#params.set(line, parameters);
    const message = newRequest('REGISTER', `sip:${domain()}`, [
      ['From', `<${of}>;tag=${hex(world.random.bytes(6))}`],
      ['To', `<${of}>`],
      ['Call-ID', dialog.callId],
      ['CSeq', `${dialog.seq} REGISTER`],
      ['Contact', `<${contact(flow, line)}>;expires=${expires}${parameters}`],
      ['Supported', 'path, outbound, join, timer'],
    ]);
    const handle = port.act((endpoint, now, out) => endpoint.request(message, flow, now, out));
    if (expires > 0) this.#asked.set(handle, line);
    else if (address(line) === undefined) this.#dialogs.delete(line);
  }

  #paramsOf(line: string): string {
    return this.#o.params?.(line) ?? '';
  }
}

/** Seconds of Retry-After, whose comment and duration are of no interest (RFC 3261 section 20.33). */
function retryAfter(value: string | undefined): number | undefined {
  const seconds = Number.parseInt(value ?? '', 10);
  return seconds >= 0 ? seconds : undefined;
}
