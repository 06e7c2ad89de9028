/**
 * What phones of the house watch (RFC 6665), with the cloud or without it: the calls of its lines (RFC 4235, busy lamps), and the messages
 * of their own one (RFC 3842). Who watches, and which messages waited, outlasts a restart.
 */
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { readText } from '#shared/host/sip-messaging.ts';
import { SipNotifier } from '#shared/host/sip-notifier.ts';
import { hex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import {
  DIALOG_INFO,
  type DialogView,
  readDialogInfo,
  ringing,
  wanted,
  withEnded,
  writeDialogInfo,
} from '#shared/sip/dialog-info.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { MESSAGE_SUMMARY, writeSummary } from '#shared/sip/message-summary.ts';
import type { SavedSubscription, Subscription } from '#shared/sip/notifier.ts';
import { readDialogName } from '#shared/sip/refer.ts';
import { withoutPin } from '#shared/sip/trace.ts';
import type { EndpointOutput, Flow, TransactionHandle } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri } from '#shared/sip/uri.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import { type End, lineOf } from './end.ts';
import type { House } from './house.ts';
import { UpstreamWatch } from './upstream-watch.ts';

const SECONDS = { min: 60, max: 3600, usual: 3600 } as const;
export const PACKAGES = [
  { name: 'dialog', contentType: DIALOG_INFO, ...SECONDS },
  { name: 'message-summary', contentType: MESSAGE_SUMMARY, ...SECONDS },
] as const;

/** Calls that passed this gateway and are remembered: the softswitch may speak of them a moment longer. */
const PASSED = 500;

/** What is kept over a restart: who watches what, and the messages that waited, as the cloud told them last. */
export interface KeptWatches {
  readonly subscriptions: readonly SavedSubscription[];
  readonly summaries: readonly { readonly line: string; readonly body: string }[];
}

export interface HouseWatchOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly house: House;
  readonly calls: () => EdgeCalls;
  readonly domain: () => string;
  /** The flow to the softswitch, while there is one. */
  readonly upstream: () => Flow | undefined;
  readonly keep: (kept: KeptWatches) => void;
}

export class HouseWatch {
  readonly #o: HouseWatchOptions;
  readonly #notifier: SipNotifier;
  readonly #cloud: UpstreamWatch;
  /** Call-IDs of dialogs of this gateway. */
  readonly #passed = new Set<string>();
  /** Subscriptions as they are kept, by tag. */
  readonly #saved = new Map<string, SavedSubscription>();
  /** Messages that waited when an earlier process ended, by line. */
  readonly #summaries = new Map<string, string>();
  /** What a subscriber was told last, so that it hears of every end. */
  readonly #told = new WeakMap<Subscription, readonly DialogView[]>();

  constructor(options: HouseWatchOptions) {
    this.#o = options;
    const { sip, world, upstream } = options;
    this.#cloud = new UpstreamWatch({
      ...{ sip, world, upstream },
      address: (line) => this.#address(line),
      wanted: (event, line) => this.#notifier.watches(event, line),
      changed: (event, line) => {
        this.#notifier.changed(event, line);
        if (event === 'message-summary') this.#keep();
      },
    });
    this.#notifier = new SipNotifier({
      ...{ sip, clock: world.clock, packages: PACKAGES },
      tag: () => hex(world.random.bytes(8)),
      body: async (subscription) => this.#body(subscription),
      keep: (tag, saved) => {
        if (saved === undefined) this.#saved.delete(tag);
        else this.#saved.set(tag, saved);
        this.#keep();
      },
    });
  }

  /**
   * Takes up what an earlier process kept. Whoever watched was there at its end, so it has its whole time to come again (the wall clock may
   * be anything now); over a connection it has to.
   */
  async restore({ subscriptions, summaries }: KeptWatches, flowOf: (flow: Flow) => Promise<Flow>): Promise<void> {
    const expires = this.#o.world.clock.wall() + SECONDS.usual * 1000;
    for (const { line, body } of summaries) this.#summaries.set(line, body);
    for (const one of subscriptions) {
      this.#saved.set(one.tag, one);
      this.#notifier.restore({ ...one, expires }, one.flow.protocol === 'udp' ? await flowOf(one.flow) : undefined);
    }
  }

  /** A SUBSCRIBE of a phone that proved to be that line of the house. */
  take(
    {
      transaction,
      message,
      flow,
    }: Pick<Extract<EndpointOutput, { do: 'request' }>, 'transaction' | 'message' | 'flow'>,
    line: string,
  ): void {
    const user = parseUri(message.uri)?.user;
    const watched = user === undefined ? undefined : this.#o.house.dialled(user)?.id;
    const messages = message.header('Event')?.trim().toLowerCase().startsWith('message-summary') === true;
    // Messages are those of the line alone.
    const hidden = messages && watched !== undefined && watched !== line;
    this.#notifier.take(transaction, message, flow, hidden ? null : watched);
    const event = messages ? 'message-summary' : 'dialog';
    if (watched !== undefined && this.#notifier.watches(event, watched)) this.#cloud.watch(event, watched);
  }

  /** A NOTIFY: the softswitch alone has anything to tell. */
  notified(transaction: TransactionHandle, message: SipMessage, fromCloud: boolean): void {
    if (fromCloud) this.#cloud.notified(transaction, message);
    else this.#cloud.refuse(transaction, message);
  }

  /** There is a new flow to the softswitch. */
  flowChanged(): void {
    this.#cloud.flowChanged();
  }

  /** True for the news of a NOTIFY or SUBSCRIBE of ours. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#notifier.heard(output) || this.#cloud.heard(output);
  }

  /** True where Replaces names a dialog that phones of the house know from the softswitch alone. */
  isElsewhere(replaces: string): boolean {
    const callId = readDialogName(replaces)?.callId;
    if (callId === undefined || this.#own().has(callId)) return false;
    return this.#cloud.bodies('dialog').some((body) => told(body).some((one) => one.callId === callId));
  }

  /** A call began, rang, was answered or ended. */
  changed(call: EdgeCall): void {
    if (this.#notifier.size === 0) return;
    for (const handle of call.handles.values()) {
      const callId = this.#o.sip.endpoint.dialogId(handle)?.callId;
      if (callId !== undefined) this.#passed.add(callId);
    }
    for (const oldest of this.#passed) {
      if (this.#passed.size <= PASSED) break;
      this.#passed.delete(oldest);
    }
    const lines = new Set([call.from?.id]);
    for (const party of call.state.branches.keys()) lines.add(lineOf({ call, party })?.id);
    for (const line of lines) if (line !== undefined) this.#notifier.changed('dialog', line);
  }

  /** The lines are known; some may be gone. Who was taken up is told what there is to tell now. */
  linesChanged(): void {
    const isLine = (line: string) => this.#o.house.byId(line) !== undefined;
    for (const { pack, resource } of this.#saved.values()) {
      if (pack === 'dialog' && isLine(resource)) this.#cloud.watch('dialog', resource);
      else if (isLine(resource)) this.#cloud.watch('message-summary', resource, this.#summaries.get(resource));
    }
    this.#notifier.keepOnly(isLine);
  }

  lost(flow: Flow): void {
    if (this.#o.upstream()?.id === flow.id) this.#cloud.flowLost();
    this.#notifier.lost(flow);
  }

  stop(): void {
    this.#notifier.stop();
    this.#cloud.stop();
  }

  #keep(): void {
    const lines = new Set([...this.#saved.values()].map(({ resource }) => resource));
    const summaries = [...lines].flatMap((line) => {
      const body = this.#cloud.body('message-summary', line);
      return body === undefined ? [] : [{ line, body }];
    });
    this.#o.keep({ subscriptions: [...this.#saved.values()], summaries });
  }

  #address(line: string): string | undefined {
    const number = this.#o.house.byId(line)?.number;
    return number === undefined ? undefined : `sip:${number}@${this.#o.domain()}`;
  }

  #body(subscription: Subscription): string | undefined {
    const { house, calls } = this.#o;
    const line = house.byId(subscription.resource);
    const entity = line === undefined ? undefined : this.#address(line.id);
    if (line === undefined || entity === undefined) return undefined;
    if (subscription.pack.name === 'message-summary') {
      // Before the cloud was heard nothing waits, as far as anybody here knows.
      const none = writeSummary(entity, [{ class: 'Text-Message', fresh: 0, old: 0 }]);
      return this.#cloud.body('message-summary', line.id) ?? none;
    }
    const there = this.#elsewhere(line.id);
    for (const call of calls().driver.all()) {
      for (const party of [CALLER, ...call.state.branches.keys()]) {
        const view = lineOf({ call, party })?.id === line.id ? this.#view({ call, party }) : undefined;
        if (view !== undefined) there.push(view);
      }
    }
    const now = wanted(subscription.asked, there);
    const all = withEnded(now, this.#told.get(subscription) ?? []);
    this.#told.set(subscription, now);
    return latin1(utf8(writeDialogInfo(entity, subscription.told, all)));
  }

  /** Calls of the line at phones that are not behind this gateway, as the softswitch tells them. */
  #elsewhere(line: string): DialogView[] {
    const all = told(this.#cloud.body('dialog', line) ?? '');
    const own = all.length === 0 ? new Set<string>() : this.#own();
    return all
      .filter(({ state, callId }) => state !== 'terminated' && callId !== undefined && !own.has(callId))
      .map((one) => ({ ...one, id: `cloud-${one.id}` }));
  }

  /** Call-IDs of this gateway's dialogs, those of a moment ago too. */
  #own(): Set<string> {
    const own = new Set(this.#passed);
    for (const call of this.#o.calls().driver.all()) {
      for (const handle of call.handles.values()) own.add(this.#o.sip.endpoint.dialogId(handle)?.callId ?? '');
    }
    return own;
  }

  /** A side of a call as its phone knows it; undefined where it is not in the call (any more). */
  #view({ call, party }: End): DialogView | undefined {
    const { state } = call;
    const branch = state.branches.get(party);
    const handle = call.handles.get(party);
    if (handle === undefined || branch?.at === 'gone' || state.at === 'ending' || state.at === 'over') return undefined;
    const { callId, localTag, remoteTag } = this.#o.sip.endpoint.dialogId(handle) ?? {};
    const up = state.at === 'up' && (party === CALLER || branch?.at === 'up');
    const shown = parseNameAddr(call.shown);
    const name = shown === undefined || shown.display === '' ? {} : { name: shown.display };
    const shownAs = withoutPin(call.dialled);
    const dialled = shownAs.includes(':') ? shownAs : `sip:${shownAs}@${this.#o.domain()}`;
    return {
      id: `${call.id}-${party}`,
      direction: party === CALLER ? 'initiator' : 'recipient',
      state: up ? 'confirmed' : party !== CALLER || state.passed.length > 0 ? ringing(remoteTag) : 'trying',
      ...(callId === undefined || localTag === undefined ? {} : { callId, remoteTag: localTag }),
      ...(remoteTag === undefined ? {} : { localTag: remoteTag }),
      ...(party === CALLER
        ? { remote: { uri: dialled } }
        : shown === undefined
          ? {}
          : { remote: { uri: shown.uri, ...name } }),
    };
  }
}

/** The dialogs in what the softswitch told. */
function told(body: string): DialogView[] {
  const text = readText(body);
  return text === undefined ? [] : (readDialogInfo(text) ?? []);
}
