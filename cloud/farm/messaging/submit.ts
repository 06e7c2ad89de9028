/** `message.submit`: what a phone sent, told by the softswitch at once or by its gateway later. */
import type { Context, Handler, Outcome } from '#cloud/bus/bus.ts';
import { lineById, lineByParty } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { PLAIN_TYPE, readSubmission, type Submission } from '#shared/call/submission.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { MESSAGE_LIFE } from '#shared/protocol/verbs/messaging.ts';
import type { Imdn } from '#shared/sip/imdn.ts';
import type { Desk } from './desk.ts';
import { derivedId } from './outcomes.ts';

type Request = VerbRequest<'message.submit'>;
type Submit = Handler<'message.submit'>;

const FATES: Readonly<Partial<Record<Imdn['status'], 'delivered' | 'read'>>> = {
  delivered: 'delivered',
  displayed: 'read',
};

export function submitHandler(desk: Desk): Submit {
  const { store, world } = desk.context;
  return async (request, asked) => {
    const before = await repeated<'message.submit'>(store, asked);
    if (before !== undefined) return before;
    const { principal } = asked;
    const line = await lineById(store, request.line);
    if (principal.kind !== 'part' && principal.kind !== 'gateway') return err(fault('forbidden'));
    // A gateway speaks for the lines of its own home alone.
    if (line === undefined || (principal.kind === 'gateway' && line.home !== principal.home))
      return err(fault('not_found', 'There is no such line.'));
    const read = readSubmission(request.contentType, request.body);
    if (!read.ok) return read;
    if (read.value.is === 'receipt') return takeReceipt(desk, request, read.value.imdn);
    const limited = desk.intake.admit(line);
    if (limited !== undefined) return err(limited);
    return takeText(desk, { ...request, text: read.value }, line, asked, world.clock.wall());
  };
}

/**
 * A phone says that a message has been delivered or read on its line; only that line's phones can. It names the message as it got it:
 * by our id, or, where the house switched it, by the sender's own.
 */
async function takeReceipt(
  desk: Desk,
  { line, to = '', delivered = [] }: Request,
  imdn: Imdn,
): Promise<Outcome<'message.submit'>> {
  const { store, world, config } = desk.context;
  const fate = FATES[imdn.status];
  const sender = await lineByParty(store, to, config);
  const own = sender === undefined ? '' : derivedId(world.crypto, sender.id, 'cpim', imdn.messageId);
  const known = await store.one<{ message: string }>(
    'SELECT message FROM message_recipient WHERE message IN (?, ?) AND line = ?',
    [imdn.messageId, own, line],
  );
  if (known === undefined) return err(fault('not_found', 'There is no such message for this line.'));
  const at = Math.floor(world.clock.wall());
  if (fate !== undefined) await desk.outcomes.tell(known.message, line, { fate, at, quiet: delivered.length > 0 });
  return ok({ id: known.message });
}

async function takeText(
  desk: Desk,
  request: Request & { readonly text: Extract<Submission, { is: 'text' }> },
  from: NonNullable<Awaited<ReturnType<typeof lineById>>>,
  asked: Context,
  wall: number,
): Promise<Outcome<'message.submit'>> {
  const { context, intake, wake } = desk;
  const { to = '', lines, callId, cseq, leg, at, delivered, text, expiresIn } = request;
  const { crypto } = context.world;
  // A phone that sends again after silence keeps the Message-ID, or else Call-ID and CSeq (RFC 5438 section 6.3, RFC 3261 section 8.1.1).
  const name = text.origin === undefined ? ['sip', callId, String(cseq)] : ['cpim', text.origin];
  const id = derivedId(crypto, from.id, ...name);
  if ((await context.store.one('SELECT id FROM message WHERE id = ?', [id])) !== undefined) return ok({ id });
  const found = lines === undefined ? await intake.addressees(to, from) : ok(await intake.lines(lines));
  // Its phone was told 202 while the gateway was cut off: the refusal has to show somewhere.
  const late =
    !found.ok && asked.principal.kind === 'gateway' ? [{ outside: to, failed: found.fault.code }] : undefined;
  if (!found.ok && late === undefined) return found;
  const addressees = found.ok ? found.value : (late ?? []);
  if (addressees.length === 0) return err(fault('callee_unknown', 'Nobody else is there.'));
  const session = request.session ?? houseSession(crypto, from.home, request.call);
  const outcome = ok({ id });
  const accepted = await intake.accept(
    {
      ...{ id, from, to: to === '' ? (session ?? '') : to, addressees, contentType: PLAIN_TYPE },
      ...{ text: text.text, receipts: text.receipts },
      ...(to.startsWith('grp_') ? { group: to } : {}),
      ...(text.origin === undefined ? {} : { origin: text.origin }),
      ...(session === undefined ? {} : { session }),
      ...(leg === undefined ? {} : { leg }),
      ...(expiresIn === undefined ? {} : { expiresIn: bounded(expiresIn) }),
      ...(delivered === undefined || delivered.length === 0 ? {} : { delivered }),
      // What a gateway kept while it was cut off was sent then, and never later than now.
      ...(at === undefined ? {} : { at: Math.min(at, Math.floor(wall)) }),
    },
    () => remember<'message.submit'>(asked, outcome, wall),
  );
  if (!accepted.ok) return accepted;
  wake(addressees);
  return outcome;
}

/** The session that a house call gets when its gateway tells of it, by the same rule (`voice.report`). */
function houseSession(crypto: Parameters<typeof derivedId>[0], home: string, call: string | undefined) {
  if (call === undefined) return undefined;
  return `ses_${base32(crypto.hash('sha256', utf8(`${home} ${call} `))).slice(0, 26)}`;
}

const bounded = (life: number) => Math.min(Math.max(life, MESSAGE_LIFE.shortest), MESSAGE_LIFE.longest);
