import { useState } from 'preact/hooks';
import { call, type Trouble } from './api.ts';
import { useAction } from './hooks.ts';
import { Button, Field, TroubleNote } from './ui.tsx';

/** The first page: name and password, or a token. */
export function SignIn({
  pairing,
  trouble,
  onDone,
}: {
  pairing: boolean;
  /** Why a link with a token did not sign in. */
  trouble: Trouble | undefined;
  onDone: () => void;
}) {
  const [byToken, setByToken] = useState(false);
  const action = useAction();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const request = byToken
      ? { token: text('token') }
      : { name: text('name'), password: String(form.get('password') ?? '') };
    if ((await action.run(() => call('auth.sign-in', request))) !== undefined) onDone();
  };
  document.title = 'Sign in · Hearthline';
  return (
    <main class="door" id="main">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>{pairing ? 'Sign in to pair your gateway' : 'Welcome home'}</h1>
      <p class="lead">
        {pairing
          ? 'The code is kept; you go on where you left.'
          : 'Calls, music and devices of your homes, in one place.'}
      </p>
      <form onSubmit={submit} class="card">
        {byToken ? (
          <Field label="Access token" hint="The operator’s token stands in the file operator-token of the data folder.">
            {(id, hint) => (
              <input
                id={id}
                aria-describedby={hint}
                name="token"
                type="password"
                autocomplete="off"
                required
                maxLength={128}
              />
            )}
          </Field>
        ) : (
          <>
            <Field label="Name">
              {(id) => (
                <input id={id} name="name" autocomplete="username" autocapitalize="none" required maxLength={64} />
              )}
            </Field>
            <Field label="Password">
              {(id) => (
                <input
                  id={id}
                  name="password"
                  type="password"
                  autocomplete="current-password"
                  required
                  maxLength={128}
                />
              )}
            </Field>
          </>
        )}
        <TroubleNote trouble={action.trouble ?? trouble} />
        <Button kind="main" type="submit" busy={action.busy}>
          Sign in
        </Button>
        <button type="button" class="textual" onClick={() => setByToken(!byToken)}>
          {byToken ? 'Use name and password' : 'Use an access token'}
        </button>
      </form>
    </main>
  );
}
