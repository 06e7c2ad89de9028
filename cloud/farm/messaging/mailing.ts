/**
 * The channel for addresses outside: a message to `mailto:a@b` goes out as a mail of the sender's home, once: the e-mail server knows it
 * by its key. (That a message waits for a line is told to the home's mailbox by the e-mail server itself.)
 */
import type { PartContext } from '#cloud/bus/part.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { every } from '#shared/kernel/time.ts';
import { faults } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { SELF } from './devices.ts';
import type { Outcomes } from './outcomes.ts';
import type { MessageRow } from './rows.ts';

/** Milliseconds between two looks for mails that could not be handed over. */
const LOOK_EVERY = 15_000;
const AT_ONCE = 100;
/** Characters of the text that make the subject. */
const SUBJECT_LIMIT = 60;

type Waiting = Pick<MessageRow, 'id' | 'from_party' | 'from_name' | 'from_home' | 'body'> & {
  readonly n: number;
  readonly party: string;
};

export interface Mailing {
  /** Something waits, perhaps. */
  wake(): void;
  stop(): void;
}

export function startMailing(context: PartContext, outcomes: Outcomes): Mailing {
  const { bus, world } = context;
  let looking = false;
  let again = false;
  let stopped = false;

  async function look(): Promise<void> {
    for (const row of await outside(context)) if (!stopped) await hand(context, outcomes, row);
  }

  function wake(): void {
    again = true;
    if (looking || stopped || !bus.has('email')) return;
    looking = true;
    again = false;
    look()
      .catch((error: unknown) => world.log.error('messaging.mail-failed', { error: String(error) }))
      .finally(() => {
        looking = false;
        if (again) wake();
      });
  }

  const leave = every(world.clock, LOOK_EVERY, wake);
  wake();
  return {
    wake,
    stop() {
      stopped = true;
      leave();
    },
  };
}

/** Messages for addresses outside that are not handed over yet. */
function outside({ store, world }: PartContext): Promise<Waiting[]> {
  return store.all<Waiting>(
    `SELECT m.id, m.from_party, m.from_name, m.from_home, m.body, r.n, r.party FROM message_recipient r JOIN message m ON m.id = r.message WHERE r.state = 'waiting' AND r.line IS NULL AND r.expires_at > ? ORDER BY m.position LIMIT ${AT_ONCE}`,
    [Math.floor(world.clock.wall())],
  );
}

async function hand(context: PartContext, outcomes: Outcomes, row: Waiting): Promise<void> {
  const sent = await send(context, row);
  const at = Math.floor(context.world.clock.wall());
  if (sent.ok) await outcomes.tell(row.id, row.n, { fate: 'delivered', at });
  else if (faults[sent.fault.code].retry === 'never')
    await outcomes.tell(row.id, row.n, { fate: 'failed', at, reason: sent.fault.code });
}

function send({ bus, world }: PartContext, row: Waiting) {
  const subject = `${row.from_name ?? row.from_party}: ${firstLine(row.body)}`;
  const request: VerbRequest<'mail.send'> = {
    ...{ to: [row.party.slice('mailto:'.length)], subject, text: row.body },
    ...(row.from_home === null ? {} : { home: row.from_home }),
  };
  const bodyHash = hex(world.crypto.hash('sha256', utf8(JSON.stringify(request))));
  const idempotency = { scope: 'messaging', key: `${row.id}.${row.n}`, bodyHash };
  return bus.request('mail.send', request, { ...SELF, idempotency });
}

/** The beginning of a text as a subject. */
function firstLine(body: string): string {
  let line = '';
  for (const char of body.slice(0, SUBJECT_LIMIT)) {
    if (char === '\n') break;
    line += char < ' ' || char === '\x7f' ? ' ' : char;
  }
  return line;
}
