/** Requests outside calls: REGISTER, OPTIONS and what a phone may send beside; and INFO inside calls, which is passed on. */

import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { readInfoDigit } from '#shared/sip/info-digits.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { allowEvents } from '#shared/sip/notifier.ts';
import type { RegisterOutcome } from '#shared/sip/registrar.ts';
import type { EndpointOutput, Flow, TransactionHandle } from '#shared/sip/types.ts';
import type { Access, Sender } from './access.ts';
import type { Calls } from './calls.ts';
import type { GatewayOfFlow } from './lines.ts';
import type { Location, Reached } from './location.ts';
import type { Returning } from './returning.ts';
import { PACKAGES } from './watch.ts';

/** The methods that the softswitch serves. */
export const ALLOW = [
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'OPTIONS',
  'UPDATE',
  'INFO',
  'MESSAGE',
  'REFER',
  'REGISTER',
  'SUBSCRIBE',
] as const;

/** What OPTIONS is told beside the methods (RFC 3261 section 11.2, RFC 6665 section 4.4.4). */
const ABLE = [['Accept', 'application/sdp'] as const, allowEvents(PACKAGES)];

export interface RequestsOptions {
  readonly access: Access;
  readonly location: Location;
  readonly calls: Calls;
  /** A digit that came by INFO. */
  readonly digit: (session: string, leg: string, digit: string, duration: number) => void;
  readonly clock: Clock;
  readonly sip: SipPort;
  readonly closeFlow: (flow: Flow) => void;
  /** A phone or gateway that proved itself: its source may send more. */
  readonly trust: (flow: Flow) => void;
  /** Lets a REGISTER change a line's bindings where several processes share them; default: it is done here and now. */
  readonly change?: (line: string, run: () => RegisterOutcome) => Promise<RegisterOutcome>;
  /** The bindings of a line over UDP changed; resolves once that outlasts this process. */
  readonly keep: (line: string) => Promise<void> | undefined;
  /** A gateway's flow has registered something: its calls go on over it. */
  readonly cameBack: (gateway: GatewayOfFlow, flow: Flow) => void;
  /** A phone of the line has registered or refreshed; `changed`: more than the time of its registration may be new. */
  readonly registered: (line: string, changed: boolean) => void;
  /** Finds direct phones that came back in a call. */
  readonly returning: Pick<Returning, 'before' | 'registered'>;
  /** A direct phone of the line proved itself at that address. */
  readonly registeredAt: (host: string, line: string) => void;
}

/** What an INFO may carry that nobody else is to hear. */
const DIGITS = 'application/dtmf-relay, application/dtmf';

type Incoming = Extract<EndpointOutput, { do: 'request' }>;
type InDialog = Extract<EndpointOutput, { do: 'in-dialog' }>;

export class Requests {
  readonly #o: RequestsOptions;
  /** INFO passed on: ours to theirs. */
  readonly #passed = new Map<TransactionHandle, TransactionHandle>();
  #dated = { second: -1, text: '' };

  constructor(options: RequestsOptions) {
    this.#o = options;
  }

  /** Work on a request: where what has to be known cannot be read, its sender hears so at once and asks again. */
  orRefused(transaction: TransactionHandle, work: Soon<void>): Soon<void> {
    if (!(work instanceof Promise)) return work;
    return work.catch((error: unknown) => {
      this.#reply(transaction, 503, [['Retry-After', '10']]);
      throw error;
    });
  }

  take(output: Incoming): Soon<void> {
    const { message, flow, transaction } = output;
    if (message.method === 'REGISTER') return this.#register(transaction, message, flow);
    if (message.method === 'OPTIONS') return this.#reply(transaction, 200, ABLE);
    // Whoever is in no call has none to give away (RFC 3515 section 2.4.2 lets us refuse it).
    this.#reply(transaction, message.method === 'REFER' ? 403 : 405);
  }

  #register(transaction: TransactionHandle, message: SipMessage, flow: Flow): Soon<void> {
    return soon(this.#o.access.sender(message, flow), (sender) => this.#sent(transaction, message, flow, sender));
  }

  /** It is known who registers. */
  #sent(transaction: TransactionHandle, message: SipMessage, flow: Flow, sender: Sender): Soon<void> {
    const { location, clock, closeFlow, trust } = this.#o;
    if (sender.kind === 'close') return closeFlow(flow);
    if (sender.kind === 'refuse') return this.#reply(transaction, sender.status, sender.headers);
    trust(flow);
    const { line, gateway } = sender;
    const from = { flow, ...(gateway === undefined ? {} : { gateway: gateway.gateway }) };
    const run = () => location.register(line, message, from, clock.mono());
    const { change, returning } = this.#o;
    const before = gateway === undefined ? returning.before(line.id) : undefined;
    return soon(change === undefined ? run() : change(line.id, run), (outcome) => {
      if (gateway !== undefined) this.#o.cameBack(gateway, flow);
      const isDirect = gateway === undefined && outcome.status === 200 && flow.protocol === 'udp';
      // A phone that heard yes can be rung, whatever happens to this process.
      const kept = isDirect ? this.#o.keep(line.id) : undefined;
      return soon(kept, () => this.#registered(transaction, { flow, before }, sender, outcome));
    });
  }

  #registered(
    transaction: TransactionHandle,
    { flow, before }: { readonly flow: Flow; readonly before: readonly Reached[] | undefined },
    { line, gateway }: Extract<Sender, { kind: 'line' }>,
    outcome: RegisterOutcome,
  ): void {
    const { sip } = this.#o;
    const { status, reason, contacts, headers, changed } = outcome;
    const all = [...contacts.map((value) => ['Contact', value] as const), ...headers];
    // A phone sets its clock by it (RFC 3261 section 10.3 step 8).
    if (status === 200) all.push(['Date', this.#date()]);
    sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { reason, headers: all }, now, out));
    if (status !== 200) return;
    if (changed && before !== undefined) this.#o.returning.registered(line.id, before);
    // A gateway's contact stays while the phones that it names change.
    this.#o.registered(line.id, changed || gateway !== undefined);
    if (gateway === undefined) this.#o.registeredAt(flow.remote.host, line.id);
  }

  /** INFO goes to the other side (DTMF of phones that know no RFC 4733); alone in a channel, one without body is fine (RFC 2976). */
  inDialog({ call, transaction, message }: InDialog): void {
    const { calls, sip } = this.#o;
    const found = calls.ofHandle(call);
    if (message.method !== 'INFO' || found === undefined) {
      this.#reply(transaction, 405);
      return;
    }
    const { call: live, party } = found;
    const contentType = message.header('Content-Type');
    const pressed = readInfoDigit(contentType, message.body);
    const leg = party === CALLER ? live.state.callerLeg?.id : live.state.branches.get(party)?.leg;
    if (pressed !== undefined && leg !== undefined) this.#o.digit(live.session, leg, pressed.digit, pressed.duration);
    const peer = live.handles.get(party === CALLER ? (live.state.winner ?? '') : CALLER);
    if (peer === undefined || live.state.at !== 'up') {
      const fits = message.body === '' || pressed !== undefined;
      this.#reply(transaction, fits ? 200 : 415, fits ? [] : [['Accept', DIGITS]]);
      return;
    }
    const options = { body: message.body, ...(contentType === undefined ? {} : { contentType }) };
    const ours = sip.act((endpoint, now, out) => endpoint.requestInDialog(peer, 'INFO', options, now, out));
    this.#passed.set(ours, transaction);
  }

  /** The outcome of what was passed on. */
  answered(ours: TransactionHandle, status: number): void {
    if (status < 200) return;
    const theirs = this.#passed.get(ours);
    this.#passed.delete(ours);
    if (theirs !== undefined) this.#reply(theirs, status);
  }

  /** Now, as RFC 3261 section 20.17 writes it; made once a second. */
  #date(): string {
    const second = Math.floor(this.#o.clock.wall() / 1000);
    if (second !== this.#dated.second) this.#dated = { second, text: new Date(second * 1000).toUTCString() };
    return this.#dated.text;
  }

  #reply(transaction: TransactionHandle, status: number, headers: readonly (readonly [string, string])[] = []): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }
}
