/** The e-center: a developer's applications with their checks and rights, the services to compose from, and the operator's review. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Self } from './api.ts';
import { useAction, useEvents, useLoad } from './hooks.ts';
import { RightsList } from './rights.tsx';
import { momentText, priceText } from './text.ts';
import { Button, Card, Empty, Field, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

type Version = VerbReply<'app.list'>['items'][number];

export function ECenterPage({ self }: { self: Self }) {
  const versions = useLoad('versions', () => call('app.list', { limit: 100 }), 15_000);
  useEvents('home.app.*', versions.reload);
  return (
    <Page title="E-center" lead="Where applications are handed in, checked, composed from services, and published.">
      <TroubleNote trouble={versions.trouble} />
      <div class="columns">
        <Card title="Versions">
          {versions.value?.items.length === 0 && <Empty>No application was handed in yet.</Empty>}
          <ul class="list">
            {versions.value?.items.map((version) => (
              <VersionRow
                key={`${version.app} ${version.version}`}
                version={version}
                operator={self.role === 'operator'}
                changed={versions.reload}
              />
            ))}
          </ul>
        </Card>
        <div>
          <HandIn changed={versions.reload} />
          <Services />
        </div>
      </div>
    </Page>
  );
}

const tones: Readonly<Record<Version['state'], Tone>> = {
  review: 'busy',
  published: 'good',
  rejected: 'bad',
  revoked: 'bad',
};

function VersionRow({ version, operator, changed }: { version: Version; operator: boolean; changed: () => void }) {
  const action = useAction();
  const review = async (decision: 'publish' | 'reject' | 'revoke') => {
    await action.run(() => call('app.review', { app: version.app, version: version.version, decision }));
    changed();
  };
  const decisions =
    version.state === 'review'
      ? ([
          ['publish', 'Publish'],
          ['reject', 'Reject'],
        ] as const)
      : version.state === 'published'
        ? ([['revoke', 'Take back']] as const)
        : [];
  return (
    <li>
      <div class="grow">
        <span class="strong">
          {version.name} {version.version}
        </span>
        <span class="muted">
          {version.app} · {Math.ceil(version.size / 1024)} kB · {momentText(version.createdAt)}
        </span>
        {version.why !== undefined && <span class="bad-text">{version.why}</span>}
      </div>
      <Pill tone={tones[version.state]}>{version.state}</Pill>
      {operator &&
        decisions.map(([decision, words]) => (
          <Button
            key={decision}
            kind="small"
            busy={action.busy}
            onClick={() => void review(decision)}
            aria-label={`${words} ${version.name} ${version.version}`}
          >
            {words}
          </Button>
        ))}
      <details class="why wide">
        <summary>
          Checks and rights<span class="hidden"> of {version.name}</span>
        </summary>
        <ul>
          {version.checks.map((check) => (
            <li key={check.check}>
              {check.ok ? '✓' : '✗'} {check.check}
              {check.detail === undefined ? '' : `: ${check.detail}`}
            </li>
          ))}
        </ul>
        <p>It may:</p>
        <RightsList rights={version.rights} />
        {version.difference.added.length > 0 && (
          <>
            <p>More than the version before:</p>
            <RightsList rights={version.difference.added} />
          </>
        )}
      </details>
      <TroubleNote trouble={action.trouble} />
    </li>
  );
}

function HandIn({ changed }: { changed: () => void }) {
  const action = useAction();
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const file = new FormData(form).get('package');
    if (!(file instanceof File)) return;
    const made = await action.run(async () => call('app.publish', { package: parsed(await file.text()) }));
    if (made === undefined) return;
    form.reset();
    changed();
  };
  return (
    <Card title="Hand in a version">
      <form onSubmit={submit}>
        <Field label="Package" hint="The file that hearthline app pack wrote">
          {(id, hint) => <input id={id} aria-describedby={hint} name="package" type="file" required />}
        </Field>
        <Button kind="main" type="submit" busy={action.busy}>
          Hand in
        </Button>
      </form>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}

/** What is no JSON is sent as text: the e-center says what is wrong with it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 64);
  }
}

function Services() {
  const services = useLoad('services', () => call('service.list', {}));
  return (
    <Card title="Services to compose">
      <TroubleNote trouble={services.trouble} />
      <ul class="list">
        {services.value?.items.map((service) => (
          <li key={service.service}>
            <div class="grow">
              <span class="strong">{service.name}</span>
              <span>{service.about}</span>
              <span class="muted">{service.methods.map((method) => method.method).join(', ')}</span>
            </div>
            <span class="muted">{priceText(service.price)} a use</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
