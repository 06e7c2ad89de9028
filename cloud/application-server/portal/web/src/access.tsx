/** Who may look into the homes besides their people: applications and technicians, and how to take it back. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction, useLoad } from './hooks.ts';
import { useHouses } from './houses.ts';
import { momentText, scopeText } from './text.ts';
import { Button, Card, Empty, Field, Page, Pill, TroubleNote } from './ui.tsx';

type Consent = VerbReply<'consent.list'>['items'][number];

export function AccessPage() {
  const consents = useLoad('consents', () => call('consent.list', {}), 15_000);
  const houses = useHouses();
  const action = useAction();
  const name = (home: string) => houses.value?.find((house) => house.home.id === home)?.home.name ?? home;
  const revoke = async (consent: Consent) => {
    await action.run(() => call('consent.revoke', { consent: consent.id }));
    consents.reload();
  };
  const grant = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = (key: string) => String(new FormData(form).get(key) ?? '').trim();
    const made = await action.run(() =>
      call('consent.technician.grant', {
        home: field('home'),
        account: field('account'),
        minutes: Number(field('minutes')),
      }),
    );
    if (made === undefined) return;
    form.reset();
    consents.reload();
  };
  return (
    <Page title="Access" lead="Who you have let in, and for how long. What you take back ends at once.">
      <TroubleNote trouble={consents.trouble ?? action.trouble} />
      <div class="columns">
        <Card title="Let in">
          {consents.value?.items.length === 0 && <Empty>Nobody but the people of your homes.</Empty>}
          <ul class="list">
            {consents.value?.items.map((consent) => (
              <li key={consent.id}>
                <div class="grow">
                  <span class="strong">{consent.to}</span>
                  <span class="muted">
                    {consent.homes.map(name).join(', ')}
                    {consent.until === undefined ? '' : ` · until ${momentText(consent.until)}`}
                  </span>
                  {consent.kind === 'application' && (
                    <span class="muted">{consent.scopes.map(scopeText).join(', ')}</span>
                  )}
                </div>
                <Pill tone="busy">{consent.kind}</Pill>
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void revoke(consent)}
                  aria-label={`Take back from ${consent.to}`}
                >
                  Take back
                </Button>
              </li>
            ))}
          </ul>
        </Card>
        <Card title="Let a technician look">
          <p class="muted">
            The technician sees how your gateway, phones and devices stand, never what is said or written. Everything
            done is kept in the operator’s trail.
          </p>
          <form onSubmit={grant}>
            <HomeField label="Home" houses={houses.value} />
            <Field label="Technician" hint="The name that the technician tells you">
              {(id, hint) => (
                <input id={id} aria-describedby={hint} name="account" required maxLength={64} autocapitalize="none" />
              )}
            </Field>
            <Field label="For">
              {(id) => (
                <select id={id} name="minutes">
                  <option value="30">half an hour</option>
                  <option value="60">an hour</option>
                  <option value="240">four hours</option>
                  <option value="1440">a day</option>
                </select>
              )}
            </Field>
            <Button kind="main" type="submit" busy={action.busy}>
              Let in
            </Button>
          </form>
        </Card>
      </div>
    </Page>
  );
}
