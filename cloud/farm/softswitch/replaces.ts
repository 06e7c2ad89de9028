/**
 * Which leg an INVITE with Replaces means (RFC 3891 section 3), and who may take its place: phones of the home that it is of. A REFER
 * that names a dialog needs none of this, for the transfer is carried out here and no INVITE of a stranger is ever due.
 */
import type { LineRow } from '#cloud/store/directory.ts';
import { CALLER, type Party } from '#shared/call/call.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { type DialogName, isTag, readDialogName } from '#shared/sip/refer.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import { endOf, type Live } from './live.ts';

/** Milliseconds for which a dialog that has ended is answered 603 and not 481, and how many of them are remembered. */
const REMEMBERED_FOR = 32_000;
export const ENDED_DIALOGS = 10_000;

/** A leg of a session, or the status of the refusal. */
export type Replaced = { readonly session: string; readonly leg: string } | { readonly refuse: number };

export interface ReplacesOptions {
  readonly calls: Pick<Calls, 'all'>;
  readonly endpoint: Pick<SipEndpoint, 'dialogId'>;
  /** Monotonic, ms. */
  readonly now: () => number;
}

export class Replaces {
  readonly #o: ReplacesOptions;
  /** Dialogs that have ended, the oldest giving way to a new one: two numbers for each, and when. */
  readonly #ended = new Int32Array(2 * ENDED_DIALOGS);
  readonly #endedAt = new Float64Array(ENDED_DIALOGS).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  constructor(options: ReplacesOptions) {
    this.#o = options;
  }

  /** What the INVITE of a phone of `line` wants replaced; undefined where nothing. */
  wanted(message: SipMessage, line: LineRow): Replaced | undefined {
    const values = message.headerAll('Replaces');
    const [value] = values;
    if (value === undefined) return undefined;
    const name = values.length === 1 ? readDialogName(value) : undefined;
    return name === undefined ? { refuse: 400 } : this.#find(name, line);
  }

  /** A call changed: what tells its dialogs is kept with it. */
  changed(live: Live): void {
    if (live.state.at !== 'up' || live.marks?.length === 2 * live.handles.size) return;
    const marks: number[] = [];
    for (const handle of live.handles.values()) {
      const id = this.#o.endpoint.dialogId(handle);
      if (id?.remoteTag !== undefined) mark(marks, id.callId, id.localTag, id.remoteTag);
    }
    live.marks = marks;
  }

  /** A call is over. */
  over({ marks }: Pick<Live, 'marks'>): void {
    if (marks === undefined) return;
    const now = this.#o.now();
    for (let i = 0; i < marks.length; i += 2) {
      this.#ended[2 * this.#next] = marks[i] ?? 0;
      this.#ended[2 * this.#next + 1] = marks[i + 1] ?? 0;
      this.#endedAt[this.#next] = now;
      this.#next = (this.#next + 1) % ENDED_DIALOGS;
    }
  }

  #find(name: DialogName, line: LineRow): Replaced {
    const end = this.#end(name);
    if (end === undefined) return { refuse: this.#wasHere(name) ? 603 : 481 };
    const { live, party } = end;
    const { at, callerLeg, branches } = live.state;
    if (endOf(live, party).line?.home !== line.home) return { refuse: 403 };
    const leg = party === CALLER ? callerLeg?.id : branches.get(party)?.leg;
    const early = at === 'ringing' || at === 'rerouting';
    // An early dialog can be taken only from who is called: the caller's is not of our making (section 3).
    if (leg === undefined || (at !== 'up' && (!early || party === CALLER)))
      return { refuse: at === 'answering' ? 491 : 481 };
    if (name.earlyOnly && at === 'up') return { refuse: 486 };
    // Calls that the session manager does not know of (for help, or switched while it was away) stay whose they are.
    return live.autonomous ? { refuse: 480 } : { session: live.session, leg };
  }

  /** By the tags as we have them, or as the phone at the other end does, which may have been told by the dialog event. */
  #end({ callId, toTag, fromTag }: DialogName): { readonly live: Live; readonly party: Party } | undefined {
    for (const live of this.#o.calls.all()) {
      for (const [party, handle] of live.handles) {
        const id = this.#o.endpoint.dialogId(handle);
        if (id?.callId !== callId) continue;
        const { localTag, remoteTag: theirs } = id;
        if (localTag === toTag ? isTag(fromTag, theirs) : localTag === fromTag && isTag(toTag, theirs))
          return { live, party };
      }
    }
    return undefined;
  }

  #wasHere({ callId, toTag, fromTag }: DialogName): boolean {
    const since = this.#o.now() - REMEMBERED_FOR;
    const marks: number[] = [];
    mark(marks, callId, toTag, fromTag);
    mark(marks, callId, fromTag, toTag);
    const [a, b, c, d] = marks;
    for (let i = 0; i < ENDED_DIALOGS; i++) {
      if ((this.#endedAt[i] ?? since) <= since) continue;
      const [one, other] = [this.#ended[2 * i], this.#ended[2 * i + 1]];
      if ((one === a && other === b) || (one === c && other === d)) return true;
    }
    return false;
  }
}

/**
 * What tells a dialog that has ended: 64 bits of its name (FNV-1a, and once more with another factor). Names themselves would be megabytes of
 * text; one of another dialog with the same bits is answered 603 in place of 481, and nothing else comes of it.
 */
function mark(marks: number[], callId: string, localTag: string, remoteTag: string): void {
  let [a, b] = [0x811c9dc5, 0x01234567];
  for (const part of [callId, localTag, remoteTag]) {
    for (let i = 0; i < part.length; i++) {
      const c = part.charCodeAt(i);
      a = Math.imul(a ^ c, 0x01000193);
      b = Math.imul(b ^ c, 0x85ebca6b);
    }
    // Where one part ends and the next begins.
    a = Math.imul(a ^ 0x100, 0x01000193);
    b = Math.imul(b ^ 0x100, 0x85ebca6b);
  }
  marks.push(a | 0, b | 0);
}
