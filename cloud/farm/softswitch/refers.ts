/** Transfers that phones ask for (REFER, RFC 3515): handed to the session manager, and the phone is told what comes of it. */
import type { Bus } from '#cloud/bus/bus.ts';
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipAsks } from '#shared/host/sip-messaging.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import { wantsPrivacy } from '#shared/sip/privacy.ts';
import {
  type DialogName,
  isTag,
  readRefer,
  referAccepted,
  referProgress,
  renewsNews,
  SIPFRAG,
} from '#shared/sip/refer.ts';
import { endsSubscription } from '#shared/sip/subscription-end.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import { dialledOf } from './dialled.ts';
import type { FarLeg } from './fleet/dialogs.ts';
import { endOf } from './live.ts';
import { SELF } from './media.ts';

type InDialog = Extract<EndpointOutput, { do: 'in-dialog' }>;

/** Milliseconds that the session manager may take to begin a transfer. */
const BEGIN_WITHIN = 15_000;

/** By what name a phone is told of its transfer, and what came of that before its REFER was answered. */
interface Told {
  readonly id: number | undefined;
  early: number[] | undefined;
}

export interface RefersOptions {
  readonly bus: Bus;
  readonly calls: Calls;
  readonly sip: SipPort;
  /** Finds an established dialog of another process, where there are several. */
  readonly farLeg?: (name: DialogName) => Promise<FarLeg | undefined>;
  /** True for a host name or address that is this softswitch. */
  readonly isOurs: (host: string) => boolean;
}

export class Refers {
  readonly #o: RefersOptions;
  readonly #asks: SipAsks;
  /** Phones that wait to hear of their transfer. */
  readonly #told = new Map<CallHandle, Told>();
  /** Calls in which a REFER came before. */
  readonly #again = new Set<CallHandle>();

  constructor(options: RefersOptions) {
    this.#o = options;
    this.#asks = new SipAsks(options.sip);
  }

  /** True for the news of a NOTIFY that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  /** A SUBSCRIBE inside a call: a subscription is a dialog of its own (RFC 6665 section 4.5.2), but for the news of a transfer. */
  subscribe({ call, transaction, message }: InDialog): void {
    const told = this.#told.get(call);
    const { status, headers, state } = renewsNews(message, told);
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
    if (state === undefined || told?.early !== undefined) return;
    this.#send(call, 100, state);
    if (state.startsWith('terminated')) this.#told.delete(call);
  }

  async take({ call, transaction, message }: InDialog): Promise<void> {
    const { calls, sip, bus } = this.#o;
    const asked = readRefer(message);
    const found = calls.ofHandle(call);
    const from = this.#legOf(call);
    const isFirst = found === undefined || !this.#again.has(call);
    if (isFirst) this.#prune();
    if (found !== undefined) this.#again.add(call);
    const refuse = (status: number) =>
      sip.act((endpoint, now, out) => endpoint.reply(transaction, status, {}, now, out));
    if ('refuse' in asked) return refuse(asked.refuse);
    if (found === undefined) return refuse(481);
    const { line } = endOf(found.call, found.party);
    // Whoever is outside has no line that would pay.
    if (line === undefined) return refuse(403);
    // One transfer of a call at a time, and not before it is up.
    if (found.call.state.at !== 'up' || this.#told.has(call)) return refuse(491);
    if (from === undefined) return refuse(503);
    const { replaces } = asked;
    const other = replaces && (this.#far(replaces) ?? (await this.#o.farLeg?.(replaces)));
    if (calls.ofHandle(call) === undefined) return refuse(481);
    // Neither 481 nor 404: they would speak of the call that REFER came in (RFC 5057 section 5.1).
    if (asked.replaces !== undefined && other === undefined) return refuse(603);
    // Somebody else's call is not one's own to give away (RFC 3891 section 6).
    if (other !== undefined && other.home !== line.home) return refuse(403);
    const to = dialledOf(asked.uri, this.#o.isOurs);
    if (to === undefined) return refuse(603);
    const told: Told = { id: isFirst ? undefined : message.cseq.n, early: [] };
    if (!asked.silent) this.#told.set(call, told);
    const request = {
      ...from,
      ...(wantsPrivacy(message) ? { hidden: true } : {}),
      ...(other === undefined ? { to } : { with: { session: other.session, leg: other.leg } }),
    };
    // Whoever transfers may hang up as soon as it is answered (RFC 5589 section 6): by then the other side has to be led on.
    const begun = await bus.request('leg.refer', request, SELF, BEGIN_WITHIN);
    if (!begun.ok && calls.ofHandle(call) === undefined) return refuse(481);
    const accepted = { headers: referAccepted(asked.silent) };
    sip.act((endpoint, now, out) => endpoint.reply(transaction, 202, accepted, now, out));
    if (this.#told.get(call) !== told) return;
    const news = [100, ...(told.early ?? []), ...(begun.ok ? [] : [sipStatus(begun.fault.code)])];
    told.early = undefined;
    for (const status of news) this.#tell(call, status);
  }

  /** What the session manager says of a transfer. */
  notify(session: string, leg: string, status: number): void {
    const live = this.#o.calls.withLeg(session, leg);
    if (live === undefined) return;
    const party = live.state.callerLeg?.id === leg ? CALLER : live.state.winner;
    const handle = party === undefined ? undefined : live.handles.get(party);
    if (handle !== undefined) this.#tell(handle, status);
  }

  /** The call ended. */
  ended(call: CallHandle): void {
    if (this.#again.size === 0) return;
    this.#told.delete(call);
    this.#again.delete(call);
  }

  /** Of a call that we ended nobody tells. */
  #prune(): void {
    for (const call of this.#again) if (this.#o.sip.endpoint.dialogId(call) === undefined) this.ended(call);
  }

  #tell(call: CallHandle, status: number): void {
    const early = this.#told.get(call)?.early;
    if (early !== undefined) return void early.push(status);
    this.#send(call, status);
    if (status >= 200) this.#told.delete(call);
  }

  #send(call: CallHandle, status: number, state?: string): void {
    const told = this.#told.get(call);
    if (told === undefined) return;
    const { headers, body } = referProgress(status, told.id, state);
    const news = { headers, body, contentType: SIPFRAG };
    const sent = this.#asks.send((endpoint, now, out) => endpoint.requestInDialog(call, 'NOTIFY', news, now, out));
    void sent.then((answer) => {
      if (endsSubscription(answer.status) && this.#told.get(call) === told) this.#told.delete(call);
    });
  }

  #legOf(handle: CallHandle): { session: string; leg: string } | undefined {
    const found = this.#o.calls.ofHandle(handle);
    if (found === undefined) return undefined;
    const { call, party } = found;
    const leg = party === CALLER ? call.state.callerLeg?.id : call.state.branches.get(party)?.leg;
    return leg === undefined || call.autonomous ? undefined : { session: call.session, leg };
  }

  /** The transferor's leg in the call that is to be taken over: its own end of the dialog has the from-tag, ours the to-tag. */
  #far(name: DialogName): { session: string; leg: string; home: string | undefined } | undefined {
    for (const live of this.#o.calls.all()) {
      for (const [party, handle] of live.state.at === 'up' && !name.earlyOnly ? live.handles : []) {
        const dialog = this.#o.sip.endpoint.dialogId(handle);
        const same = dialog?.callId === name.callId && dialog.localTag === name.toTag;
        if (!same || !isTag(name.fromTag, dialog.remoteTag)) continue;
        const leg = this.#legOf(handle);
        return leg === undefined ? undefined : { ...leg, home: endOf(live, party).line?.home };
      }
    }
    return undefined;
  }
}
