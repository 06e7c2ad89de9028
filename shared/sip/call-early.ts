/** Changing a session before the call is answered: UPDATE in an early dialog (RFC 3311 section 5), both roles, and the offer in a PRACK (RFC 3262 section 5). */
import { NEVER } from '../kernel/machine.ts';
import { retryWithCredentials } from './auth.ts';
import { ownContact, SESSION_TYPE, sdpOf, tagged } from './build.ts';
import type { Call, EarlySession } from './call.ts';
import { refuseEarly } from './call-end.ts';
import { mayFollow } from './call-reliable.ts';
import { type Dialog, dialogRequest, refreshTarget, renumber } from './dialog.ts';
import type { Header } from './fields.ts';
import type { SipMessage } from './message.ts';
import { ANSWER_WITHIN } from './timers.ts';
import type { ClientTransaction, ClientUser, ServerTransaction } from './transaction.ts';
import type { EndpointOutput } from './types.ts';

/** An UPDATE of either side waits for its final response. */
export const isUpdating = ({ early }: Call): boolean => early?.client !== undefined || early?.server !== undefined;

/** Why an offer of the other side cannot be taken in an early dialog: 491 where ours is open, 500 where theirs is (section 5.2). */
export function earlyHindrance(call: Call, dialog: Dialog): 488 | 491 | 500 | undefined {
  const { early } = call;
  if (early?.client !== undefined) return 491;
  if (early?.server !== undefined) return 500;
  if (early?.tag === dialog.remoteTag) return undefined;
  // The sound of one fork is heard, and this is another one.
  if (dialog.said !== undefined) return 488;
  return call.outgoing || call.asked ? 491 : 500;
}

/** The other side's offer waits for the user. */
export function takeEarlyOffer(
  call: Call,
  transaction: ServerTransaction,
  sdp: string,
  now: number,
  out: EndpointOutput[],
): void {
  if (call.early === undefined) return;
  call.early.server = transaction;
  call.offerBy = now + ANSWER_WITHIN;
  transaction.user = call;
  if (call.silent) refuseEarly(call, 487, now, out);
  else out.push({ do: 'offer', call: call.handle, sdp });
}

/** The user's answer to it; false where no such offer waits. */
export function acceptEarly(call: Call, sdp: string, now: number, out: EndpointOutput[]): boolean {
  const { early, core } = call;
  const transaction = early?.server;
  if (early === undefined || transaction?.request === undefined) return false;
  early.server = undefined;
  call.offerBy = NEVER;
  const dialog = earlyDialog(call);
  // Only who is not refused has moved (RFC 6141 section 4.6); a PRACK says nothing of that.
  if (transaction.method === 'UPDATE' && dialog !== undefined) refreshTarget(dialog, transaction.request);
  settled(call, early, { ours: sdp, theirs: sdpOf(transaction.request) });
  const response = tagged(transaction.request, 200, call.localTag, headersOf(call, transaction.flow));
  response.body = sdp;
  transaction.user = undefined;
  core.transactions.reply(transaction, response, now, out);
  call.plan();
  return true;
}

/** What both said is what counts from now on. */
function settled(
  call: Call,
  early: EarlySession,
  { ours, theirs }: { readonly ours: string; readonly theirs: string | undefined },
): void {
  early.changed = true;
  call.described = ours;
  const dialog = earlyDialog(call);
  if (dialog?.said !== undefined) dialog.said = theirs ?? dialog.said;
}

/** The early dialog whose session is agreed. */
const earlyDialog = ({ dialog, forks = [], early }: Call): Dialog | undefined =>
  [dialog, ...forks].find((one) => one !== undefined && one.remoteTag === early?.tag);

function headersOf(call: Call, flow: Call['flow']): Header[] {
  return [['Contact', ownContact(call, flow)], ...call.core.capabilities, SESSION_TYPE];
}

/**
 * Offers anew in the early dialog whose session is agreed; its outcome is `reoffered`. 488 at once where the other side has not answered
 * the first offer reliably, or knows no UPDATE; 491 where another offer is open.
 */
export function offerEarly(call: Call, sdp: string, now: number, out: EndpointOutput[]): void {
  const { early } = call;
  const dialog = earlyDialog(call);
  if (call.silent || call.at === 'over') return;
  if (call.at !== 'ringing' || early?.takesUpdate !== true || dialog === undefined || isUpdating(call)) {
    const status = isUpdating(call) ? 491 : 488;
    out.push({ do: 'reoffered', call: call.handle, ok: false, status });
    return;
  }
  // Our answer is known to be there once its PRACK has come.
  if (!mayFollow(call, (later, list) => offerEarly(call, sdp, later, list))) return;
  const request = dialogRequest(dialog, 'UPDATE', headersOf(call, call.flow), sdp);
  early.client = call.core.transactions.start(request, call.flow, new EarlyUpdate(call, early, dialog, sdp), now, out);
}

/** Hears the responses to an UPDATE of ours. */
class EarlyUpdate implements ClientUser {
  readonly #call: Call;
  readonly #early: EarlySession;
  readonly #dialog: Dialog;
  readonly #sdp: string;
  #challenged = false;

  constructor(call: Call, early: EarlySession, dialog: Dialog, sdp: string) {
    this.#call = call;
    this.#early = early;
    this.#dialog = dialog;
    this.#sdp = sdp;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (message.status < 200 || call.at === 'over') return;
    const credentials = this.#challenged ? undefined : call.credentials;
    const again = retryWithCredentials(call.core, transaction.request, message, credentials);
    if (again) {
      this.#challenged = true;
      renumber(this.#dialog, again);
      this.#early.client = call.core.transactions.start(again, call.flow, this, now, out);
      return;
    }
    const sdp = sdpOf(message);
    const ok = message.status < 300;
    if (ok) refreshTarget(this.#dialog, message);
    if (ok && sdp !== undefined) settled(call, this.#early, { ours: this.#sdp, theirs: sdp });
    this.#end(ok, message.status, sdp, now, out);
  }

  onFailure(_transaction: ClientTransaction, why: 'timeout' | 'transport', now: number, out: EndpointOutput[]): void {
    if (this.#call.at !== 'over') this.#end(false, why === 'timeout' ? 408 : 503, undefined, now, out);
  }

  #end(ok: boolean, status: number, sdp: string | undefined, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    this.#early.client = undefined;
    if (!call.silent) out.push({ do: 'reoffered', call: call.handle, ok, status, ...(sdp !== undefined && { sdp }) });
    // An offer that waited for this one goes now.
    if (call.reoffer !== undefined) call.retryAt = now;
    call.plan();
  }
}
