/** Addresses of installed applications: a mail to `app+tag@domain` starts the application that asked for the tag. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { sql, sqlOne } from '#cloud/store/store.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { insertAddress, insertMailbox } from './mailboxes.ts';
import { command, makeId, type Office } from './parts.ts';
import { dropRaw } from './post.ts';

interface TagRow {
  readonly tag: string;
  readonly home: string;
  readonly subject: string;
  readonly mailbox: string;
}

export function tagHandlers(office: Office): Pick<Handlers<'email'>, 'mail.tag.create' | 'mail.tag.remove'> {
  const { store, world, domain } = office;
  const find = (tag: string) => store.one<TagRow>('SELECT * FROM mail_tag WHERE tag = ?', [tag]);
  return {
    'mail.tag.create': ({ home, subject, tag = base32(world.random.bytes(10)) }, context) =>
      command<'mail.tag.create'>(office, context, async () => {
        if (!sees(context.principal, home) || (await homeById(store, home)) === undefined)
          return err(fault('not_found'));
        const address = `app+${tag}@${domain}`;
        const known = await find(tag);
        if (known !== undefined) {
          if (known.home !== home || known.subject !== subject) return err(fault('mail_address_taken'));
          return ok({ reply: { tag, address, mailbox: known.mailbox }, statements: [] });
        }
        const id = makeId(world, 'mbx');
        const row = { id, home, line: null, kind: 'application', name: address, notices: 0 } as const;
        return ok({
          reply: { tag, address, mailbox: id },
          statements: [
            ...insertMailbox({ ...row, created_at: world.clock.wall() }),
            insertAddress(`app+${tag}`, id, 0),
            sql('INSERT INTO mail_tag (tag, home, subject, mailbox) VALUES (?, ?, ?, ?)', tag, home, subject, id),
          ],
        });
      }),
    'mail.tag.remove': ({ tag }, context) =>
      command<'mail.tag.remove'>(office, context, async () => {
        const known = await find(tag);
        if (known === undefined || !sees(context.principal, known.home)) return ok({ reply: {}, statements: [] });
        const mine = 'SELECT raw FROM mail WHERE mailbox = ?';
        const raws = await store.all<{ raw: string }>(mine, [known.mailbox]);
        return ok({
          reply: {},
          statements: [
            sqlOne('DELETE FROM mail_tag WHERE tag = ?', tag),
            sql('DELETE FROM mail_address WHERE mailbox = ?', known.mailbox),
            sql('DELETE FROM mail WHERE mailbox = ?', known.mailbox),
            sql('DELETE FROM mailbox WHERE id = ?', known.mailbox),
            ...raws.map(({ raw }) => dropRaw(raw)),
          ],
        });
      }),
  };
}
