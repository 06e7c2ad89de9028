/**
 * What phones may watch (RFC 6665): the messages of their own line (RFC 3842), and the calls of the lines of their home (RFC 4235), for
 * busy lamps and for picking up.
 */
import type { Store } from '#cloud/store/store.ts';
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipNotifier } from '#shared/host/sip-notifier.ts';
import { hex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { Clock, Log, Random } from '#shared/kernel/world.ts';
import { DIALOG_INFO, type DialogView, ringing, wanted, withEnded, writeDialogInfo } from '#shared/sip/dialog-info.ts';
import { MESSAGE_SUMMARY, writeSummary } from '#shared/sip/message-summary.ts';
import type { EventPackage, Subscription } from '#shared/sip/notifier.ts';
import { withoutPin } from '#shared/sip/trace.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import type { Access } from './access.ts';
import type { Calls } from './calls.ts';
import { dialledOf } from './dialled.ts';
import type { SharedLamps } from './fleet/shared-lamps.ts';
import type { Lines } from './lines.ts';
import { type Live, shownLine } from './live.ts';
import { SubscriptionStore } from './subscriptions.ts';

const SECONDS = { min: 60, max: 3600, usual: 3600 } as const;
export const PACKAGES: readonly EventPackage[] = [
  { name: 'message-summary', contentType: MESSAGE_SUMMARY, ...SECONDS },
  { name: 'dialog', contentType: DIALOG_INFO, ...SECONDS },
];

export interface WatchOptions {
  readonly access: Access;
  readonly lines: Lines;
  readonly calls: Calls;
  readonly store: Store;
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Stands before the tags that this process makes, where there are several. */
  readonly mark?: string;
  /** What the other processes know of watched lines, where there are several. */
  readonly lamps?: () => Pick<SharedLamps, 'elsewhere' | 'watch' | 'keepOnly' | 'tell'>;
  readonly domain: string;
  readonly closeFlow: (flow: Flow) => void;
  readonly trust: (flow: Flow) => void;
  readonly isOurs: (host: string) => boolean;
}

export class Watch {
  readonly #o: WatchOptions;
  readonly #notifier: SipNotifier;
  readonly #kept: SubscriptionStore;
  /** What a subscriber was told last, so that it hears of every end. */
  readonly #told = new WeakMap<Subscription, readonly DialogView[]>();

  constructor(options: WatchOptions) {
    this.#o = options;
    const { sip, clock, random, store, log, mark = '' } = options;
    this.#kept = new SubscriptionStore(store, clock, log, mark);
    this.#notifier = new SipNotifier({
      ...{ sip, clock, packages: PACKAGES },
      tag: () => mark + hex(random.bytes(8)),
      body: (subscription) => this.#body(subscription),
      keep: (tag, saved) => this.#kept.keep(tag, saved),
    });
  }

  /** Takes up what an earlier process kept. Whoever watched over a connection has to refresh over a new one first. */
  async restore(flowOf: (flow: Flow) => Promise<Flow>): Promise<void> {
    for (const saved of await this.#kept.load()) {
      this.#notifier.restore(saved, saved.flow.protocol === 'udp' ? await flowOf(saved.flow) : undefined);
      if (saved.pack === 'dialog') this.#share(saved.resource);
    }
  }

  /** Everybody can be reached now, and is told all of it. */
  begin(): void {
    this.#notifier.begin();
  }

  /** A SUBSCRIBE. */
  async take({ transaction, message, flow }: Extract<EndpointOutput, { do: 'request' }>): Promise<void> {
    const { access, closeFlow, trust, sip, lines, isOurs } = this.#o;
    const sender = await access.sender(message, flow);
    if (sender.kind === 'close') return closeFlow(flow);
    if (sender.kind === 'refuse') {
      const { status, headers } = sender;
      return sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
    }
    trust(flow);
    const dialled = dialledOf(message.uri, isOurs);
    const watched = dialled === undefined ? undefined : await lines.byUser(dialled);
    const own = message.header('Event')?.trim().toLowerCase().startsWith('message-summary') === true;
    // A line of another home is answered as one that does not exist.
    const there = watched?.home === sender.line.home ? watched.id : undefined;
    this.#notifier.take(
      transaction,
      message,
      flow,
      own && there !== undefined && there !== sender.line.id ? null : there,
    );
    if (there !== undefined && !own) this.#share(there);
  }

  /** The other processes are asked for the calls of this line, and no more for those that nobody watches. */
  #share(line: string): void {
    const lamps = this.#o.lamps?.();
    lamps?.keepOnly((one) => this.#notifier.watches('dialog', one));
    if (this.#notifier.watches('dialog', line)) lamps?.watch(line);
  }

  /** The calls of a line at another process changed. */
  changedElsewhere(line: string): void {
    this.#notifier.changed('dialog', line);
  }

  /** True for the news of a NOTIFY. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#notifier.heard(output);
  }

  /** A call began, rang, was answered or ended. */
  changed(live: Live): void {
    const lamps = this.#o.lamps?.();
    if (this.#notifier.size === 0 && lamps === undefined) return;
    const lines = new Set([live.line?.id]);
    for (const { to } of live.state.branches.values()) lines.add(to.line?.id);
    for (const line of lines) {
      if (line === undefined) continue;
      this.#notifier.changed('dialog', line);
      lamps?.tell(line);
    }
  }

  messagesChanged(line: string): void {
    this.#notifier.changed('message-summary', line);
  }

  /** A line exists no more. */
  gone(line: string): void {
    this.#notifier.keepOnly((one) => one !== line);
  }

  lost(flow: Flow): void {
    this.#notifier.lost(flow);
  }

  async stop(): Promise<void> {
    this.#notifier.stop();
    await this.#kept.flush();
  }

  async #body(subscription: Subscription): Promise<string | undefined> {
    const { lines, domain } = this.#o;
    const line = await lines.byId(subscription.resource);
    if (line === undefined) return undefined;
    const entity = `sip:${line.number}@${domain}`;
    if (subscription.pack.name === 'message-summary') return writeSummary(entity, [await this.#messages(line.id)]);
    const there = [...this.dialogs(line.id), ...(this.#o.lamps?.().elsewhere(line.id) ?? [])];
    const now = wanted(subscription.asked, there);
    const all = withEnded(now, this.#told.get(subscription) ?? []);
    this.#told.set(subscription, now);
    return latin1(utf8(writeDialogInfo(entity, subscription.told, all)));
  }

  async #messages(line: string) {
    const counted = await this.#o.store.one<{ fresh: number | null; old: number | null }>(
      "SELECT SUM(state IN ('waiting', 'delivered')) AS fresh, SUM(state = 'read') AS old FROM message_recipient WHERE line = ?",
      [line],
    );
    return { class: 'Text-Message' as const, fresh: counted?.fresh ?? 0, old: counted?.old ?? 0 };
  }

  /** The calls of a line that this process has, as its phones know them. */
  dialogs(line: string): DialogView[] {
    const views: DialogView[] = [];
    for (const live of this.#o.calls.all()) {
      const { state } = live;
      const up = state.at === 'up';
      if (live.line?.id === line && state.caller !== 'gone') {
        const early = state.passed.length > 0 || state.at === 'answering';
        const remote = { uri: this.#uri(withoutPin(live.dialled)) };
        views.push(this.#view(live, CALLER, up ? 'confirmed' : early ? 'early' : 'trying', remote));
      }
      for (const [party, branch] of state.branches) {
        if (branch.to.line?.id !== line || branch.at === 'gone' || branch.at === 'planned') continue;
        const caller = live.line === undefined ? live.caller : shownLine(live.line);
        const named = caller.name === undefined ? {} : { name: caller.name };
        const remote = live.hidden === true ? undefined : { uri: this.#uri(caller.number), ...named };
        views.push(this.#view(live, party, up && branch.at === 'up' ? 'confirmed' : 'early', remote));
      }
    }
    return views;
  }

  #view(live: Live, party: string, state: DialogView['state'], remote: DialogView['remote']): DialogView {
    const handle = live.handles.get(party);
    const dialog = handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle);
    const tag = dialog?.remoteTag;
    return {
      id: party === CALLER ? live.id : party,
      direction: party === CALLER ? 'initiator' : 'recipient',
      state: state === 'early' ? ringing(tag) : state,
      ...(dialog === undefined ? {} : { callId: dialog.callId, remoteTag: dialog.localTag }),
      ...(tag === undefined ? {} : { localTag: tag }),
      ...(remote === undefined ? {} : { remote }),
    };
  }

  #uri(dialled: string): string {
    return dialled.includes(':') ? dialled : `sip:${dialled}@${this.#o.domain}`;
  }
}
