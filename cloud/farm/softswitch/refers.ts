/** Transfers that phones ask for (REFER, RFC 3515): handed to the session manager, and the phone is told what comes of it. */
import type { Bus } from '#cloud/bus/bus.ts';
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import { wantsPrivacy } from '#shared/sip/privacy.ts';
import { type DialogName, isTag, readRefer, referAccepted, referProgress, SIPFRAG } from '#shared/sip/refer.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import { dialledOf } from './dialled.ts';
import type { FarLeg } from './fleet/dialogs.ts';
import { endOf } from './live.ts';
import { SELF } from './media.ts';

type InDialog = Extract<EndpointOutput, { do: 'in-dialog' }>;

/** Milliseconds that the session manager may take to begin a transfer. */
const BEGIN_WITHIN = 15_000;

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
  /** Phones that wait to hear of their transfer, by what name. */
  readonly #told = new Map<CallHandle, { readonly id: number | undefined }>();
  /** Calls in which a REFER was taken before. */
  readonly #again = new Set<CallHandle>();

  constructor(options: RefersOptions) {
    this.#o = options;
  }

  async take({ call, transaction, message }: InDialog): Promise<void> {
    const { calls, sip, bus } = this.#o;
    const asked = readRefer(message);
    const found = calls.ofHandle(call);
    const from = found === undefined ? undefined : this.#legOf(call);
    const refuse = (status: number) =>
      sip.act((endpoint, now, out) => endpoint.reply(transaction, status, {}, now, out));
    if ('refuse' in asked) return refuse(asked.refuse);
    if (from === undefined || found?.call.state.at !== 'up') return refuse(481);
    // One transfer of a call at a time.
    if (this.#told.has(call)) return refuse(491);
    const { replaces } = asked;
    const other = replaces && (this.#far(replaces) ?? (await this.#o.farLeg?.(replaces)));
    // Not 481, which would end the call that REFER came in (RFC 5057 section 5.1).
    if (asked.replaces !== undefined && other === undefined) return refuse(404);
    // Somebody else's call is not one's own to give away (RFC 3891 section 6).
    if (other !== undefined && other.home !== endOf(found.call, found.party).line?.home) return refuse(403);
    const to = dialledOf(asked.uri, this.#o.isOurs);
    if (to === undefined) return refuse(404);
    const accepted = { headers: referAccepted(asked.silent) };
    sip.act((endpoint, now, out) => endpoint.reply(transaction, 202, accepted, now, out));
    if (!asked.silent) {
      this.#told.set(call, { id: this.#again.has(call) ? message.cseq.n : undefined });
      this.#again.add(call);
      this.#tell(call, 100);
    }
    const request = {
      ...from,
      ...(wantsPrivacy(message) ? { hidden: true } : {}),
      ...(other === undefined ? { to } : { with: { session: other.session, leg: other.leg } }),
    };
    const begun = await bus.request('leg.refer', request, SELF, BEGIN_WITHIN);
    if (!begun.ok) this.#tell(call, sipStatus(begun.fault.code));
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

  #tell(call: CallHandle, status: number): void {
    const told = this.#told.get(call);
    if (told === undefined) return;
    if (status >= 200) this.#told.delete(call);
    const { headers, body } = referProgress(status, told.id);
    this.#o.sip.act(
      (endpoint, now, out) =>
        void endpoint.requestInDialog(call, 'NOTIFY', { headers, body, contentType: SIPFRAG }, now, out),
    );
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
