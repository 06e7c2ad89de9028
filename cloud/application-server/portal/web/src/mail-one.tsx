import { useEffect } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { go } from './route.ts';
import { momentText } from './text.ts';
import { Button, Card, Link, Page, Pill, TroubleNote } from './ui.tsx';

type Mail = VerbReply<'mail.get'>;

/** One mail as plain text: what its sender wrote as HTML is never shown as a page. */
export function MailOne({ id }: { id: string }) {
  const mail = useLoad(`mail ${id}`, () => call('mail.get', { mail: id }));
  const action = useAction();
  const one = mail.value;
  useEffect(() => {
    if (one !== undefined && !one.seen) void call('mail.mark', { mail: id, seen: true });
  }, [one, id]);
  const remove = async () => {
    if ((await action.run(() => call('mail.delete', { mail: id }))) !== undefined) go('/mail');
  };
  if (one === undefined)
    return (
      <Page title="Mail">
        <TroubleNote trouble={mail.trouble} />
      </Page>
    );
  return (
    <Page
      title={one.subject || '(no subject)'}
      lead={<Link to="/mail">All mail</Link>}
      actions={
        <Button kind="danger" busy={action.busy} onClick={() => void remove()}>
          Delete
        </Button>
      }
    >
      <TroubleNote trouble={action.trouble} />
      <Card title={one.from} aside={<span class="muted">{momentText(one.at)}</span>}>
        <p class="muted">To {one.to.join(', ')}</p>
        {one.checks !== undefined && <Checks checks={one.checks} />}
        <p class="letter">{one.text || (one.html === undefined ? '' : textOf(one.html))}</p>
        {one.cut && <p class="muted">The rest is cut: the mail is very long.</p>}
        <Attachments mail={one} />
      </Card>
      {one.recipients.length > 0 && (
        <Card title="What became of it">
          <ul class="list">
            {one.recipients.map((recipient) => (
              <li key={recipient.address}>
                <div class="grow">
                  <span class="strong">{recipient.address}</span>
                  {recipient.detail !== undefined && <span class="muted">{recipient.detail}</span>}
                </div>
                <Pill tone={recipient.state === 'delivered' ? 'good' : recipient.state === 'queued' ? 'busy' : 'bad'}>
                  {recipient.state}
                </Pill>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </Page>
  );
}

/** Whether the sender is who it says, by SPF, DKIM and DMARC. */
function Checks({ checks }: { checks: NonNullable<Mail['checks']> }) {
  return (
    <p class="row">
      {Object.entries(checks).map(([name, verdict]) => (
        <Pill key={name} tone={verdict === 'pass' ? 'good' : verdict === 'fail' ? 'bad' : 'quiet'}>
          {name.toUpperCase()} {verdict}
        </Pill>
      ))}
    </p>
  );
}

function Attachments({ mail }: { mail: Mail }) {
  const action = useAction();
  const save = async (attachment: Mail['attachments'][number]) => {
    const file = await action.run(() => call('mail.attachment', { mail: mail.id, attachment: attachment.id }));
    if (file === undefined) return;
    const octets = Uint8Array.from(atob(file.content), (one) => one.charCodeAt(0));
    // Whatever it says it is, the browser only saves it.
    const url = URL.createObjectURL(new Blob([octets], { type: 'application/octet-stream' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = file.name;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <>
      <ul class="list">
        {mail.attachments.map((attachment) => (
          <li key={attachment.id}>
            <div class="grow">
              <span class="strong">{attachment.name}</span>
              <span class="muted">
                {attachment.type}, {Math.ceil(attachment.size / 1024)} kB
              </span>
            </div>
            <Button kind="small" busy={action.busy} onClick={() => void save(attachment)}>
              Save
            </Button>
          </li>
        ))}
      </ul>
      <TroubleNote trouble={action.trouble} />
    </>
  );
}

/** The words of an HTML mail; nothing of it is run or loaded. */
function textOf(html: string): string {
  return new DOMParser().parseFromString(html, 'text/html').body.textContent ?? '';
}
