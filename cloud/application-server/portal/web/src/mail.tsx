/** Mail of the homes: the mailboxes, what is in them, one mail, and a new one. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useAction, useEvents, useLoad } from './hooks.ts';
import { useHouses } from './houses.ts';
import { Mailboxes } from './mailboxes.tsx';
import { momentText } from './text.ts';
import { Button, Card, Empty, Field, Link, Page, Pill, TroubleNote } from './ui.tsx';

type Summary = VerbReply<'mail.list'>['items'][number];

const folders = ['inbox', 'sent'] as const;

export function MailPage() {
  const houses = useHouses();
  const [folder, setFolder] = useState<(typeof folders)[number]>('inbox');
  const boxes = useLoad('mailboxes', () => call('mailbox.list', { limit: 100 }));
  const mails = useLoad(`mails ${folder}`, () => call('mail.list', { folder, limit: 50 }), 30_000);
  useEvents('home.mail.*', mails.reload);
  return (
    <Page title="Mail" lead="Missed calls, waiting messages, and letters to and from the homes.">
      <TroubleNote trouble={mails.trouble ?? boxes.trouble} />
      <div class="columns">
        <Card title={folder === 'inbox' ? 'Received' : 'Sent'}>
          <fieldset class="switch">
            <legend class="hidden">Folder</legend>
            {folders.map((name) => (
              <label key={name}>
                <input type="radio" name="folder" checked={folder === name} onChange={() => setFolder(name)} />
                <span>{name === 'inbox' ? 'Received' : 'Sent'}</span>
              </label>
            ))}
          </fieldset>
          <MailList mails={mails.value?.items} />
        </Card>
        <div>
          <Compose boxes={boxes.value?.items ?? []} sent={mails.reload} />
          <Mailboxes boxes={boxes.value?.items ?? []} houses={houses.value ?? []} changed={boxes.reload} />
        </div>
      </div>
    </Page>
  );
}

function MailList({ mails }: { mails: readonly Summary[] | undefined }) {
  if (mails === undefined) return <Empty>Looking…</Empty>;
  if (mails.length === 0) return <Empty>No mail here.</Empty>;
  return (
    <ul class="list">
      {mails.map((mail) => (
        <li key={mail.id}>
          <div class="grow">
            <Link to={`/mail/${mail.id}`} class={mail.seen ? 'plain' : 'strong'}>
              {mail.subject || '(no subject)'}
            </Link>
            <span class="muted">{mail.folder === 'inbox' ? `from ${mail.from}` : `to ${mail.to.join(', ')}`}</span>
          </div>
          <span class="muted">{momentText(mail.at)}</span>
          {!mail.seen && mail.folder === 'inbox' && <Pill tone="busy">new</Pill>}
        </li>
      ))}
    </ul>
  );
}

function Compose({ boxes, sent }: { boxes: VerbReply<'mailbox.list'>['items']; sent: () => void }) {
  const action = useAction();
  const [done, setDone] = useState('');
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = (name: string) => String(new FormData(form).get(name) ?? '').trim();
    const to = field('to')
      .split(/[\s,;]+/)
      .filter(Boolean);
    const mail = await action.run(() =>
      call('mail.send', { mailbox: field('mailbox'), to, subject: field('subject'), text: field('text') }),
    );
    setDone(mail === undefined ? '' : mail.state === 'queued' ? 'On its way.' : 'Delivered.');
    if (mail === undefined) return;
    form.reset();
    sent();
  };
  return (
    <Card title="Write">
      {boxes.length === 0 ? (
        <Empty>Make a mailbox below first.</Empty>
      ) : (
        <form onSubmit={send}>
          <Field label="From">
            {(id) => (
              <select id={id} name="mailbox">
                {boxes.map((box) => (
                  <option key={box.id} value={box.id}>
                    {box.address}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="To" hint="Several with commas">
            {(id, hint) => (
              <input id={id} aria-describedby={hint} name="to" inputMode="email" autocapitalize="none" required />
            )}
          </Field>
          <Field label="Subject">{(id) => <input id={id} name="subject" maxLength={256} />}</Field>
          <Field label="Text">{(id) => <textarea id={id} name="text" rows={5} required maxLength={100_000} />}</Field>
          <Button kind="main" type="submit" busy={action.busy}>
            Send mail
          </Button>
        </form>
      )}
      <p role="status" class="muted">
        {done}
      </p>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}
