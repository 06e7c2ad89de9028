/**
 * The messaging server: one message resource over SIP MESSAGE and the open API. A message is durable before it is accepted, waits
 * for every phone that is to have it, and tells what became of it also to a sender who is off.
 */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { type LineRow, lineById, lineByParty, sees, visibleHomes } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { sql } from '#cloud/store/store.ts';
import { PLAIN_TYPE, tooLarge } from '#shared/call/submission.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Courier } from './courier.ts';
import type { Desk } from './desk.ts';
import { Devices } from './devices.ts';
import { watchExpiry } from './expiry.ts';
import { groupHandlers } from './groups.ts';
import { type Addressee, Intake } from './intake.ts';
import { listMessages } from './listing.ts';
import { startMailing } from './mailing.ts';
import { derivedId, Outcomes } from './outcomes.ts';
import { type MessageView, messageById, recipientsOf, seenBy, view } from './rows.ts';
import { submitHandler } from './submit.ts';

export const messaging: Part = {
  name: 'messaging',
  async start(context) {
    const { bus, store, world } = context;
    const devices = new Devices(store, bus, world.clock);
    const courier = new Courier(context, devices);
    const outcomes = new Outcomes(context, devices, (line) => courier.wake(line));
    const mailing = startMailing(context, outcomes);
    const desk: Desk = {
      context,
      outcomes,
      intake: new Intake(context, devices),
      wake: (addressees) => {
        for (const one of addressees) if ('line' in one) courier.wake(one.line.id);
        if (addressees.some((one) => 'outside' in one)) mailing.wake();
      },
    };
    const leave = [
      bus.serve('messaging', { ...handlers(desk), ...groupHandlers(context), 'message.submit': submitHandler(desk) }),
      bus.subscribe('line.registered', ({ line, devices: here }) => {
        devices.seen(line, here).catch((error: unknown) => {
          world.log.error('messaging.devices-not-kept', { error: String(error) });
        });
        courier.registered(line);
      }),
      watchExpiry(context, outcomes),
    ];
    await courier.start(outcomes);
    return {
      health: () => ({ state: 'running', load: 0, legs: courier.size }),
      async stop() {
        for (const stop of leave.splice(0)) stop();
        courier.stop();
        mailing.stop();
      },
    };
  },
};

type Verbs = 'message.send' | 'message.list' | 'message.get' | 'message.read' | 'message.delete' | 'message.leg';

const NOT_FOUND = err(fault('not_found', 'There is no such message, or not for this credential.'));

function handlers(desk: Desk): Pick<Handlers<'messaging'>, Verbs> {
  const { context, intake, outcomes, wake } = desk;
  const { store, world, config } = context;

  /** The message as the asker sees it; undefined where it does not. */
  async function find(id: string, { principal }: Context): Promise<MessageView | undefined> {
    const row = await messageById(store, id);
    if (row === undefined || row.kind !== 'message') return undefined;
    const all = await recipientsOf(store, [id]);
    const seen = seenBy(principal, row, all);
    if (seen.length === 0 && all.length > 0) return undefined;
    const homes = visibleHomes(principal);
    if (homes === 'all') return view(row, seen);
    const marks = homes.map(() => '?').join(', ');
    const kept = await store.one(`SELECT message FROM message_home WHERE message = ? AND home IN (${marks}) LIMIT 1`, [
      id,
      ...homes,
    ]);
    return kept === undefined ? undefined : view(row, seen);
  }

  async function sender(party: string, { principal }: Context): Promise<LineRow | undefined> {
    const line = await lineByParty(store, party, config);
    return line !== undefined && sees(principal, line.home) ? line : undefined;
  }

  return {
    async 'message.send'(request, asked) {
      const before = await repeated<'message.send'>(store, asked);
      if (before !== undefined) return before;
      const content = readContent(request);
      if (!content.ok) return content;
      const from = await sender(request.from, asked);
      if (from === undefined)
        return err(fault('not_found', 'There is no such line to send from.', { pointer: '/from' }));
      const limited = intake.admit(from);
      if (limited !== undefined) return err(limited);
      const to = request.group ?? request.to ?? '';
      const addressees = await intake.addressees(to, from);
      if (!addressees.ok) return addressees;
      const id = newId('msg', world.clock.wall(), world.random.bytes(10));
      const accepted = await intake.accept(
        {
          ...{ id, from, to, addressees: addressees.value, ...content.value },
          ...(request.group === undefined ? {} : { group: request.group }),
          receipts: request.receipts === true ? 'positive-delivery,display' : '',
          ...(request.expiresIn === undefined ? {} : { expiresIn: request.expiresIn }),
        },
        (shown) => remember<'message.send'>(asked, ok(shown), world.clock.wall()),
      );
      return finish(accepted, addressees.value, asked);
    },

    async 'message.list'(request, { principal }) {
      if (request.home !== undefined && !sees(principal, request.home)) return err(fault('not_found'));
      return ok(await listMessages(store, principal, request));
    },

    async 'message.get'({ message }, asked) {
      const shown = await find(message, asked);
      return shown === undefined ? NOT_FOUND : ok(shown);
    },

    async 'message.read'({ message }, asked) {
      const before = await repeated<'message.read'>(store, asked);
      if (before !== undefined) return before;
      const shown = await find(message, asked);
      if (shown === undefined) return NOT_FOUND;
      const at = Math.floor(world.clock.wall());
      for (const { line, home } of shown.recipients) {
        if (line !== undefined && home !== undefined && sees(asked.principal, home))
          await outcomes.tell(message, line, { fate: 'read', at });
      }
      const after = await find(message, asked);
      if (after === undefined) return NOT_FOUND;
      // Reading again changes nothing, so the key may come after the effect.
      await store.commit(remember<'message.read'>(asked, ok(after), at));
      return ok(after);
    },

    async 'message.delete'({ message }, asked) {
      const shown = await find(message, asked);
      if (shown === undefined) return NOT_FOUND;
      const homes = new Set([shown.from.home, ...shown.recipients.map(({ home }) => home)]);
      const own = [...homes].filter((home) => home !== undefined && sees(asked.principal, home)) as string[];
      await store.commit(
        own.map((home) => sql('DELETE FROM message_home WHERE message = ? AND home = ?', message, home)),
      );
      return ok({});
    },

    async 'message.leg'({ session, leg, from: line, to, text }, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const from = await lineById(store, line);
      const addressees = await intake.lines(to);
      if (from === undefined || addressees.length === 0) return err(fault('callee_unknown'));
      const large = tooLarge(text);
      if (large !== undefined) return err(large);
      const id = derivedId(world.crypto, 'leg', session, leg);
      const accepted = await intake.accept({
        ...{ id, from, to: session, addressees, session, leg, text, contentType: PLAIN_TYPE, receipts: '' },
      });
      return finish(accepted, addressees, { principal }, id);
    },
  };

  async function finish(
    accepted: Result<MessageView | 'known', Fault>,
    addressees: readonly Addressee[],
    asked: Context,
    id?: string,
  ): Promise<Outcome<'message.send'>> {
    if (!accepted.ok) return accepted;
    wake(addressees);
    if (accepted.value !== 'known') return ok(accepted.value);
    // The same key, or the same leg, at the same moment: the other was first.
    const shown = id === undefined ? undefined : await find(id, asked);
    return shown === undefined ? ((await repeated<'message.send'>(store, asked)) ?? NOT_FOUND) : ok(shown);
  }
}

function readContent({
  text,
  body,
  contentType,
  to,
  group,
}: VerbRequest<'message.send'>): Result<{ readonly text: string; readonly contentType: string }, Fault> {
  if ((to === undefined) === (group === undefined))
    return err(fault('bad_request', 'A message is either to a party or to a group.', { pointer: '/to' }));
  if ((text === undefined) === (body === undefined))
    return err(fault('bad_request', 'A message has either a text or a body.', { pointer: '/text' }));
  if (text !== undefined && contentType !== undefined)
    return err(fault('bad_request', 'A text is text/plain; another type needs a body.', { pointer: '/contentType' }));
  const content = text ?? body ?? '';
  const type = contentType ?? PLAIN_TYPE;
  // These have a meaning of their own on the way to a phone.
  if (/^(message\/|multipart\/|application\/sdp)/i.test(type)) return err(fault('message_content'));
  const large = tooLarge(content);
  return large === undefined ? ok({ text: content, contentType: type }) : err(large);
}
