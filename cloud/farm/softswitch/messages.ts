/**
 * SIP MESSAGE (RFC 3428) at the softswitch: what phones and gateways send goes to the messaging server, in the name of the line that
 * the channel proves; what that server wants delivered goes to one phone, inside its dialog of the session where there is one.
 */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import {
  type Answer,
  bodyText,
  isTaken,
  lifeOf,
  MESSAGE_DATAGRAM,
  readText,
  SipAsks,
} from '#shared/host/sip-messaging.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type Fault, fault, sipStatus } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { SUBMIT_LIMIT } from '#shared/protocol/verbs/messaging.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import { refusalUnnamed } from '#shared/sip/privacy.ts';
import type { CallHandle, EndpointOutput, Flow, TransactionHandle } from '#shared/sip/types.ts';
import { parseUri, writeUri } from '#shared/sip/uri.ts';
import { write } from '#shared/sip/write.ts';
import type { Access } from './access.ts';
import type { Calls } from './calls.ts';
import { dialledOf } from './dialled.ts';
import type { Lines } from './lines.ts';
import { addressOf, endOf } from './live.ts';
import type { Contact, Location } from './location.ts';
import { SELF } from './media.ts';

export interface MessagesOptions {
  readonly access: Access;
  readonly calls: Calls;
  readonly lines: Lines;
  readonly location: Location;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly sip: SipPort;
  readonly domain: string;
  readonly isOurs: (host: string) => boolean;
  readonly closeFlow: (flow: Flow) => void;
  readonly trust: (flow: Flow) => void;
  /** Lower-case hex. */
  readonly sha256: (text: string) => string;
}

type Deliver = VerbRequest<'message.deliver'>;
type Delivered = VerbReply<'message.deliver'>;
type Submit = VerbRequest<'message.submit'>;

/** Media types that a MESSAGE may have, for Accept (RFC 3261 section 20.1). */
export const MESSAGE_TYPES = 'text/plain, message/cpim, message/imdn+xml';
/** Milliseconds within which mere refreshes of a line are told of once: less than the shortest registration. */
const TELL_EVERY = 30_000;
/** Room for what the transport adds to a request: the topmost Via. */
const VIA_OCTETS = 120;
/** Answers after which a phone may take the same message another time; all other refusals are for good. */
const LATER: ReadonlySet<number> = new Set([0, 408, 480, 481, 482, 486, 491, 500, 502, 503, 504, 580]);

export class Messages {
  readonly #o: MessagesOptions;
  readonly #asks: SipAsks;
  /** Lines whose registration was told of since a moment (monotonic, ms). */
  readonly #told = new Set<string>();
  #toldFrom = 0;

  constructor(options: MessagesOptions) {
    this.#o = options;
    this.#asks = new SipAsks(options.sip);
  }

  handlers(): Pick<Handlers<'softswitch'>, 'message.deliver' | 'registration.list'> {
    return {
      'message.deliver': async (request, { principal }) =>
        principal.kind === 'part' ? ok(await this.#deliver(request)) : err(fault('forbidden')),
      'registration.list': async ({ lines }) => {
        if (lines === undefined) await this.#o.location.refresh?.();
        else await Promise.all(lines.map((line) => this.#o.location.refresh?.(line)));
        const list = this.#o.location.list(lines, this.#o.clock.mono());
        return ok({ items: list.map((one) => ({ ...one, devices: this.#devices(one.line) })) });
      },
    };
  }

  /** A phone of the line has registered (`changed`), or was refreshed, which is told of once in a while. */
  registered(line: string, changed: boolean): void {
    const now = this.#o.clock.mono();
    if (now - this.#toldFrom >= TELL_EVERY) {
      this.#told.clear();
      this.#toldFrom = now;
    }
    if (!changed && this.#told.has(line)) return;
    this.#told.add(line);
    this.#o.bus.publish('line.registered', { line, devices: this.#devices(line) });
  }

  /** A MESSAGE outside of calls. */
  async take({ message, flow, transaction }: Extract<EndpointOutput, { do: 'request' }>): Promise<void> {
    const { access, closeFlow, trust, isOurs } = this.#o;
    const sender = await access.sender(message, flow);
    if (sender.kind === 'close') return closeFlow(flow);
    if (sender.kind === 'refuse') return this.#reply(transaction, sender.status, sender.headers);
    trust(flow);
    const unnamed = refusalUnnamed(message);
    if (unnamed !== undefined) return this.#reply(transaction, unnamed);
    const to = dialledOf(message.uri, isOurs);
    if (to === undefined) return this.#reply(transaction, 404);
    return this.#submit(transaction, message, { line: sender.line.id, to });
  }

  /** A MESSAGE inside a call: bound to its leg, and for everybody else of the session. */
  async inDialog({ call, message, transaction }: Extract<EndpointOutput, { do: 'in-dialog' }>): Promise<void> {
    const found = this.#o.calls.ofHandle(call);
    const line = found === undefined ? undefined : endOf(found.call, found.party).line;
    if (found === undefined || line === undefined) return this.#reply(transaction, 481);
    const { call: live, party } = found;
    // Kept, and told to the callee's other phones, it would say who calls.
    const unnamed = party === CALLER && live.hidden === true ? 433 : refusalUnnamed(message);
    if (unnamed !== undefined) return this.#reply(transaction, unnamed);
    const { state, session } = live;
    const leg = party === CALLER ? state.callerLeg?.id : state.branches.get(party)?.leg;
    const others = new Set<string>();
    for (const one of this.#o.calls.all()) {
      if (one !== live && (session === '' || one.session !== session)) continue;
      for (const other of one.handles.keys()) {
        const id = endOf(one, other).line?.id;
        if (id !== undefined && id !== line.id) others.add(id);
      }
    }
    const where = { ...(session === '' ? {} : { session }), ...(leg === undefined ? {} : { leg }) };
    return this.#submit(transaction, message, { line: line.id, lines: [...others], ...where });
  }

  /** True for the news of a request that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  async #submit(
    transaction: TransactionHandle,
    message: SipMessage,
    who: Pick<Submit, 'line' | 'to' | 'lines' | 'session' | 'leg'>,
  ): Promise<void> {
    if (message.body.length > SUBMIT_LIMIT) return this.#reply(transaction, 513);
    const body = readText(message.body);
    if (body === undefined) return this.#refuse(transaction, fault('message_content'));
    const expiresIn = lifeOf(message, this.#o.clock.wall());
    const submitted = await this.#o.bus.request(
      'message.submit',
      {
        ...who,
        ...{ callId: message.callId.slice(0, 256), cseq: message.cseq.n, body },
        contentType: (message.header('Content-Type') ?? 'text/plain').slice(0, 128),
        ...(expiresIn === undefined ? {} : { expiresIn }),
      },
      SELF,
    );
    // It is kept and will be delivered, which is not to say that it has been (RFC 3428 section 7).
    if (submitted.ok) return this.#reply(transaction, 202);
    return this.#refuse(transaction, submitted.fault);
  }

  #refuse(transaction: TransactionHandle, { code, retryAfter }: Fault): void {
    const status = sipStatus(code);
    const headers: [string, string][] = [];
    if (status === 415) headers.push(['Accept', MESSAGE_TYPES]);
    if (status === 503) headers.push(['Retry-After', String(Math.ceil((retryAfter ?? 10_000) / 1000))]);
    this.#reply(transaction, status, headers);
  }

  #devices(line: string): string[] {
    const { location, clock, sha256 } = this.#o;
    return [...new Set(location.reach(line, clock.mono(), sha256).flatMap(({ devices }) => devices))];
  }

  async #deliver(request: Deliver): Promise<Delivered> {
    const { location, clock, sha256 } = this.#o;
    const { line, device, session } = request;
    const dialog = session === undefined ? undefined : this.#dialogOf(session, line);
    if (dialog !== undefined) {
      const answer = await this.#inCall(dialog, request);
      if (isTaken(answer)) return { outcome: 'delivered', status: answer.status };
    }
    let last: Delivered = { outcome: 'unreachable', status: 480 };
    await location.refresh?.(line);
    for (const { contact, devices } of location.reach(line, clock.mono(), sha256)) {
      if (device !== undefined && !devices.includes(device)) continue;
      last = outcomeOf(await this.#outside(contact, request));
      if (last.outcome === 'delivered') return last;
    }
    return last;
  }

  /** The established dialog of a session with a phone of this line. */
  #dialogOf(session: string, line: string): CallHandle | undefined {
    for (const live of this.#o.calls.all()) {
      if (live.session !== session || live.state.at !== 'up') continue;
      for (const [party, handle] of live.handles) if (endOf(live, party).line?.id === line) return handle;
    }
    return undefined;
  }

  #inCall(dialog: CallHandle, { contentType, body }: Deliver): Promise<Answer> {
    const options = { contentType, body: bodyText(body) };
    return this.#asks.send((endpoint, now, out) => endpoint.requestInDialog(dialog, 'MESSAGE', options, now, out));
  }

  async #outside(contact: Contact, request: Deliver): Promise<Answer> {
    const line = await this.#o.lines.byId(request.line);
    if (line === undefined) return { status: 404 };
    const message = this.#message(contact, line.number, request);
    const { flow } = contact;
    if (flow.protocol === 'udp' && write(message).length + VIA_OCTETS > MESSAGE_DATAGRAM) return { status: 513 };
    return this.#asks.send((endpoint, now, out) => endpoint.request(message, flow, now, out));
  }

  #message(contact: Contact, number: string, { device, callId, cseq, from, contentType, body }: Deliver): SipMessage {
    const { domain, sha256 } = this.#o;
    // An address that is no number of ours goes into the name.
    const outside = from.number.includes(':');
    const address = addressOf(outside ? { number: 'messages', name: from.number } : from, domain);
    const uri = contact.gateway === undefined || device === undefined ? contact.uri : toDevice(contact.uri, device);
    return newRequest(
      'MESSAGE',
      uri,
      [
        // All of this follows from the message and the phone, so that a second try is recognised.
        ['From', `${address};tag=${sha256(callId).slice(0, 16)}`],
        ['To', addressOf({ number }, domain)],
        ['Call-ID', callId],
        ['CSeq', `${cseq} MESSAGE`],
        ...contact.path.map((value) => ['Route', value] as const),
        ...(contact.gateway === undefined ? [] : [['P-Asserted-Identity', address] as const]),
        ['Content-Type', contentType],
      ],
      bodyText(body),
    );
  }

  #reply(transaction: TransactionHandle, status: number, headers: readonly (readonly [string, string])[] = []): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }
}

/** Names a phone behind a gateway, as a GRUU names an instance (RFC 5627 section 3.3). */
function toDevice(contact: string, device: string): string {
  const uri = parseUri(contact);
  if (uri === undefined) return contact;
  return writeUri({ ...uri, params: new Map([...uri.params, ['gr', device]]) });
}

function outcomeOf(answer: Answer): Delivered {
  const { status } = answer;
  if (isTaken(answer)) return { outcome: 'delivered', status };
  return { outcome: LATER.has(status) ? 'unreachable' : 'refused', status };
}
