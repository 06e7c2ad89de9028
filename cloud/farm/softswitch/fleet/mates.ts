/**
 * What softswitch processes do for each other. A message for another's transaction or dialog is handed to it, with the flow over which
 * it came; what it sends over that flow comes back and goes out there. A request in a dialog whose process has ended is taken up:
 * the call becomes this process's, by the main process's word, and is restored from its rows.
 *
 * A tag, branch or Call-ID that a process makes begins with its mark, which is its place among them.
 */
import { type Claimed, type Fleet, indexOf } from '#cloud/bus/fleet.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Log } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { foreignFlow, homeOf } from './foreign.ts';

/** No hexadecimal digit is one, so that what was made without a mark has none. */
const MARKS = 'ghijklmnopqrstuv';
const COOKIE = 'z9hG4bK'.length;
/** Dialogs that are being asked for at once, and messages that wait for each. */
export const CLAIMS = 1_000;
const HELD = 8;
/** Dialogs of others that are remembered. */
const HOMES = 10_000;

type Word =
  /** A message that came here for you, over this flow of mine. */
  | { readonly do: 'in'; readonly flow: Flow; readonly text: string }
  /** Send this over your flow. */
  | { readonly do: 'out'; readonly flow: Flow; readonly text: string }
  /** The phones of a line changed. */
  | { readonly do: 'line'; readonly line: string }
  /** The gateway came back, over this flow of mine. */
  | { readonly do: 'back'; readonly gateway: string; readonly flow: Flow };

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
    else if (word.do === 'out') transport().pass(word.flow, word.text);
    else if (word.do === 'line') changed(word.line);
    else cameBack(word.gateway, foreignFlow(from, word.flow));
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
    const row = await store.one("SELECT owner FROM channel WHERE call_id = ? AND call_id <> ''", [callId]);
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
