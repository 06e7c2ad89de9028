/** Busy lamps of the house (RFC 6665, RFC 4235): a phone of the house watches the calls of its lines, with the cloud or without it. */
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipNotifier } from '#shared/host/sip-notifier.ts';
import { hex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { DIALOG_INFO, type DialogView, withEnded, writeDialogInfo } from '#shared/sip/dialog-info.ts';
import type { Subscription } from '#shared/sip/notifier.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri } from '#shared/sip/uri.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import { type End, lineOf } from './end.ts';
import type { House } from './house.ts';

const PACKAGES = [{ name: 'dialog', contentType: DIALOG_INFO, min: 60, max: 3600, usual: 3600 }] as const;

export interface HouseWatchOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly house: House;
  readonly calls: () => EdgeCalls;
  readonly domain: () => string;
}

export class HouseWatch {
  readonly #o: HouseWatchOptions;
  readonly #notifier: SipNotifier;
  /** What a subscriber was told last, so that it hears of every end. */
  readonly #told = new WeakMap<Subscription, readonly DialogView[]>();

  constructor(options: HouseWatchOptions) {
    this.#o = options;
    const { sip, world } = options;
    this.#notifier = new SipNotifier({
      ...{ sip, clock: world.clock, packages: PACKAGES },
      tag: () => hex(world.random.bytes(8)),
      body: async (subscription) => this.#body(subscription),
    });
  }

  /** A SUBSCRIBE of a phone that proved to be of the house. */
  take({
    transaction,
    message,
    flow,
  }: Pick<Extract<EndpointOutput, { do: 'request' }>, 'transaction' | 'message' | 'flow'>): void {
    const user = parseUri(message.uri)?.user;
    const watched = user === undefined ? undefined : this.#o.house.dialled(user);
    this.#notifier.take(transaction, message, flow, watched?.id);
  }

  /** True for the news of a NOTIFY. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#notifier.heard(output);
  }

  /** A call began, rang, was answered or ended. */
  changed(call: EdgeCall): void {
    if (this.#notifier.size === 0) return;
    const lines = new Set([call.from?.id]);
    for (const party of call.state.branches.keys()) lines.add(lineOf({ call, party })?.id);
    for (const line of lines) if (line !== undefined) this.#notifier.changed('dialog', line);
  }

  /** Lines may be gone. */
  linesChanged(): void {
    this.#notifier.keepOnly((line) => this.#o.house.byId(line) !== undefined);
  }

  lost(flow: Flow): void {
    this.#notifier.lost(flow);
  }

  stop(): void {
    this.#notifier.stop();
  }

  #body(subscription: Subscription): string | undefined {
    const { house, domain, calls } = this.#o;
    const line = house.byId(subscription.resource);
    if (line === undefined) return undefined;
    const now: DialogView[] = [];
    for (const call of calls().driver.all()) {
      for (const party of [CALLER, ...call.state.branches.keys()]) {
        const view = lineOf({ call, party })?.id === line.id ? this.#view({ call, party }) : undefined;
        if (view !== undefined) now.push(view);
      }
    }
    const all = withEnded(now, this.#told.get(subscription) ?? []);
    this.#told.set(subscription, now);
    return latin1(utf8(writeDialogInfo(`sip:${line.number}@${domain()}`, subscription.told, all)));
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
    const dialled = call.dialled.includes(':') ? call.dialled : `sip:${call.dialled}@${this.#o.domain()}`;
    return {
      id: `${call.id}-${party}`,
      direction: party === CALLER ? 'initiator' : 'recipient',
      state: up ? 'confirmed' : party !== CALLER || state.passed.length > 0 ? 'early' : 'trying',
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
