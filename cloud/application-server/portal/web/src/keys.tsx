/** API keys and webhooks: how one's own programs reach the homes, and how they hear of what happens. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { momentText, scopeText } from './text.ts';
import { Button, Card, Empty, Field, Page, Secret, TroubleNote } from './ui.tsx';
import { Webhooks } from './webhooks.tsx';

/** What a program is most often made for, in the order of the form. */
const scopes = [
  ...['sessions:read', 'calls:write', 'media:write', 'conferences:write'],
  ...['messages:read', 'messages:write', 'devices:read', 'cdrs:read', 'events:read'],
];

export function KeysPage() {
  const keys = useLoad('keys', () => call('key.list', { limit: 100 }));
  const [fresh, setFresh] = useState<VerbReply<'key.create'> | undefined>();
  const action = useAction();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    const made = await action.run(() =>
      call('key.create', { name: String(fields.get('name')).trim(), scopes: fields.getAll('scope').map(String) }),
    );
    if (made === undefined) return;
    form.reset();
    setFresh(made);
    keys.reload();
  };
  const revoke = async (key: string) => {
    await action.run(() => call('key.revoke', { key }));
    keys.reload();
  };
  return (
    <Page title="Keys and hooks" lead="For programs of your own. The whole open API stands at /openapi.json.">
      <TroubleNote trouble={keys.trouble ?? action.trouble} />
      <div class="columns even">
        <Card title="API keys">
          {keys.value?.items.length === 0 && <Empty>No key yet.</Empty>}
          <ul class="list">
            {keys.value?.items.map((key) => (
              <li key={key.id}>
                <div class="grow">
                  <span class="strong">{key.name}</span>
                  <span class="muted">{key.scopes.map(scopeText).join(', ')}</span>
                  {key.expiresAt !== undefined && <span class="muted">until {momentText(key.expiresAt)}</span>}
                </div>
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void revoke(key.id)}
                  aria-label={`Revoke ${key.name}`}
                >
                  Revoke
                </Button>
              </li>
            ))}
          </ul>
          {fresh?.token !== undefined && (
            <div class="note" role="status">
              <p>The key of {fresh.name}; it is not shown again.</p>
              <dl>
                <Secret label="Key" value={fresh.token} />
              </dl>
              <Button kind="small" onClick={() => setFresh(undefined)}>
                I have it
              </Button>
            </div>
          )}
          <details class="more">
            <summary>Make a key</summary>
            <form onSubmit={add}>
              <Field label="Name">{(id) => <input id={id} name="name" required maxLength={64} />}</Field>
              <fieldset class="checks">
                <legend>It may</legend>
                {scopes.map((scope) => (
                  <label key={scope}>
                    <input type="checkbox" name="scope" value={scope} /> {scopeText(scope)}
                  </label>
                ))}
              </fieldset>
              <Button kind="main" type="submit" busy={action.busy}>
                Make key
              </Button>
            </form>
          </details>
        </Card>
        <Webhooks />
      </div>
    </Page>
  );
}
