/**
 * Which leg an INVITE with Replaces means (RFC 3891 section 3), and who may take its place: phones of the home that it is of. A REFER
 * that names a dialog needs none of this, for the transfer is carried out here and no INVITE of a stranger is ever due.
 */
import type { LineRow } from '#cloud/store/directory.ts';
import { CALLER, type Party } from '#shared/call/call.ts';
import { Roster } from '#shared/kernel/roster.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { type DialogName, readDialogName } from '#shared/sip/refer.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import { endOf, type Live } from './live.ts';

/** Milliseconds for which a dialog that has ended is answered 603 and not 481, and how many of them are remembered at least (twice as many at most). */
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
  /** Names of established dialogs, by the call that they are of. */
  readonly #known = new Roster<string, readonly string[]>();
  /** Dialogs that have ended, and when: the last ones, and the ones before, which go together once these are full. */
  #ended = new Map<string, number>();
  #endedBefore = new Map<string, number>();

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

  /** A call changed: the names of its dialogs are remembered while it lives. */
  changed(live: Live): void {
    if (live.state.at !== 'up' || this.#known.get(live.id)?.length === live.handles.size) return;
    const names: string[] = [];
    for (const handle of live.handles.values()) {
      const id = this.#o.endpoint.dialogId(handle);
      if (id?.remoteTag !== undefined) names.push(nameOf(id.callId, id.localTag, id.remoteTag));
    }
    this.#known.set(live.id, names);
  }

  /** A call is over. */
  over(live: Live): void {
    for (const name of this.#known.get(live.id) ?? []) this.#ended.set(name, this.#o.now());
    this.#known.delete(live.id);
    if (this.#ended.size < ENDED_DIALOGS) return;
    this.#endedBefore = this.#ended;
    this.#ended = new Map();
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
        const theirs = id.remoteTag ?? '';
        if (id.localTag === toTag ? theirs === fromTag : id.localTag === fromTag && theirs === toTag)
          return { live, party };
      }
    }
    return undefined;
  }

  #wasHere({ callId, toTag, fromTag }: DialogName): boolean {
    const since = this.#o.now() - REMEMBERED_FOR;
    const names = [nameOf(callId, toTag, fromTag), nameOf(callId, fromTag, toTag)];
    return names.some((name) => (this.#ended.get(name) ?? this.#endedBefore.get(name) ?? since) > since);
  }
}

const nameOf = (callId: string, localTag: string, remoteTag: string): string => `${callId} ${localTag} ${remoteTag}`;
