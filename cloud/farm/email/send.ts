/** Mails that our own people write by the API, and mails that the operator's programs write to a mailbox. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { fromBase64 } from '#shared/kernel/base64.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Attachment, compose } from './compose.ts';
import { localsOf, mailboxById, mainMailbox } from './mailboxes.ts';
import { octetFault } from './octets.ts';
import { command, type MailboxRow, makeId, type Office, type Plan, seesRow } from './parts.ts';
import { announce, type Posted, planPosting } from './post.ts';

/** Recipients that one mailbox may write to: 600 an hour, 120 at once. */
export const RECIPIENT_RATE: Rate = { perSecond: 600 / 3600, burst: 120 };

/** How much each mailbox may send, over all the ways in. */
export class SendingBudget {
  readonly #budget = new Budget();

  /** Takes one for each recipient; a fault names the wait. What was taken of a refused mail stays taken. */
  take(mailbox: string, recipients: number, now: number): Fault | undefined {
    for (let i = 0; i < recipients; i++) {
      const wait = this.#budget.take(mailbox, RECIPIENT_RATE, now);
      if (wait > 0)
        return fault('rate_limited', 'A mailbox may write to 600 recipients an hour.', { retryAfter: wait });
    }
    return undefined;
  }
}

export function sendHandler(office: Office, budget: SendingBudget): Handlers<'email'>['mail.send'] {
  return async (request, context) => {
    let posted: { readonly box: MailboxRow; readonly queued: boolean } | undefined;
    const outcome = await command<'mail.send'>(office, context, async () => {
      const box = await senderOf(office, request, context);
      if (!box.ok) return box;
      const limited =
        posted === undefined ? budget.take(box.value.id, request.to.length, office.world.clock.mono()) : undefined;
      if (limited !== undefined) return err(limited);
      const planned = await planMail(office, request, box.value);
      if (planned.ok) posted = { box: box.value, queued: planned.value.reply.state === 'queued' };
      return planned;
    });
    if (outcome.ok && posted !== undefined) {
      announce(office, posted.box.home);
      if (posted.queued) office.wakeQueue();
    }
    return outcome;
  };
}

/** The mailbox that a request sends from. */
async function senderOf(
  { store }: Office,
  { mailbox, home }: VerbRequest<'mail.send'>,
  context: Context,
): Promise<Result<MailboxRow, Fault>> {
  if (mailbox !== undefined) {
    const box = await mailboxById(store, mailbox);
    const fits = box !== undefined && seesRow(context, box.home) && (home === undefined || box.home === home);
    return fits ? ok(box) : err(fault('not_found'));
  }
  if (home === undefined)
    return err(fault('bad_request', 'Name the mailbox that sends, or its home.', { pointer: '/mailbox' }));
  if (!sees(context.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
  const main = await mainMailbox(store, home);
  return main === undefined ? err(fault('mailbox_missing')) : ok(main);
}

async function planMail(
  office: Office,
  request: VerbRequest<'mail.send'>,
  box: MailboxRow,
): Promise<Plan<'mail.send'>> {
  const { world, domain, store } = office;
  const attachments: Attachment[] = [];
  for (const [i, { name, type, content }] of (request.attachments ?? []).entries()) {
    const octets = fromBase64(content);
    if (octets === undefined)
      return err(fault('bad_request', 'The content is no base 64.', { pointer: `/attachments/${i}/content` }));
    attachments.push({ name, type, octets });
  }
  const address = `${(await localsOf(store, box.id))[0] ?? 'nobody'}@${domain}`;
  const messageId = newMessageId(office);
  const raw = compose(
    {
      from: { name: box.name, address },
      to: request.to,
      subject: request.subject,
      text: request.text,
      ...(request.html === undefined ? {} : { html: request.html }),
      attachments,
      messageId,
      at: world.clock.wall(),
    },
    base32(world.random.bytes(15)),
  );
  const wrong = octetFault(raw);
  if (wrong !== undefined) return err(fault('too_large', wrong.text));
  const posted = await planPosting(office, {
    raw,
    sender: address,
    recipients: request.to,
    from: address,
    subject: request.subject,
    messageId,
    sentBy: box,
  });
  if (!posted.ok) return posted;
  const { mail, queued, statements } = posted.value;
  return ok({ reply: { id: mail, state: queued ? 'queued' : 'delivered', messageId }, statements });
}

/** A Message-ID of ours, without its brackets. */
export function newMessageId({ world, domain }: Pick<Office, 'world' | 'domain'>): string {
  return `${makeId(world, 'mail')}@${domain}`;
}

export interface Note {
  readonly subject: string;
  readonly text: string;
}

/** A mail that the operator's programs write to one of our mailboxes: null sender, no copy. */
export async function planNote(office: Office, box: MailboxRow, note: Note): Promise<Result<Posted, Fault>> {
  const { world, domain, store } = office;
  const address = `${(await localsOf(store, box.id))[0] ?? ''}@${domain}`;
  const messageId = newMessageId(office);
  const from = `noreply@${domain}`;
  const draft = { from: { name: 'Hearthline', address: from }, to: [address], messageId, at: world.clock.wall() };
  const raw = compose({ ...draft, ...note, automatic: true }, base32(world.random.bytes(15)));
  return planPosting(office, { raw, sender: '', recipients: [address], from, subject: note.subject, messageId });
}
