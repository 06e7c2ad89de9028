/**
 * The subscriber's side of an event package (RFC 6665 section 4.1): one subscription that is kept for as long as it is wanted, refreshed
 * at half of its time, begun anew where the notifier does not know it any more. Pure; deadlines are in the state, times in ms.
 */
import { NEVER } from '../kernel/machine.ts';
import type { HeaderLine } from './build.ts';
import { type Dialog, dialogOfInvite, dialogRequest } from './dialog.ts';
import { newRequest, type SipMessage } from './message.ts';
import { refuseNotify } from './stray-notify.ts';
import { endsSubscription } from './subscription-end.ts';
import { TRY_TIME } from './timers.ts';

/** Milliseconds until a refused or unanswered SUBSCRIBE is tried again. */
export const SUBSCRIBE_AGAIN = 60_000;
/** Milliseconds from a SUBSCRIBE until a NOTIFY must have come (sections 4.1.2.2 and 4.1.2.4): 64*T1. */
export const TIMER_N = TRY_TIME;

/** Ends after which it may be subscribed again at once (RFC 6665 section 4.1.3); after any other it would only be ended again. */
const AT_ONCE: ReadonlySet<string> = new Set(['reason=deactivated', 'reason=timeout']);

/** Of a subscription: random, and never used before. */
export interface SubscriberNames {
  readonly callId: string;
  /** Of From. */
  readonly tag: string;
}

export interface SubscriberOptions {
  readonly event: string;
  readonly accept: string;
  /** Seconds asked for. */
  readonly expires: number;
}

/** Whom it watches, and as whom. */
export interface Watched {
  /** Request-URI and To. */
  readonly uri: string;
  /** URI of From and of Contact. */
  readonly from: string;
  readonly contact: string;
}

export class Subscriber {
  readonly #o: SubscriberOptions;
  readonly #names: () => SubscriberNames;
  #own: SubscriberNames;
  #seq = 0;
  #dialog: Dialog | undefined;
  #lastNotify = -1;
  /** No NOTIFY came since the last SUBSCRIBE. */
  #untold = false;
  /** A NOTIFY ended it since the last SUBSCRIBE, whose 200 may come later. */
  #ended = false;
  /** When to refresh what was granted, once it is told of. */
  #refreshAt = NEVER;
  /** When to subscribe (again). */
  due = NEVER;

  constructor(options: SubscriberOptions, names: () => SubscriberNames) {
    this.#o = options;
    this.#names = names;
    this.#own = names();
  }

  get callId(): string {
    return this.#own.callId;
  }

  /** The next SUBSCRIBE: inside the dialog where there is one. Its answer goes to `answered`. */
  request({ uri, from, contact }: Watched): SipMessage {
    // Granted, and not told of in time: it is no subscription (sections 4.1.2.2 and 4.1.2.4).
    if (this.#untold && this.#refreshAt !== NEVER) this.#forget();
    this.due = NEVER;
    this.#untold = true;
    this.#ended = false;
    this.#refreshAt = NEVER;
    const headers: HeaderLine[] = [
      ['Contact', `<${contact}>`],
      ['Event', this.#o.event],
      ['Accept', this.#o.accept],
      ['Expires', String(this.#o.expires)],
    ];
    if (this.#dialog !== undefined) return dialogRequest(this.#dialog, 'SUBSCRIBE', headers);
    return newRequest('SUBSCRIBE', uri, [
      ['From', `<${from}>;tag=${this.#own.tag}`],
      ['To', `<${uri}>`],
      ['Call-ID', this.callId],
      ['CSeq', `${++this.#seq} SUBSCRIBE`],
      ...headers,
    ]);
  }

  /** What became of a SUBSCRIBE; undefined: silence. True where it is to be sent anew at once (the notifier lost its dialog). */
  answered(response: SipMessage | undefined, now: number): boolean {
    const status = response?.status ?? 0;
    if (response !== undefined && status >= 200 && status < 300) {
      if (this.#ended) return false;
      this.#refreshAt = now + Math.max(1, Math.min(response.expires ?? this.#o.expires, this.#o.expires)) * 500;
      this.due = this.#untold ? Math.min(this.#refreshAt, now + TIMER_N) : this.#refreshAt;
      return false;
    }
    const wait = Math.max(SUBSCRIBE_AGAIN, 1000 * secondsOf(response?.header('Retry-After')));
    const had = this.#dialog !== undefined;
    // Silence of the SUBSCRIBE alone is none: a NOTIFY came since (section 4.1.2.2).
    if (endsSubscription(status) && (status !== 0 || this.#untold)) this.#forget();
    this.due = now + wait;
    return had && status === 481;
  }

  /**
   * A NOTIFY: its status, and the body where it is news. One of another package, or that does not say how the subscription stands, changes
   * nothing. The first one makes the dialog (RFC 6665 section 4.4.1): a notifier whose NOTIFY
   * overtakes its 200 is heard all the same.
   */
  notified(message: SipMessage, now: number): { readonly status: number; readonly body?: string } {
    const own = message.callId === this.callId && message.to.params.get('tag') === this.#own.tag;
    const remoteTag = message.from.params.get('tag');
    const known = this.#dialog === undefined || this.#dialog.remoteTag === remoteTag;
    const { status } = refuseNotify(message, [this.#o.event]);
    if (status !== 481 || !own || remoteTag === undefined || !known) return { status };
    // Ours has no id, and one with an id never matches it (section 8.2.1).
    if (paramOf((message.header('Event') ?? '').toLowerCase().split(';'), 'id') !== undefined) return { status };
    if (message.cseq.n <= this.#lastNotify) return { status: 500 };
    this.#lastNotify = message.cseq.n;
    const [state, ...params] = (message.header('Subscription-State') ?? '').toLowerCase().split(';');
    if (state?.trim() === 'terminated') {
      this.#forget();
      this.#ended = true;
      const wait = params.some((one) => AT_ONCE.has(one.replaceAll(' ', ''))) ? 0 : SUBSCRIBE_AGAIN;
      this.due = now + Math.max(wait, 1000 * secondsOf(paramOf(params, 'retry-after')));
    } else {
      this.#learn(message);
      if (this.#untold && this.#refreshAt !== NEVER) this.due = this.#refreshAt;
      this.#untold = false;
      // What the notifier says of its time holds (section 4.1.3).
      const left = paramOf(params, 'expires');
      if (left !== undefined && this.due !== NEVER)
        this.due = Math.min(this.due, now + Math.max(1, secondsOf(left)) * 500);
    }
    return { status: 200, ...(message.body === '' ? {} : { body: message.body }) };
  }

  /** It is over: the next SUBSCRIBE has nothing to do with it, nor has a NOTIFY of it that comes late (section 4.1.2.2). */
  #forget(): void {
    this.#own = this.#names();
    this.#seq = 0;
    this.#dialog = undefined;
    this.#lastNotify = -1;
  }

  #learn(message: SipMessage): void {
    const before = this.#dialog;
    const dialog = dialogOfInvite(message, this.#own.tag);
    // To has our tag already, other than in a request that begins a dialog.
    this.#dialog = { ...dialog, local: message.header('To') ?? '', localSeq: before?.localSeq ?? this.#seq };
  }
}

/** Longest wait that is heeded, seconds. */
const WAIT_LIMIT = 86_400;

/** The seconds that a value begins with; 0 for none. */
function secondsOf(value: string | undefined): number {
  const digits = /^\d{1,10}/.exec(value?.trim() ?? '')?.[0];
  return Math.min(WAIT_LIMIT, Number(digits ?? 0));
}

function paramOf(params: readonly string[], name: string): string | undefined {
  return params
    .map((one) => one.trim())
    .find((one) => one.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}
