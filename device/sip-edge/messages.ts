/**
 * SIP MESSAGE (RFC 3428) at the gateway. A message between phones of the house is switched here, always, and told to the cloud
 * afterwards; any other goes to the softswitch, and while the WAN is cut into the outbox: it is on the disk before the phone hears
 * 202, and its Call-ID and CSeq (or Message-ID) make it one message however often it is told. What the cloud sends goes to the one
 * phone that it names, once: a repetition gets the same answer without the phone.
 */

import { readSubmission } from '#shared/call/submission.ts';
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
import type { World } from '#shared/kernel/world.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { SUBMIT_LIMIT } from '#shared/protocol/verbs/messaging.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import { refusalUnnamed } from '#shared/sip/privacy.ts';
import type { EndpointOutput, Flow, TransactionHandle } from '#shared/sip/types.ts';
import { parseUri, writeNameAddr } from '#shared/sip/uri.ts';
import { write } from '#shared/sip/write.ts';
import type { House, HouseLine, Phone } from './house.ts';

export type Submit = VerbRequest<'message.submit'>;
type Header = readonly [string, string];

export interface EdgeMessagesOptions {
  readonly world: Pick<World, 'clock'>;
  readonly sip: SipPort;
  readonly house: House;
  readonly domain: () => string;
  /** The kept flow, while there is one. */
  readonly upstream: () => Flow | undefined;
  /** Lower-case hex. */
  readonly sha256: (text: string) => string;
  /** Tells the cloud, in time; resolves once it would survive a power cut, with false where nobody takes it. */
  readonly submit: (message: Submit) => Promise<boolean>;
}

/** Messages of the cloud whose outcome is remembered. */
export const REMEMBERED = 1_000;
/** Octets that the topmost Via adds. */
const VIA_OCTETS = 120;

export class EdgeMessages {
  readonly #o: EdgeMessagesOptions;
  readonly #asks: SipAsks;
  /** Messages of the cloud that a phone took, by Call-ID, CSeq and phone; oldest first. */
  readonly #taken = new Map<string, number>();
  /** Those that a phone is just asked to take, by the same key. */
  readonly #asked = new Map<string, Promise<Answer>>();

  constructor(options: EdgeMessagesOptions) {
    this.#o = options;
    this.#asks = new SipAsks(options.sip);
  }

  /** True for the news of a request that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  /** Names of a line's phones here. */
  devices(line: string): string[] {
    return this.#phones(line).map(({ device }) => device);
  }

  /** From a phone that proved to be `from`. */
  async fromPhone(transaction: TransactionHandle, message: SipMessage, from: HouseLine, flow: Flow): Promise<void> {
    const submit = this.#read(transaction, message, from.id);
    if (submit === undefined) return;
    const to = parseUri(message.uri)?.user ?? '';
    if (to === '' || to.length > 64) return this.#reply(transaction, 404);
    const line = this.#o.house.dialled(to);
    const phones = line === undefined ? [] : this.#phones(line.id).filter(({ phone }) => phone.flow.id !== flow.id);
    if (line === undefined || phones.length === 0) return this.#away(transaction, message, from, { ...submit, to });
    const answers = await Promise.all(
      phones.map(async ({ phone, device }) => ({
        device,
        answer: await this.#toPhone(phone, device, message, from, line),
      })),
    );
    const delivered = answers.filter(({ answer }) => isTaken(answer)).map(({ device }) => device);
    const refusal = answers.find(({ answer }) => answer.status >= 400 && answer.status !== 408 && answer.status < 500);
    if (delivered.length === 0 && refusal !== undefined) return this.#reply(transaction, refusal.answer.status);
    const kept = await this.#o.submit({ ...submit, to: line.number, ...(delivered.length === 0 ? {} : { delivered }) });
    if (delivered.length > 0) return this.#reply(transaction, 200);
    this.#reply(transaction, kept ? 202 : 480);
  }

  /** From the softswitch, for a phone of the house. */
  async fromCloud(transaction: TransactionHandle, message: SipMessage): Promise<void> {
    const uri = parseUri(message.uri);
    const line = this.#o.house.dialled(uri?.user ?? '');
    const wanted = uri?.params.get('gr');
    const phones = line === undefined ? [] : this.#phones(line.id);
    const one = phones.find(({ device }) => wanted === undefined || device === wanted);
    if (line === undefined || one === undefined) return this.#reply(transaction, 480);
    const key = `${message.callId} ${message.cseq.n} ${one.device}`;
    const known = this.#taken.get(key);
    if (known !== undefined) return this.#reply(transaction, known);
    // The cloud repeats over a new flow what the phone has been asked already.
    const asked = this.#asked.get(key) ?? this.#fromCloudTo(one.phone, message, line);
    this.#asked.set(key, asked);
    const answer = await asked;
    this.#asked.delete(key);
    if (isTaken(answer)) this.#remember(key, answer.status);
    this.#reply(transaction, answer.status === 0 ? 408 : answer.status, passed(answer));
  }

  #fromCloudTo(phone: Phone, message: SipMessage, line: HouseLine): Promise<Answer> {
    const from = writeNameAddr({ display: message.from.display, uri: message.from.uri, params: new Map() });
    const tag = message.from.params.get('tag') ?? '';
    return this.#ask(phone, message, `${from};tag=${tag}`, line, message.callId);
  }

  /** Inside a call: to the other side. Gives what that side answered. */
  inCall(message: SipMessage, peer: string): Promise<Answer> {
    const options = { body: message.body, contentType: message.header('Content-Type') ?? 'text/plain' };
    return this.#asks.send((endpoint, now, out) => endpoint.requestInDialog(peer, 'MESSAGE', options, now, out));
  }

  /** Tells the cloud of a message that passed inside a house call. */
  told(message: SipMessage, from: string, to: string, call: string): void {
    const body = readText(message.body);
    if (body === undefined || message.body.length > SUBMIT_LIMIT) return;
    const { clock } = this.#o.world;
    void this.#o.submit({
      ...{ line: from, lines: [to], callId: message.callId.slice(0, 256), cseq: message.cseq.n, body, call },
      ...{ contentType: typeOf(message), at: Math.floor(clock.wall()), delivered: this.devices(to).slice(0, 1) },
    });
  }

  /** The facts of a message that may go on; one that may not is answered here. */
  #read(transaction: TransactionHandle, message: SipMessage, line: string): Submit | undefined {
    const unnamed = refusalUnnamed(message);
    if (unnamed !== undefined) {
      this.#reply(transaction, unnamed);
      return undefined;
    }
    const body = message.body.length > SUBMIT_LIMIT ? undefined : readText(message.body);
    if (body === undefined) {
      this.#reply(transaction, message.body.length > SUBMIT_LIMIT ? 513 : 415);
      return undefined;
    }
    const contentType = typeOf(message);
    const read = readSubmission(contentType, body);
    if (!read.ok) {
      this.#reply(transaction, sipStatus(read.fault.code));
      return undefined;
    }
    const wall = Math.floor(this.#o.world.clock.wall());
    const expiresIn = lifeOf(message, wall);
    return {
      ...{ line, callId: message.callId.slice(0, 256), cseq: message.cseq.n, contentType, body },
      ...(expiresIn === undefined ? {} : { expiresIn }),
      at: wall,
    };
  }

  /** Nobody in the house can take it: the softswitch, or the outbox while there is no way to it. */
  async #away(transaction: TransactionHandle, message: SipMessage, from: HouseLine, submit: Submit): Promise<void> {
    const flow = this.#o.upstream();
    if (flow !== undefined) {
      const answer = await this.#asks.send((endpoint, now, out) =>
        endpoint.request(this.#upward(message, from, submit.to ?? ''), flow, now, out),
      );
      // Silence does not say whether it arrived: told again under the same name it is still one message.
      if (answer.status !== 0) return this.#reply(transaction, answer.status, passed(answer));
    }
    const kept = await this.#o.submit(submit);
    this.#reply(transaction, kept ? 202 : 503, kept ? [] : [['Retry-After', '30']]);
  }

  #upward(message: SipMessage, from: HouseLine, to: string): SipMessage {
    const uri = `sip:${to}@${this.#o.domain()}`;
    const address = this.#address(from);
    return newRequest(
      'MESSAGE',
      uri,
      [
        ['From', `${address};tag=${message.from.params.get('tag') ?? '1'}`],
        ['To', `<${uri}>`],
        ['Call-ID', message.callId],
        ['CSeq', `${message.cseq.n} MESSAGE`],
        ['P-Asserted-Identity', address],
        ...this.#life(message),
        ['Content-Type', typeOf(message)],
      ],
      message.body,
    );
  }

  /** It is good from when it was sent, also where it is sent on later (RFC 3428 section 4). */
  #life(message: SipMessage): Header[] {
    if (message.expires === undefined) return [];
    const date = message.header('Date') ?? new Date(this.#o.world.clock.wall()).toUTCString();
    return [
      ['Expires', String(message.expires)],
      ['Date', date],
    ];
  }

  #toPhone(phone: Phone, device: string, message: SipMessage, from: HouseLine, to: HouseLine): Promise<Answer> {
    const tag = message.from.params.get('tag') ?? '1';
    return this.#ask(phone, message, `${this.#address(from)};tag=${tag}`, to, `${message.callId}.${device}`);
  }

  async #ask(phone: Phone, message: SipMessage, from: string, to: HouseLine, callId: string): Promise<Answer> {
    const request = newRequest(
      'MESSAGE',
      phone.uri,
      [
        ['From', from],
        ['To', this.#address(to)],
        ['Call-ID', callId],
        ['CSeq', `${message.cseq.n} MESSAGE`],
        ...phone.path.map((value): Header => ['Route', value]),
        ['Content-Type', typeOf(message)],
      ],
      message.body,
    );
    if (phone.flow.protocol === 'udp' && write(request).length + VIA_OCTETS > MESSAGE_DATAGRAM) return { status: 513 };
    return this.#asks.send((endpoint, now, out) => endpoint.request(request, phone.flow, now, out));
  }

  #address(line: HouseLine): string {
    const display = line.name === undefined ? '' : bodyText(line.name);
    return writeNameAddr({ display, uri: `sip:${line.number}@${this.#o.domain()}`, params: new Map() });
  }

  #phones(line: string) {
    return this.#o.house.devices(line, this.#o.world.clock.mono(), this.#o.sha256);
  }

  #remember(key: string, status: number): void {
    this.#taken.set(key, status);
    const oldest = this.#taken.keys().next().value;
    if (this.#taken.size > REMEMBERED && oldest !== undefined) this.#taken.delete(oldest);
  }

  #reply(transaction: TransactionHandle, status: number, headers: readonly Header[] = []): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }
}

const typeOf = (message: SipMessage): string => (message.header('Content-Type') ?? 'text/plain').slice(0, 128);

/** What of an answer the asker needs too. */
function passed({ message }: Answer): Header[] {
  return ['Retry-After', 'Accept'].flatMap((name) => {
    const value = message?.header(name);
    return value === undefined ? [] : [[name, value] as const];
  });
}
