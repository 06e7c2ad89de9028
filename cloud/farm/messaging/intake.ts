/** Takes a message on: who is to get it, on which phones, and all that as one commit before anybody hears that it was accepted. */
import type { PartContext } from '#cloud/bus/part.ts';
import { type LineRow, lineById, lineByParty } from '#cloud/store/directory.ts';
import type { Statement } from '#cloud/store/store.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, type FaultCode, fault } from '#shared/protocol/fault.ts';
import { MESSAGE_LIFE } from '#shared/protocol/verbs/messaging.ts';
import type { Devices } from './devices.ts';
import { acceptedEvents, fateEvents } from './events.ts';
import { groupById } from './groups.ts';
import { insertMessage, type MessageView, type NewMessage, type NewRecipient, view } from './rows.ts';

/** Messages of one line and of one home, receipts aside; lines of class `unmetered` have no such limit. */
export const LINE_RATE: Rate = { perSecond: 2, burst: 30 };
export const HOME_RATE: Rate = { perSecond: 5, burst: 100 };
/** Messages that may wait for one line. */
export const QUEUE_LIMIT = 1_000;

/** Who gets it: a line, or an address outside that a later channel serves; `failed`: nobody can, for that reason. */
export type Addressee = { readonly line: LineRow } | { readonly outside: string; readonly failed?: FaultCode };

export interface Draft {
  readonly id: string;
  readonly origin?: string;
  readonly from: LineRow;
  /** As the sender named it. */
  readonly to: string;
  readonly group?: string;
  readonly session?: string;
  readonly leg?: string;
  readonly addressees: readonly Addressee[];
  readonly contentType: string;
  readonly text: string;
  readonly receipts: string;
  /** Wall clock, ms; default now. */
  readonly at?: number;
  /** Milliseconds. */
  readonly expiresIn?: number;
  /** Phones that have it already. */
  readonly delivered?: readonly string[];
}

export class Intake {
  readonly #context: PartContext;
  readonly #devices: Devices;
  readonly #budget = new Budget();

  constructor(context: PartContext, devices: Devices) {
    this.#context = context;
    this.#devices = devices;
  }

  /** Whether this line may send another one now. */
  admit(line: LineRow): Fault | undefined {
    if (line.class === 'unmetered') return undefined;
    const now = this.#context.world.clock.mono();
    const wait =
      this.#budget.take(`line ${line.id}`, LINE_RATE, now) || this.#budget.take(`home ${line.home}`, HOME_RATE, now);
    return wait === 0 ? undefined : fault('rate_limited', 'This line sends too many messages.', { retryAfter: wait });
  }

  /** Whom a party, or a group on behalf of `from`, stands for. */
  async addressees(to: string, from: LineRow): Promise<Result<readonly Addressee[], Fault>> {
    if (to.startsWith('grp_')) {
      const group = await groupById(this.#context.store, to);
      if (group === undefined) return err(fault('callee_unknown', 'There is no such group.'));
      const found = await Promise.all(group.members.map((member) => this.#addressee(member)));
      const members = found.filter((one) => one !== undefined);
      const belongs = group.home === from.home || members.some((one) => 'line' in one && one.line.id === from.id);
      // To others the group is not there.
      if (!belongs) return err(fault('callee_unknown', 'There is no such group.'));
      return ok(unique(members).filter((one) => !('line' in one) || one.line.id !== from.id));
    }
    const one = await this.#addressee(to);
    return one === undefined ? err(fault('callee_unknown', `Nobody has ${to.slice(0, 64)}.`)) : ok([one]);
  }

  async lines(ids: readonly string[]): Promise<readonly Addressee[]> {
    const rows = await Promise.all(ids.map((id) => lineById(this.#context.store, id)));
    return unique(rows.filter((row) => row !== undefined).map((line) => ({ line })));
  }

  /** Writes it all down; `with` adds to the commit. A known id changes nothing and is told as `known`. */
  async accept(
    draft: Draft,
    extra: (view: MessageView) => readonly Statement[] = () => [],
  ): Promise<Result<MessageView | 'known', Fault>> {
    const recipients = await this.#recipients(draft);
    const full = recipients.every(({ reason }) => reason === 'queue_full') && recipients.length > 0;
    if (full) return err(fault('queue_full'));
    const message = row(draft, Math.floor(this.#context.world.clock.wall()));
    const shown = view(
      message,
      recipients.map((one) => ({ ...one, devices: one.copies.filter(({ state }) => state === 'delivered').length })),
    );
    const { store, bus, world } = this.#context;
    const done = await store.commit([
      ...insertMessage(message, recipients),
      ...acceptedEvents(world, message, recipients),
      ...recipients.flatMap((one) => settled(world, message, one)),
      ...extra(shown),
    ]);
    if (!done.ok) return ok('known');
    bus.publish('event.appended', draft.session === undefined ? {} : { session: draft.session });
    for (const { line } of recipients) if (line !== null) bus.publish('messages.changed', { line });
    return ok(shown);
  }

  async #addressee(party: string): Promise<Addressee | undefined> {
    const { store, config } = this.#context;
    if (party.toLowerCase().startsWith('mailto:')) return { outside: party };
    const line = await lineByParty(store, party, config);
    return line === undefined ? undefined : { line };
  }

  async #recipients({ addressees, delivered = [], session, at }: Draft): Promise<NewRecipient[]> {
    const ids = addressees.flatMap((one) => ('line' in one ? [one.line.id] : []));
    const phones = await this.#devices.ofLines(ids);
    return Promise.all(
      addressees.map(async (one): Promise<NewRecipient> => {
        const open = { reason: null, delivered_at: null, read_at: null, state: 'waiting' as const, copies: [] };
        if ('outside' in one) {
          const failed = one.failed === undefined ? {} : { state: 'failed' as const, reason: one.failed };
          return { ...open, ...failed, party: one.outside, line: null, home: null };
        }
        const { id, number, home } = one.line;
        const to = { ...open, party: number, line: id, home };
        if (delivered.length > 0) {
          const rest = (phones.get(id) ?? []).filter((device) => !delivered.includes(device));
          const copies = [...copiesFor(delivered, 'delivered'), ...copiesFor(rest, 'waiting')];
          return {
            ...to,
            state: 'delivered',
            delivered_at: at ?? Math.floor(this.#context.world.clock.wall()),
            copies,
          };
        }
        if (await this.#isFull(id)) return { ...to, state: 'failed', reason: 'queue_full' };
        // In a call it is for the phone that is in the call.
        const known = session === undefined ? (phones.get(id) ?? []) : [];
        return { ...to, copies: copiesFor(known.length === 0 ? [''] : known, 'waiting') };
      }),
    );
  }

  async #isFull(line: string): Promise<boolean> {
    const row = await this.#context.store.one<{ waiting: number }>(
      "SELECT COUNT(DISTINCT position) AS waiting FROM message_copy WHERE line = ? AND state = 'waiting'",
      [line],
    );
    return (row?.waiting ?? 0) >= QUEUE_LIMIT;
  }
}

/** What is known of a recipient from the start: it has the message, or never will. */
function settled(world: World, message: NewMessage, one: NewRecipient): Statement[] {
  if (one.state !== 'delivered' && one.state !== 'failed') return [];
  const at = one.delivered_at ?? message.created_at;
  return fateEvents(world, message, one, {
    fate: one.state,
    at,
    ...(one.reason === null ? {} : { reason: one.reason }),
  });
}

function copiesFor(devices: readonly string[], state: 'waiting' | 'delivered') {
  return devices.map((device) => ({ device, state }));
}

/** Each line and address once. */
function unique(addressees: readonly Addressee[]): Addressee[] {
  const key = (one: Addressee) => ('line' in one ? one.line.id : one.outside.toLowerCase());
  return [...new Map(addressees.map((one) => [key(one), one])).values()];
}

function row(draft: Draft, now: number): NewMessage {
  const { from, at = now } = draft;
  return {
    id: draft.id,
    kind: 'message',
    origin: draft.origin ?? null,
    from_party: from.number,
    from_name: from.name,
    from_line: from.id,
    from_home: from.home,
    party: draft.to,
    grp: draft.group ?? null,
    session: draft.session ?? null,
    leg: draft.leg ?? null,
    content_type: draft.contentType,
    body: draft.text,
    receipts: draft.receipts,
    created_at: at,
    expires_at: Math.max(now, at) + (draft.expiresIn ?? MESSAGE_LIFE.usual),
  };
}
