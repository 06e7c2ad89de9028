/** New calls from phones and gateways: who calls, whether it may, and what it dialled. */
import { newCall } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { wantsPrivacy } from '#shared/sip/privacy.ts';
import type { CallHandle, EndpointOutput, Flow } from '#shared/sip/types.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { Access, Sender } from './access.ts';
import type { Calls } from './calls.ts';
import { shownLine } from './live.ts';
import { isOpen } from './location.ts';
import { rtpHost } from './media.ts';
import { LINE_CALLS, type Router } from './routing.ts';

/** Calls in progress that the softswitch takes on; further ones get 503 with Retry-After. */
export const CALL_LIMIT = 20_000;
/** Of these, calls that may be in set-up at once: beyond it the switch has more to do than it can. */
export const SETUP_LIMIT = 3_000;
/** Characters of what was dialled. */
const DIALLED_LIMIT = 256;

export interface IncomingOptions {
  readonly access: Access;
  readonly calls: Calls;
  readonly router: Router;
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly newId: (prefix: 'chn') => string;
  readonly closeFlow: (flow: Flow) => void;
  /** A source that proved itself may send more. */
  readonly trust: (flow: Flow) => void;
  /** Other limits than `CALL_LIMIT` and `SETUP_LIMIT`. */
  readonly most?: number;
  readonly inSetup?: number;
  /** True for a host name or address that is this softswitch. */
  readonly isOurs: (host: string) => boolean;
}

type Invite = Extract<EndpointOutput, { do: 'incoming' }>;

export class Incoming {
  readonly #o: IncomingOptions;
  /** Calls whose sender is being looked up. */
  readonly #asking = new Set<CallHandle>();

  constructor(options: IncomingOptions) {
    this.#o = options;
  }

  async take(output: Invite): Promise<void> {
    const { access, calls, closeFlow, trust } = this.#o;
    const { call, message, flow } = output;
    const { most = CALL_LIMIT, inSetup = SETUP_LIMIT } = this.#o;
    if (calls.size >= most || calls.between >= inSetup) return this.#reject(call, 503, [['Retry-After', '10']]);
    this.#asking.add(call);
    const sender = await access.sender(message, flow);
    // The caller may have hung up meanwhile.
    if (!this.#asking.delete(call)) return;
    if (sender.kind === 'close') {
      this.#reject(call, 403, []);
      return closeFlow(flow);
    }
    if (sender.kind === 'refuse') return this.#reject(call, sender.status, sender.headers);
    trust(flow);
    this.#start(output, sender);
  }

  /** The caller of a call that nobody knows yet went away. */
  ended(call: CallHandle): void {
    this.#asking.delete(call);
  }

  #start(output: Invite, { line, gateway }: Extract<Sender, { kind: 'line' }>): void {
    const { calls, clock, newId } = this.#o;
    const { call, message, flow, offer } = output;
    if (line.class === 'standard' && calls.countOf(line.id) >= LINE_CALLS) {
      this.#reject(call, 403, []);
      return;
    }
    const dialled = dialledOf(message.uri, this.#o.isOurs);
    if (dialled === undefined) {
      this.#reject(call, 404, []);
      return;
    }
    const live = {
      id: newId('chn'),
      state: newCall<never>(),
      session: '',
      autonomous: false,
      caller: shownLine(line),
      line,
      ...(wantsPrivacy(message) ? { hidden: true } : {}),
      direct: gateway === undefined,
      open: gateway === undefined && isOpen(message.contacts[0]?.uri, flow) && rtpHost(offer) === flow.remote.host,
      ...(gateway === undefined ? {} : { gateway: gateway.gateway }),
      flow,
      dialled,
      callId: message.callId.slice(0, 256),
      handles: new Map(),
      versions: new Map(),
      counted: [],
      startedAt: clock.wall(),
      due: NEVER,
    };
    calls.add(live, call);
    calls.feed(live, { on: 'invite', ...(offer === undefined ? {} : { sdp: offer }) });
  }

  #reject(call: CallHandle, status: number, headers: readonly (readonly [string, string])[]): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reject(call, status, { headers }, now, out));
  }
}

/** What the Request-URI asks for: the user of one of our own addresses, else the whole URI without parameters. */
export function dialledOf(text: string, isOurs: (host: string) => boolean): string | undefined {
  const uri = parseUri(text);
  if (uri?.user === undefined) return undefined;
  const ours = uri.scheme === 'tel' || isOurs(uri.host);
  const dialled = ours ? uri.user : `sip:${uri.user}@${uri.host}`;
  return dialled.length > DIALLED_LIMIT ? undefined : dialled;
}
