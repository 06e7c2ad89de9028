import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction, useLoad } from './hooks.ts';
import { useHouses } from './houses.ts';
import { countText, timeText } from './text.ts';
import { Button, Card, Empty, Field, Pill, Secret, type Tone, TroubleNote } from './ui.tsx';

type Hook = VerbReply<'webhook.list'>['items'][number];

/** Webhooks with what became of their last deliveries. */
export function Webhooks() {
  const hooks = useLoad('webhooks', () => call('webhook.list', { limit: 100 }), 10_000);
  const houses = useHouses();
  const [fresh, setFresh] = useState<VerbReply<'webhook.create'> | undefined>();
  const action = useAction();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = (name: string) => String(new FormData(form).get(name) ?? '').trim();
    const types = field('types')
      .split(/[\s,]+/)
      .filter(Boolean);
    const made = await action.run(() =>
      call('webhook.create', {
        ...(field('home') === '' ? {} : { home: field('home') }),
        url: field('url'),
        ...(types.length === 0 ? {} : { types }),
      }),
    );
    if (made === undefined) return;
    form.reset();
    setFresh(made);
    hooks.reload();
  };
  return (
    <Card title="Webhooks">
      <TroubleNote trouble={hooks.trouble} />
      {hooks.value?.items.length === 0 && <Empty>No webhook yet.</Empty>}
      <ul class="list">
        {hooks.value?.items.map((hook) => (
          <HookRow key={hook.id} hook={hook} changed={hooks.reload} />
        ))}
      </ul>
      {fresh?.secret !== undefined && (
        <div class="note" role="status">
          <p>Check every delivery’s signature with this secret; it is not shown again.</p>
          <dl>
            <Secret label="Secret" value={fresh.secret} />
          </dl>
          <Button kind="small" onClick={() => setFresh(undefined)}>
            I have it
          </Button>
        </div>
      )}
      <details class="more">
        <summary>Add a webhook</summary>
        <form onSubmit={add}>
          <HomeField label="Home" houses={houses.value} />
          <Field label="URL">
            {(id) => <input id={id} name="url" type="url" required maxLength={1024} placeholder="https://" />}
          </Field>
          <Field label="Events" hint="For example home.message.*; empty for all">
            {(id, hint) => <input id={id} aria-describedby={hint} name="types" autocapitalize="none" />}
          </Field>
          <Button kind="main" type="submit" busy={action.busy}>
            Add webhook
          </Button>
        </form>
      </details>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}

function HookRow({ hook, changed }: { hook: Hook; changed: () => void }) {
  const action = useAction();
  const [open, setOpen] = useState(false);
  const test = async () => {
    await action.run(() => call('webhook.test', { webhook: hook.id }));
    setOpen(true);
    changed();
  };
  const remove = async () => {
    if (!confirm('Remove this webhook and what still waits for it?')) return;
    await action.run(() => call('webhook.delete', { webhook: hook.id }));
    changed();
  };
  return (
    <li>
      <div class="grow">
        <span class="strong cut">{hook.url}</span>
        <span class="muted">
          {hook.types.join(', ') || 'all events'} · {hook.pending} waiting ·{' '}
          {countText(hook.dead, 'given up', 'given up')}
        </span>
      </div>
      <Button kind="small" busy={action.busy} onClick={() => void test()} aria-label={`Test ${hook.url}`}>
        Test
      </Button>
      <Button kind="small" aria-expanded={open} onClick={() => setOpen(!open)} aria-label={`Deliveries to ${hook.url}`}>
        Deliveries
      </Button>
      <Button kind="small" busy={action.busy} onClick={() => void remove()} aria-label={`Remove ${hook.url}`}>
        Remove
      </Button>
      {open && <Deliveries webhook={hook.id} />}
      <TroubleNote trouble={action.trouble} />
    </li>
  );
}

const tones: Readonly<Record<string, Tone>> = { pending: 'busy', delivered: 'good', dead: 'bad' };

function Deliveries({ webhook }: { webhook: string }) {
  const deliveries = useLoad(`deliveries ${webhook}`, () => call('delivery.list', { webhook, limit: 20 }), 3000);
  const action = useAction();
  const replay = async (delivery: string) => {
    await action.run(() => call('delivery.replay', { webhook, delivery }));
    deliveries.reload();
  };
  return (
    <ul class="list wide">
      {deliveries.value?.items.map((delivery) => (
        <li key={delivery.id}>
          <div class="grow">
            <code>{delivery.type}</code>
            <span class="muted">
              {timeText(delivery.createdAt)} · {countText(delivery.attempts, 'try', 'tries')}
              {delivery.error === undefined ? '' : ` · ${delivery.error}`}
            </span>
          </div>
          <Pill tone={tones[delivery.state] ?? 'quiet'}>{delivery.state}</Pill>
          {delivery.state !== 'pending' && (
            <Button kind="small" busy={action.busy} onClick={() => void replay(delivery.id)}>
              Send again
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
