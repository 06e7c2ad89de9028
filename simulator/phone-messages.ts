/**
 * The messages of a phone: what it sends, what it has got, and the receipts either way (RFC 3428, RFC 3862, RFC 5438). A message that
 * comes again, by its Message-ID or else its Call-ID and CSeq, is shown once.
 */
import { bodyText, readText } from '#shared/host/sip-messaging.ts';
import { hex } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import {
  CPIM_TYPE,
  cpimContentType,
  cpimHeader,
  cpimHeaderOf,
  IMDN_NAMESPACE,
  parseCpim,
  writeCpim,
} from '#shared/sip/cpim.ts';
import { type DispositionStatus, IMDN_TYPE, parseImdn, writeImdn } from '#shared/sip/imdn.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';

/** What the phone does with a message: shows it, takes plain text only (415 for others), refuses it, or says 500. */
export type MessageManner = 'take' | 'plain' | 'refuse' | 'fail';

export interface Shown {
  readonly text: string;
  /** URI of the sender. */
  readonly from: string;
  /** CPIM Message-ID. */
  readonly id?: string;
  /** The sender wants to hear of reading. */
  readonly wantsDisplay: boolean;
  /** Came inside this call. */
  readonly call?: string;
}

export interface SendOptions {
  /** CPIM Message-ID; with it, or with `receipts`, the message is CPIM. */
  readonly id?: string;
  readonly receipts?: readonly ('positive-delivery' | 'display')[];
  /** Seconds. */
  readonly expires?: number;
  /** When it says that it was sent: value of Date. */
  readonly date?: string;
  readonly callId?: string;
}

export interface PhoneWay {
  readonly world: World;
  /** Own address as `<sip:…>`. */
  readonly own: () => string;
  readonly domain: string;
  /** Sends outside calls; resolves with the final status, 0 for none. */
  readonly send: (request: SipMessage) => Promise<number>;
}

const STATUSES: Readonly<Record<MessageManner, number>> = { take: 200, plain: 200, refuse: 603, fail: 500 };

export class PhoneMessages {
  readonly shown: Shown[] = [];
  /** Receipts for what this phone sent, in order, repetitions too. */
  readonly receipts: { readonly id: string; readonly status: DispositionStatus }[] = [];
  /** Messages on the wire, repetitions and receipts too. */
  heard = 0;
  manner: MessageManner = 'take';
  readonly #way: PhoneWay;
  readonly #known = new Set<string>();

  constructor(way: PhoneWay) {
    this.#way = way;
  }

  /** Sends a text to a number, a username or a whole URI; resolves with the final status. */
  send(to: string, text: string, options: SendOptions = {}): Promise<number> {
    const uri = to.includes(':') ? to : `sip:${to}@${this.#way.domain}`;
    const { contentType, body } = this.compose(uri, text, options);
    return this.#request(uri, contentType, body, options);
  }

  /** The content of a message, for inside a call. */
  compose(uri: string, text: string, { id, receipts = [] }: SendOptions): { contentType: string; body: string } {
    if (id === undefined && receipts.length === 0)
      return { contentType: 'text/plain;charset=utf-8', body: bodyText(text) };
    const headers = [
      { name: 'From', value: this.#way.own() },
      { name: 'To', value: `<${uri}>` },
      { name: 'DateTime', value: this.#now() },
      { name: 'NS', value: `imdn <${IMDN_NAMESPACE}>` },
      { name: 'imdn.Message-ID', value: id ?? hex(this.#way.world.random.bytes(8)) },
      ...(receipts.length === 0 ? [] : [{ name: 'imdn.Disposition-Notification', value: receipts.join(', ') }]),
    ];
    const content = [{ name: 'Content-Type', value: 'text/plain;charset=utf-8' }];
    return { contentType: CPIM_TYPE, body: bodyText(writeCpim({ headers, content, body: text })) };
  }

  /** Somebody looks at a message: its sender hears of it, if it asked. */
  read({ from, id, wantsDisplay }: Shown): Promise<number> {
    if (id === undefined || !wantsDisplay) return Promise.resolve(0);
    const xml = writeImdn({ messageId: id, dateTime: this.#now(), disposition: 'display', status: 'displayed' });
    const headers = [
      { name: 'From', value: this.#way.own() },
      { name: 'To', value: `<${from}>` },
      { name: 'NS', value: `imdn <${IMDN_NAMESPACE}>` },
      { name: 'imdn.Message-ID', value: hex(this.#way.world.random.bytes(8)) },
    ];
    const content = [
      { name: 'Content-Type', value: IMDN_TYPE },
      { name: 'Content-Disposition', value: 'notification' },
    ];
    return this.#request(from, CPIM_TYPE, bodyText(writeCpim({ headers, content, body: xml })), {});
  }

  /** A MESSAGE comes in; gives the status to answer with. */
  take(message: SipMessage, call?: string): number {
    this.heard++;
    const type = (message.header('Content-Type') ?? '').split(';')[0]?.trim().toLowerCase();
    if (this.manner === 'plain' && type !== 'text/plain') return 415;
    const status = STATUSES[this.manner];
    if (status >= 300) return status;
    const text = readText(message.body) ?? '';
    const cpim = type === CPIM_TYPE ? parseCpim(text) : undefined;
    if (cpim !== undefined && cpimContentType(cpim) === IMDN_TYPE) {
      const imdn = parseImdn(cpim.body);
      if (imdn !== undefined) this.receipts.push({ id: imdn.messageId, status: imdn.status });
      return status;
    }
    const id = cpim === undefined ? undefined : cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Message-ID');
    const key = id ?? `${message.callId} ${message.cseq.n}`;
    if (this.#known.has(key)) return status;
    this.#known.add(key);
    const wished = (cpim && cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Disposition-Notification')) ?? '';
    const sender = cpim === undefined ? undefined : cpimHeader(cpim, 'From');
    this.shown.push({
      text: cpim?.body ?? text,
      from: sender?.slice(sender.indexOf('<') + 1, -1) ?? message.from.uri,
      ...(id === undefined ? {} : { id }),
      wantsDisplay: wished.includes('display'),
      ...(call === undefined ? {} : { call }),
    });
    return status;
  }

  /** Sends any body (one character per octet) with any From; resolves with the final status. */
  raw(to: string, contentType: string, body: string, from = this.#way.own()): Promise<number> {
    return this.#request(`sip:${to}@${this.#way.domain}`, contentType, body, {}, from);
  }

  #request(
    uri: string,
    contentType: string,
    body: string,
    { expires, callId, date }: Pick<SendOptions, 'expires' | 'callId' | 'date'>,
    from = this.#way.own(),
  ): Promise<number> {
    return this.#way.send(
      newRequest(
        'MESSAGE',
        uri,
        [
          ['From', from],
          ['To', `<${uri}>`],
          ...(callId === undefined ? [] : [['Call-ID', callId] as const]),
          ...(expires === undefined ? [] : [['Expires', String(expires)] as const]),
          ...(date === undefined ? [] : [['Date', date] as const]),
          ['Content-Type', contentType],
        ],
        body,
      ),
    );
  }

  #now(): string {
    return new Date(this.#way.world.clock.wall()).toISOString();
  }
}
