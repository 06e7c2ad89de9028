import { useState } from 'preact/hooks';
import { call, type Self } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { go } from './route.ts';
import { momentText } from './text.ts';
import { Button, Card, Empty, Field, Link, Page, TroubleNote } from './ui.tsx';

/** All homes that the account may see, page by page; operators add new ones. */
export function HomesPage({ self }: { self: Self }) {
  const [after, setAfter] = useState<string | undefined>();
  const homes = useLoad(`homes ${after ?? ''}`, () =>
    call('home.list', { limit: 50, ...(after === undefined ? {} : { after }) }),
  );
  return (
    <Page title="Homes" lead="Each home has its gateway, its phones and its devices.">
      <TroubleNote trouble={homes.trouble} />
      <div class="columns">
        <Card title="Your homes">
          {homes.value === undefined && <Empty>Looking…</Empty>}
          {homes.value?.items.length === 0 && <Empty>No home yet.</Empty>}
          <ul class="list">
            {homes.value?.items.map((home) => (
              <li key={home.id}>
                <Link to={`/homes/${home.id}`} class="strong grow">
                  {home.name}
                </Link>
                <span class="muted">since {momentText(home.createdAt)}</span>
              </li>
            ))}
          </ul>
          <div class="row">
            {after !== undefined && (
              <Button kind="small" onClick={() => setAfter(undefined)}>
                First page
              </Button>
            )}
            {homes.value?.next !== undefined && (
              <Button kind="small" onClick={() => setAfter(homes.value?.next)}>
                Next page
              </Button>
            )}
          </div>
        </Card>
        {self.role === 'operator' && <AddHome />}
      </div>
    </Page>
  );
}

function AddHome() {
  const action = useAction();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get('name') ?? '').trim();
    const home = await action.run(() => call('home.create', { name }));
    if (home !== undefined) go(`/homes/${home.id}`);
  };
  return (
    <Card title="Add a home">
      <form onSubmit={submit}>
        <Field label="Name" hint="What its people call it, for example Elm Street 1">
          {(id, hint) => <input id={id} aria-describedby={hint} name="name" required maxLength={64} />}
        </Field>
        <TroubleNote trouble={action.trouble} />
        <Button kind="main" type="submit" busy={action.busy}>
          Add home
        </Button>
      </form>
    </Card>
  );
}
