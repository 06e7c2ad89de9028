/**
 * The notifier's side of event packages (RFC 6665): subscriptions as dialogs of their own, each told its state at once, at every change
 * and at its end, one NOTIFY at a time. Pure: who may subscribe, and what there is to tell, its user knows.
 */
import { contactValue, type HeaderLine } from './build.ts';
import { type Dialog, dialogOfInvite, dialogRequest, refreshTarget } from './dialog.ts';
import type { SipMessage } from './message.ts';
import { isToken, parseParams } from './params.ts';
import { endsSubscription, NO_SHARING } from './subscription-end.ts';
import type { Flow } from './types.ts';

/** An event package that is served. */
export interface EventPackage {
  readonly name: string;
  readonly contentType: string;
  /** Seconds: less is refused with 423, more is cut, and what is granted where nothing is asked. */
  readonly min: number;
  readonly max: number;
  readonly usual: number;
}

/** Tells which packages may be subscribed to (section 4.4.4). */
export const allowEvents = (packages: readonly EventPackage[]): HeaderLine => [
  'Allow-Events',
  packages.map(({ name }) => name).join(', '),
];

export interface NotifierOptions {
  readonly packages: readonly EventPackage[];
  /** A tag for a dialog, random and never given before. */
  readonly tag: () => string;
  /** Subscriptions at once: in all, and to one resource. */
  readonly most?: number;
  readonly perResource?: number;
  /** A subscription is over, whoever kept it may let go of it. */
  readonly gone?: (tag: string) => void;
}

/** Why a subscription ended (RFC 6665 section 4.1.3). */
export type EndOfSubscription = 'deactivated' | 'noresource' | 'rejected' | 'timeout';

export interface Subscription {
  readonly tag: string;
  readonly dialog: Dialog;
  readonly pack: EventPackage;
  /** Package and id of Event. */
  readonly event: string;
  /** All of Event, with what its package makes of it. */
  readonly asked: string;
  /** What is watched, as the user names it. */
  readonly resource: string;
  flow: Flow;
  /** URI of our Contact. */
  readonly contact: string;
  expiresAt: number;
  /** NOTIFYs sent, for packages that count versions. */
  told: number;
  /** Something is to be told, and a NOTIFY is under way. */
  dirty: boolean;
  busy: boolean;
  over: EndOfSubscription | undefined;
  /** The connection to it broke with an earlier process: nothing can be told until it refreshes. */
  away?: boolean;
  /** The subscriber wants to hear nothing until then. */
  restUntil?: number;
  /** The flow over which the NOTIFY under way went. */
  sentOver?: string;
  /** The last CSeq that whoever keeps subscriptions knows of. */
  keptSeq: number;
}

/** A subscription as plain data for whoever goes on with it: its numbers lie ahead of what was sent, so that few NOTIFYs have to be written down. */
export interface SavedSubscription
  extends Pick<Subscription, 'tag' | 'dialog' | 'event' | 'resource' | 'flow' | 'contact' | 'told'> {
  /** Absent: nothing beside the event. */
  readonly asked?: string;
  readonly pack: string;
  /** Wall clock, ms. */
  readonly expires: number;
}

/** Seconds until a subscriber that refused a NOTIFY is told anew, where it does not say when. */
const REST = 60;

/** Numbers that a saved subscription is ahead by: a restart skips them at most (RFC 3261 section 12.2.1.1 lets gaps be). */
const AHEAD = 64;

export interface Subscribed {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
  /** The To tag of the answer. */
  readonly tag?: string;
}

export class Notifier {
  readonly #packages: ReadonlyMap<string, EventPackage>;
  readonly #tag: () => string;
  readonly #most: number;
  readonly #perResource: number;
  readonly #gone: ((tag: string) => void) | undefined;
  readonly #byTag = new Map<string, Subscription>();
  readonly #byResource = new Map<string, Set<Subscription>>();

  constructor({ packages, tag, most = 20_000, perResource = 32, gone }: NotifierOptions) {
    this.#gone = gone;
    this.#packages = new Map(packages.map((one) => [one.name, one]));
    this.#tag = tag;
    this.#most = most;
    this.#perResource = perResource;
  }

  get size(): number {
    return this.#byTag.size;
  }

  /** The subscription that a SUBSCRIBE with a To tag means. */
  known(message: SipMessage): Subscription | undefined {
    const found = this.#ofDialog(message);
    return found?.event === eventOf(message) ? found : undefined;
  }

  /** What a SUBSCRIBE with a To tag is told that means none: one more in the dialog of another may not be (section 4.5.2). */
  unknown(message: SipMessage): Subscribed {
    if (this.#ofDialog(message) === undefined) return { status: 481, headers: [] };
    const judged = this.judge(message);
    return judged.status === 200 ? { status: 403, headers: [NO_SHARING] } : judged;
  }

  #ofDialog(message: SipMessage): Subscription | undefined {
    const found = this.#byTag.get(message.to.params.get('tag') ?? '');
    const { callId, remoteTag } = found?.dialog ?? {};
    const same = callId === message.callId && remoteTag === message.from.params.get('tag');
    return same && found?.over === undefined ? found : undefined;
  }

  /** What stands against a SUBSCRIBE before it is looked at what it watches; 200: nothing. */
  judge(message: SipMessage): Subscribed & { readonly pack?: EventPackage } {
    const pack = this.#packages.get(packageOf(message) ?? '');
    if (pack === undefined) return { status: 489, headers: [allowEvents([...this.#packages.values()])] };
    const accepted = message.headerAll('Accept').map((value) => (value.split(';')[0] ?? '').trim().toLowerCase());
    const [family] = pack.contentType.split('/');
    const takes = [pack.contentType, `${family}/*`, '*/*'];
    if (accepted.length > 0 && !accepted.some((type) => takes.includes(type))) return { status: 406, headers: [] };
    const seconds = message.expires;
    if (seconds !== undefined && seconds > 0 && seconds < pack.min) {
      return { status: 423, headers: [['Min-Expires', String(pack.min)]] };
    }
    return { status: 200, headers: [], pack };
  }

  /** A new subscription that was let through; its first NOTIFY is due. `now` in ms. */
  add(message: SipMessage, at: { flow: Flow; resource: string; contact: string }, now: number): Subscribed {
    const judged = this.judge(message);
    if (judged.pack === undefined) return judged;
    const there = this.#byResource.get(at.resource) ?? new Set();
    if (this.#byTag.size >= this.#most || there.size >= this.#perResource) {
      return { status: 503, headers: [['Retry-After', '60']] };
    }
    const tag = this.#tag();
    const { flow, resource, contact } = at;
    const seconds = granted(message, judged.pack);
    const subscription: Subscription = {
      ...{ tag, flow, resource, contact, pack: judged.pack },
      ...{ event: eventOf(message) ?? '', asked: message.header('Event') ?? '' },
      dialog: dialogOfInvite(message, tag),
      ...{ expiresAt: now + seconds * 1000, told: 0, dirty: true, busy: false, over: undefined, keptSeq: -1 },
    };
    this.#put(subscription);
    return grant(subscription, seconds);
  }

  /** A refresh, or with 0 seconds the end of it (section 4.1.2.2). Its CSeq must grow. */
  refresh(subscription: Subscription, message: SipMessage, flow: Flow, now: number): Subscribed {
    const judged = this.judge(message);
    if (judged.pack === undefined) return judged;
    if (message.cseq.n <= subscription.dialog.remoteSeq) return { status: 500, headers: [] };
    subscription.dialog.remoteSeq = message.cseq.n;
    refreshTarget(subscription.dialog, message);
    subscription.flow = flow;
    subscription.away = false;
    subscription.dirty = true;
    const seconds = granted(message, subscription.pack);
    subscription.expiresAt = now + seconds * 1000;
    return grant(subscription, seconds);
  }

  /** For another process; `offset` is wall clock minus `now`. */
  save(subscription: Subscription, offset: number): SavedSubscription {
    const { tag, dialog, pack, event, asked, resource, flow, contact, told, expiresAt } = subscription;
    const localSeq = dialog.localSeq + AHEAD;
    subscription.keptSeq = localSeq;
    return {
      ...{ tag, event, asked, resource, flow, contact, pack: pack.name, expires: Math.round(expiresAt + offset) },
      ...{ dialog: { ...dialog, localSeq }, told: told + AHEAD },
    };
  }

  /** Takes up what an earlier process kept, on the flow of this one; without one it waits for a refresh. All of its state is due. */
  restore(
    { pack: name, expires, flow: old, ...saved }: SavedSubscription,
    flow: Flow | undefined,
    offset: number,
  ): void {
    const pack = this.#packages.get(name);
    if (pack === undefined || this.#byTag.size >= this.#most) return;
    const { localSeq } = saved.dialog;
    this.#put({
      ...{ asked: saved.event, ...saved },
      ...{
        pack,
        flow: flow ?? { ...old, id: `gone-${old.id}` },
        away: flow === undefined,
        expiresAt: expires - offset,
      },
      ...{ dirty: true, busy: false, over: undefined, keptSeq: localSeq },
    });
  }

  /** Somebody who watches this has something to hear. */
  changed(event: string, resource: string): void {
    for (const one of this.#byResource.get(resource) ?? []) if (one.pack.name === event) one.dirty = true;
  }

  watches(event: string, resource: string): boolean {
    for (const one of this.#byResource.get(resource) ?? []) if (one.pack.name === event) return true;
    return false;
  }

  /** Ends what watches a resource that is gone, or that may be watched no more. */
  end(resource: string, why: EndOfSubscription): void {
    for (const one of this.#byResource.get(resource) ?? []) finish(one, why);
  }

  /** Ends what watches anything that is there no more. */
  keepOnly(there: (resource: string) => boolean): void {
    for (const resource of [...this.#byResource.keys()]) if (!there(resource)) this.end(resource, 'noresource');
  }

  /** A connection is gone, and with it the way to those who subscribed over it. */
  lost(flow: Flow): void {
    for (const one of this.#byTag.values()) {
      if (one.flow.id === flow.id && flow.protocol !== 'udp') this.#forget(one);
    }
  }

  /** Subscriptions that a NOTIFY is due for; those that have run out by `now` end. */
  *due(now: number): Iterable<Subscription> {
    for (const one of this.#byTag.values()) {
      if (one.expiresAt <= now) finish(one, 'timeout');
      if (one.away === true && one.over !== undefined) this.#forget(one);
      else if (one.dirty && !one.busy && one.away !== true && (one.restUntil ?? 0) <= now) yield one;
    }
  }

  /** The NOTIFY that tells `body` (undefined: nothing is known, which only an end may say); its outcome goes to `answered`. */
  notify(subscription: Subscription, body: string | undefined, now: number): SipMessage {
    const { dialog, pack, event, contact, flow, over } = subscription;
    subscription.dirty = false;
    subscription.busy = true;
    subscription.sentOver = flow.id;
    subscription.told++;
    const left = Math.max(0, Math.ceil((subscription.expiresAt - now) / 1000));
    const headers: HeaderLine[] = [
      ['Contact', contactValue(contact, flow, dialog.secure)],
      ['Event', event],
      ['Subscription-State', over === undefined ? `active;expires=${left}` : `terminated;reason=${over}`],
    ];
    if (body !== undefined) headers.push(['Content-Type', pack.contentType]);
    return dialogRequest(dialog, 'NOTIFY', headers, body);
  }

  /**
   * What became of a NOTIFY: `status` 0 is silence. Who does not know the subscription, or cannot be reached, has none (section 4.2.2). Any
   * other refusal speaks of that NOTIFY alone: it is told anew when it says (`retryAfter`, seconds), or after a while.
   */
  answered(subscription: Subscription, status: number, now: number, retryAfter = REST): void {
    subscription.busy = false;
    const failed = status < 200 || status >= 300;
    // It has refreshed meanwhile, over another flow: what went the old way tells nothing of it.
    const moved = failed && subscription.sentOver !== subscription.flow.id;
    if (moved) subscription.dirty = true;
    else if (failed && subscription.over === undefined && !endsSubscription(status)) {
      // Of its end it hears in time.
      subscription.restUntil = Math.min(now + retryAfter * 1000, subscription.expiresAt);
      subscription.dirty = true;
    } else if (failed || (subscription.over !== undefined && !subscription.dirty)) this.#forget(subscription);
  }

  #put(subscription: Subscription): void {
    const { tag, resource } = subscription;
    this.#byTag.set(tag, subscription);
    this.#byResource.set(resource, (this.#byResource.get(resource) ?? new Set()).add(subscription));
  }

  #forget(subscription: Subscription): void {
    const { tag, resource } = subscription;
    this.#gone?.(tag);
    const there = this.#byResource.get(resource);
    this.#byTag.delete(tag);
    if (there?.delete(subscription) && there.size === 0) this.#byResource.delete(resource);
  }
}

const granted = (message: SipMessage, pack: EventPackage): number => Math.min(message.expires ?? pack.usual, pack.max);

function grant(subscription: Subscription, seconds: number): Subscribed {
  const { tag, flow, contact, dialog } = subscription;
  if (seconds === 0) subscription.over = 'timeout';
  const headers: HeaderLine[] = [
    ['Expires', String(seconds)],
    ['Contact', contactValue(contact, flow, dialog.secure)],
  ];
  return { status: 200, headers, tag };
}

function finish(subscription: Subscription, why: EndOfSubscription): void {
  if (subscription.over !== undefined) return;
  subscription.over = why;
  subscription.dirty = true;
}

/** The package that Event names, lower case; undefined where it is malformed or absent. */
function packageOf(message: SipMessage): string | undefined {
  const name = (message.header('Event') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return isToken(name) ? name : undefined;
}

/** Package and id of Event, which name a subscription within its dialog (section 8.2.1). */
function eventOf(message: SipMessage): string | undefined {
  const name = packageOf(message);
  const value = message.header('Event') ?? '';
  const at = value.indexOf(';');
  const id = at < 0 ? undefined : parseParams(value, at)?.get('id');
  return name === undefined || id === undefined || !isToken(id) ? name : `${name};id=${id}`;
}
