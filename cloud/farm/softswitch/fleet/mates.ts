/**
 * What softswitch processes do for each other. A message for another's transaction or dialog is handed to it, with the flow over which
 * it came; what it sends over that flow comes back and goes out there. A request in a dialog whose process has ended is taken up:
 * the call becomes this process's, by the main process's word, and is restored from its rows.
 *
 * A tag, branch or Call-ID that a process makes begins with its mark, which is its place among them.
 */
import { type Claimed, type Fleet, indexOf } from '#cloud/bus/fleet.ts';
import { callsOfDialog } from '#cloud/store/call-row.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Log } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { foreignFlow, homeOf, isForeign } from './foreign.ts';
import type { Proven, Word } from './words.ts';

/** No hexadecimal digit is one, so that what was made without a mark has none. */
const MARKS = 'ghijklmnopqrstuv';
const COOKIE = 'z9hG4bK'.length;
/** Dialogs that are being asked for at once, and messages that wait for each. */
export const CLAIMS = 1_000;
const HELD = 8;
/** Dialogs of others that are remembered. */
const HOMES = 10_000;

export interface MatesOptions {
  readonly fleet: Fleet;
  readonly store: Store;
  readonly log: Log;
  readonly transport: () => { take(text: string, flow: Flow): void; pass(flow: Flow, text: string): void };
  /** Takes up calls that are this process's now. */
  readonly restore: (calls: readonly string[]) => Promise<void>;
  readonly cameBack: (gateway: string, flow: Flow) => void;
  /** The phones of a line, or without one of any, may have changed. */
  readonly changed: (line?: string) => void;
  /** Whatever else a process says. */
  readonly heard: (from: string, word: Exclude<Word, { do: 'in' | 'take' | 'out' | 'line' | 'back' }>) => void;
}

interface Held {
  readonly text: string;
  readonly flow: Flow;
}

export class Mates {
  readonly mark: string;
  readonly #o: MatesOptions;
  /** Messages of dialogs that are being asked for, by Call-ID. */
  readonly #held = new Map<string, Held[]>();
  /** Who has the dialogs of a Call-ID that are not ours. */
  readonly #homes = new Map<string, string>();
  /** Gateways of which the others know, with the flow. */
  readonly #told = new Map<string, string>();
  /** Being taken in although nobody has its dialog. */
  #unclaimed: string | undefined;
  /** Whose INVITE is being taken in that another process proved. */
  #proven: Proven | undefined;

  constructor(options: MatesOptions) {
    this.#o = options;
    const { fleet, restore, log, changed } = options;
    fleet.onChange(() => changed());
    this.mark = markOf(fleet.index);
    fleet.onMessage((from, word) => this.#hear(from, word as Word));
    fleet.onGiven((calls) =>
      restore(calls).catch((error: unknown) => log.error('softswitch.calls-not-taken-up', { error: String(error) })),
    );
  }

  /** See `EndpointOptions.stray`. */
  stray(message: SipMessage, flow: Flow, text: string): boolean {
    if (message.kind === 'response') {
      const owner = this.#marked(message.topVia?.params.get('branch')?.[COOKIE]);
      return owner !== undefined && this.#hand(owner, { text, flow });
    }
    const { callId } = message;
    if (this.#unclaimed === callId) return false;
    const home = this.#homes.get(callId);
    if (home !== undefined && this.#hand(home, { text, flow })) return true;
    const waiting = this.#held.get(callId);
    if (waiting !== undefined) {
      if (waiting.length < HELD) waiting.push({ text, flow });
      return true;
    }
    if (this.#held.size >= CLAIMS) return false;
    this.#held.set(callId, [{ text, flow }]);
    this.#claim(callId).catch((error: unknown) => {
      this.#held.delete(callId);
      this.#o.log.error('softswitch.dialog-not-claimed', { error: String(error) });
    });
    return true;
  }

  /** What another process proved of the INVITE that is being taken in; undefined for one that came over the wire. */
  get proven(): Proven | undefined {
    return this.#proven;
  }

  /** A request that begins something: true where another process was handed what belongs to it. */
  elsewhere(callId: string, flow: Flow, text: string): boolean {
    const home = this.#homes.get(callId);
    return home !== undefined && !isForeign(flow) && this.#hand(home, { text, flow });
  }

  /** The process that has an established dialog of this Call-ID, or that made it; undefined where that is this one, or nobody. */
  async ownerOf(callId: string): Promise<string | undefined> {
    const { store, fleet } = this.#o;
    const [row] = await callsOfDialog(store, callId);
    const owner = row?.owner ?? this.#marked(callId[0]);
    return owner !== fleet.owner && fleet.alive().includes(owner ?? '') ? owner : undefined;
  }

  /** The process that has the calls of a session. */
  async where(session: string): Promise<string | undefined> {
    const { fleet } = this.#o;
    const { owner } = await fleet.where(session);
    return owner === fleet.owner ? undefined : owner;
  }

  /** Lets another process serve an INVITE of which this one has let go, and all that belongs to it. */
  handOver(
    owner: string,
    callId: string,
    invite: { readonly flow: Flow; readonly text: string },
    proven: Proven,
  ): void {
    this.#remember(callId, owner);
    this.#say(owner, { do: 'take', ...invite, proven });
  }

  /** Sends over another process's flow; false where it is one of ours. */
  relay(flow: Flow, text: string): boolean {
    const home = homeOf(flow);
    if (home === undefined) return false;
    this.#say(home.owner, { do: 'out', flow: home.flow, text });
    return true;
  }

  /** A gateway registered over a flow of ours: its calls may be with others. */
  back(gateway: string, flow: Flow): void {
    if (this.#told.get(gateway) === flow.id) return;
    this.#told.set(gateway, flow.id);
    this.#sayAll({ do: 'back', gateway, flow });
  }

  /** The phones of a line changed. */
  tell(line: string): void {
    this.#sayAll({ do: 'line', line });
  }

  #hear(from: string, word: Word): void {
    const { transport, cameBack, changed } = this.#o;
    if (word.do === 'in') transport().take(word.text, foreignFlow(from, word.flow));
    else if (word.do === 'take') this.#take(from, word);
    else if (word.do === 'out') transport().pass(word.flow, word.text);
    else if (word.do === 'line') changed(word.line);
    else if (word.do === 'back') cameBack(word.gateway, foreignFlow(from, word.flow));
    else this.#o.heard(from, word);
  }

  #take(from: string, { text, flow, proven }: Extract<Word, { do: 'take' }>): void {
    this.#proven = proven;
    try {
      this.#o.transport().take(text, foreignFlow(from, flow));
    } finally {
      this.#proven = undefined;
    }
  }

  /** The process whose mark that is, where it is another one that lives. */
  #marked(mark: string | undefined): string | undefined {
    if (mark === undefined || mark === this.mark) return undefined;
    return this.#o.fleet.alive().find((owner) => markOf(indexOf(owner)) === mark);
  }

  #hand(owner: string, { text, flow }: Held): boolean {
    if (!this.#o.fleet.alive().includes(owner)) return false;
    this.#say(owner, { do: 'in', flow, text });
    return true;
  }

  #sayAll(word: Word): void {
    const { fleet } = this.#o;
    for (const owner of fleet.alive()) if (owner !== fleet.owner) this.#say(owner, word);
  }

  #say(owner: string, word: Word): void {
    this.#o.fleet.send(owner, word);
  }

  async #claim(callId: string): Promise<void> {
    const { store, fleet, restore } = this.#o;
    // Most such requests belong to nothing, and cost nobody else anything.
    const [row] = await callsOfDialog(store, callId);
    const { mine, owner }: Claimed = row === undefined ? {} : await fleet.claim(callId);
    if (mine !== undefined) await restore(mine);
    const held = this.#held.get(callId) ?? [];
    this.#held.delete(callId);
    if (owner !== undefined) this.#remember(callId, owner);
    for (const one of held) if (owner === undefined || !this.#hand(owner, one)) this.#again(callId, one);
  }

  #again(callId: string, { text, flow }: Held): void {
    this.#unclaimed = callId;
    this.#o.transport().take(text, flow);
    this.#unclaimed = undefined;
  }

  #remember(callId: string, owner: string): void {
    this.#homes.set(callId, owner);
    if (this.#homes.size <= HOMES) return;
    const oldest = this.#homes.keys().next().value;
    if (oldest !== undefined) this.#homes.delete(oldest);
  }
}

function markOf(index: number): string {
  return MARKS[index] ?? '';
}
