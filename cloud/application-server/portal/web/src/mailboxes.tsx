import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction } from './hooks.ts';
import type { House } from './houses.ts';
import { countText } from './text.ts';
import { Button, Card, Empty, Field, Secret, TroubleNote } from './ui.tsx';

type Box = VerbReply<'mailbox.list'>['items'][number];

interface Props {
  readonly boxes: readonly Box[];
  readonly houses: readonly House[];
  readonly changed: () => void;
}

/** The mailboxes, whether they are told of missed calls, and a new one. */
export function Mailboxes({ boxes, houses, changed }: Props) {
  const action = useAction();
  const [fresh, setFresh] = useState<VerbReply<'mailbox.create'> | undefined>();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    const address = String(fields.get('address')).trim().toLowerCase();
    const made = await action.run(() =>
      call('mailbox.create', { home: String(fields.get('home')), address, notices: true }),
    );
    if (made === undefined) return;
    form.reset();
    setFresh(made);
    changed();
  };
  const notices = async (box: Box, wanted: boolean) => {
    await action.run(() => call('mailbox.set', { mailbox: box.id, notices: wanted }));
    changed();
  };
  return (
    <Card title="Mailboxes">
      {boxes.length === 0 && <Empty>No mailbox yet.</Empty>}
      <ul class="list">
        {boxes.map((box) => (
          <li key={box.id}>
            <div class="grow">
              <span class="strong">{box.address}</span>
              <span class="muted">
                {countText(box.unseen, 'new mail', 'new mails')} · {Math.round((100 * box.used) / box.quota)} % full
              </span>
            </div>
            <label class="tick">
              <input
                type="checkbox"
                checked={box.notices}
                disabled={action.busy}
                onChange={(event) => void notices(box, event.currentTarget.checked)}
              />{' '}
              missed calls
            </label>
          </li>
        ))}
      </ul>
      {fresh !== undefined && (
        <div class="note" role="status">
          <p>
            <strong>{fresh.address}</strong> is ready. A mail program signs in with these; the password is not shown
            again.
          </p>
          <dl>
            <Secret label="User name" value={fresh.smtp.username} />
            <Secret label="Password" value={fresh.smtp.password} />
          </dl>
          <Button kind="small" onClick={() => setFresh(undefined)}>
            I have them
          </Button>
        </div>
      )}
      {houses.length > 0 && (
        <details class="more">
          <summary>Add a mailbox</summary>
          <form onSubmit={add}>
            <HomeField label="Home" houses={houses} />
            <Field label="Name" hint="The part before the @">
              {(id, hint) => (
                <input
                  id={id}
                  aria-describedby={hint}
                  name="address"
                  required
                  pattern="[A-Za-z0-9]([A-Za-z0-9._\-]{0,38}[A-Za-z0-9])?"
                  autocapitalize="none"
                  maxLength={40}
                />
              )}
            </Field>
            <Button kind="main" type="submit" busy={action.busy}>
              Add mailbox
            </Button>
          </form>
        </details>
      )}
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}
