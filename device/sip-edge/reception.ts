/**
 * Who asks something of the gateway, and whose business that is: a phone of the house by its credential, whoever needs help, or the
 * softswitch over its kept flow.
 */
import type { SipPort } from '#shared/host/call-driver.ts';
import type { UserOutput } from '#shared/host/sip.ts';
import type { World } from '#shared/kernel/world.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import type { HeaderLine } from '#shared/sip/build.ts';
import type { Refusal } from '#shared/sip/checks.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { allowEvents } from '#shared/sip/notifier.ts';
import { privacyOf } from '#shared/sip/privacy.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { writeNameAddr } from '#shared/sip/uri.ts';
import type { EdgeCalls } from './calls.ts';
import { type NamedLine, passedOn, saidIn } from './edge-call.ts';
import { isOnLan, lineAt, lineOfHelp, readHelp } from './emergency.ts';
import type { House } from './house.ts';
import type { HouseReplaces } from './house-replaces.ts';
import { type HouseWatch, PACKAGES } from './house-watch.ts';
import type { Joins } from './join.ts';
import type { EdgeMessages } from './messages.ts';
import type { Sender, Senders } from './senders.ts';

/** What phones of the house may ask outside of calls, beside OPTIONS. */
const SERVED = new Set(['REGISTER', 'MESSAGE', 'SUBSCRIBE']);

export interface ReceptionOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly house: House;
  readonly senders: Senders;
  readonly domain: () => string;
  readonly document: () => VoiceDocument | undefined;
  /** The kept flow, while there is one. */
  readonly upstream: () => Flow | undefined;
  readonly calls: EdgeCalls;
  readonly joins: Joins;
  readonly replaces: HouseReplaces;
  readonly watch: HouseWatch;
  readonly messages: EdgeMessages;
  /** An address that proved itself. */
  readonly trust: (host: string) => void;
  /** Phones came or left. */
  readonly registered: () => void;
}

export class Reception {
  readonly #o: ReceptionOptions;
  /** Who sends an INVITE that is being taken: a credential is good once. */
  readonly #judged = new WeakMap<SipMessage, Sender>();

  constructor(options: ReceptionOptions) {
    this.#o = options;
  }

  /** An INVITE of nobody known is refused by one datagram, whatever address it says it comes from (RFC 3261 section 26.3.2.4). */
  screen(message: SipMessage, flow: Flow): Refusal | undefined {
    if (message.method !== 'INVITE' || flow.id === this.#o.upstream()?.id || this.#isForHelp(message, flow))
      return undefined;
    const sender = this.#o.senders.judge(message, flow);
    this.#judged.set(message, sender);
    return 'line' in sender ? undefined : sender;
  }

  /**
   * A call for help is taken from any address of the LAN, though nobody has proved to be there: unless a phone is, it is sent no 100,
   * and its refusal (where there is no way out) once.
   */
  isUnproven(message: SipMessage, flow: Flow): boolean {
    const { house, world } = this.#o;
    if (flow.protocol !== 'udp' || !this.#isForHelp(message, flow)) return false;
    return lineAt(house, flow.remote.host, world.clock.mono()) === undefined;
  }

  #isForHelp(message: SipMessage, flow: Flow): boolean {
    const help = readHelp(message, this.#o.document()?.emergency);
    return help !== undefined && isOnLan(flow.remote.host, this.#o.world.net.addresses());
  }

  /** An INVITE that begins something. */
  incoming({ call, message, flow, offer }: Extract<UserOutput, { do: 'incoming' }>): void {
    const facts = { flow, ...saidIn(message), ...(offer === undefined ? {} : { offer }) };
    if (flow.id === this.#o.upstream()?.id) {
      const join = message.header('join');
      if (join !== undefined) return void this.#o.joins.start(call, flow, join, offer);
      const { display, uri } = message.from;
      const shown = writeNameAddr({ display, uri, params: new Map() });
      return void this.#o.calls.start(call, { ...facts, shown, passed: passedOn(message) });
    }
    const help = readHelp(message, this.#o.document()?.emergency);
    if (help !== undefined && isOnLan(flow.remote.host, this.#o.world.net.addresses()))
      return void this.#o.calls.start(call, { ...facts, ...this.#helper(message, flow), help, dialled: help.asked });
    const sender = this.#judged.get(message) ?? this.#o.senders.judge(message, flow);
    if (!('line' in sender)) {
      this.#o.sip.act((endpoint, now, out) =>
        endpoint.reject(call, sender.status, { headers: sender.headers }, now, out),
      );
      return;
    }
    const { critical, unknown } = privacyOf(message);
    if (help === undefined && critical && unknown) return void this.#noPrivacy(call);
    const replaces = message.header('replaces');
    const uri = message.contacts[0]?.uri ?? '';
    const elsewhere = replaces !== undefined && this.#o.watch.isElsewhere(replaces) ? { replaces } : {};
    if (replaces !== undefined && elsewhere.replaces === undefined)
      return void this.#o.replaces.take({ handle: call, flow, line: sender.line, uri, offer }, replaces);
    const shown = writeNameAddr({
      display: sender.line.name ?? '',
      uri: `sip:${sender.line.number}@${this.#o.domain()}`,
      params: new Map(),
    });
    const asked = help === undefined ? {} : { help, dialled: help.asked };
    this.#o.calls.start(call, { ...facts, from: sender.line, contact: uri, shown, ...asked, ...elsewhere });
  }

  /** Privacy of a kind that nobody here knows was asked for, or else no call (RFC 3323 section 5). */
  #noPrivacy(call: CallHandle): void {
    const reason = 'Privacy Not Possible';
    this.#o.sip.act((endpoint, now, out) => endpoint.reject(call, 500, { reason }, now, out));
  }

  /** Who calls for help from the house, as those who help are to call back. */
  #helper(message: SipMessage, flow: Flow): { readonly from: NamedLine; readonly shown: string } {
    const line = lineOfHelp(this.#o.house, message, flow, this.#o.world.clock.mono());
    const from = line === undefined ? { id: '', number: 'anonymous' } : { id: line.id, number: line.number };
    const uri = `sip:${from.number}@${this.#o.domain()}`;
    return { from, shown: writeNameAddr({ display: line?.name ?? '', uri, params: new Map() }) };
  }

  /** A request outside of calls. */
  request({ transaction, message, flow }: Extract<UserOutput, { do: 'request' }>): void {
    if (message.method === 'OPTIONS') return void this.#reply(transaction, 200, [allowEvents(PACKAGES)]);
    const fromCloud = flow.id === this.#o.upstream()?.id;
    if (message.method === 'MESSAGE' && fromCloud) return void this.#o.messages.fromCloud(transaction, message);
    if (message.method === 'NOTIFY') return void this.#o.watch.notified(transaction, message, fromCloud);
    if (!SERVED.has(message.method) || fromCloud) return void this.#reply(transaction, 501);
    const sender = this.#o.senders.judge(message, flow);
    if (!('line' in sender)) return void this.#reply(transaction, sender.status, sender.headers);
    if (message.method === 'MESSAGE') return void this.#o.messages.fromPhone(transaction, message, sender.line, flow);
    if (message.method === 'SUBSCRIBE') return void this.#o.watch.take({ transaction, message, flow }, sender.line.id);
    const { clock } = this.#o.world;
    const outcome = this.#o.house.register(sender.line, message, flow, clock.mono(), clock.wall());
    const contacts = outcome.contacts.map((value): [string, string] => ['Contact', value]);
    this.#o.trust(flow.remote.host);
    this.#o.sip.act((endpoint, now, out) =>
      endpoint.reply(
        transaction,
        outcome.status,
        { reason: outcome.reason, headers: [...outcome.headers, ...contacts] },
        now,
        out,
      ),
    );
    if (!outcome.changed) return;
    if (flow.protocol !== 'udp') this.#o.calls.phoneBack(flow, new Set(message.contacts.map(({ uri }) => uri)));
    this.#o.registered();
  }

  #reply(transaction: string, status: number, headers: readonly HeaderLine[] = []): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }
}
