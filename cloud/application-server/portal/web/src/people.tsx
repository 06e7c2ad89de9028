import { call } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { Button, Card, Empty, Field, TroubleNote } from './ui.tsx';

/** Who may sign in for a home; the operator adds them. */
export function People({ home }: { home: string }) {
  const accounts = useLoad(`people ${home}`, () => call('account.list', { limit: 500 }));
  const action = useAction();
  const people = accounts.value?.items.filter((account) => account.homes.includes(home));
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    const name = String(fields.get('name') ?? '').trim();
    const password = String(fields.get('password') ?? '');
    const made = await action.run(() => call('account.create', { name, password, role: 'subscriber', homes: [home] }));
    if (made === undefined) return;
    form.reset();
    accounts.reload();
  };
  return (
    <Card title="People">
      {people?.length === 0 && <Empty>Nobody can sign in for this home yet.</Empty>}
      <ul class="list">
        {people?.map((account) => (
          <li key={account.id}>
            <span class="strong grow">{account.name}</span>
            <span class="muted">{account.role}</span>
          </li>
        ))}
      </ul>
      <details class="more">
        <summary>Add a person</summary>
        <form onSubmit={add}>
          <Field label="Name">{(id) => <input id={id} name="name" autocomplete="off" required maxLength={64} />}</Field>
          <Field label="Password" hint="At least ten characters; the person signs in with it">
            {(id, hint) => (
              <input
                id={id}
                aria-describedby={hint}
                name="password"
                type="password"
                autocomplete="new-password"
                required
                minLength={10}
                maxLength={128}
              />
            )}
          </Field>
          <Button kind="main" type="submit" busy={action.busy}>
            Add person
          </Button>
        </form>
      </details>
      <TroubleNote trouble={accounts.trouble ?? action.trouble} />
    </Card>
  );
}
