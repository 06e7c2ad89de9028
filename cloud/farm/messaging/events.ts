/** What people and applications hear of a message: `home.message.v1.…`, once for every home that it concerns. */
import { eventRow } from '#cloud/store/event-log.ts';
import type { Statement } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { MessageRow, RecipientRow } from './rows.ts';

export type Fate = 'delivered' | 'read' | 'expired' | 'failed';

type About = Pick<
  MessageRow,
  'id' | 'session' | 'leg' | 'from_party' | 'from_home' | 'party' | 'content_type' | 'body' | 'created_at'
>;
type Recipient = Pick<RecipientRow, 'home' | 'party'>;

/** It is kept and on its way; with its text. */
export function acceptedEvents(
  world: Pick<World, 'clock' | 'random'>,
  message: About,
  recipients: readonly Recipient[],
): Statement[] {
  return rows(world, 'accepted', message, recipients, {
    to: message.party,
    contentType: message.content_type,
    text: message.body,
    at: message.created_at,
    ...(message.leg === null ? {} : { leg: message.leg }),
  });
}

/** What became of it for one recipient. `reason` is a fault's code. */
export function fateEvents(
  world: Pick<World, 'clock' | 'random'>,
  message: About,
  recipient: Recipient,
  { fate, at, reason }: { readonly fate: Fate; readonly at: number; readonly reason?: string },
): Statement[] {
  const data = { to: recipient.party, at, ...(reason === undefined ? {} : { reason }) };
  return rows(world, fate, message, [recipient], data);
}

function rows(
  world: Pick<World, 'clock' | 'random'>,
  what: Fate | 'accepted',
  message: About,
  recipients: readonly Recipient[],
  data: object,
): Statement[] {
  const homes = new Set([message.from_home, ...recipients.map(({ home }) => home)].filter((home) => home !== null));
  return [...homes].map((home) =>
    eventRow(world, {
      type: `home.message.v1.${what}`,
      home,
      ...(message.session === null ? {} : { session: message.session }),
      subject: message.id,
      data: { message: message.id, from: message.from_party, ...data },
    }),
  );
}
