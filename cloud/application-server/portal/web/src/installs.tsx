import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useAction, useEvents, useLoad } from './hooks.ts';
import type { Home } from './houses.ts';
import { RightsList } from './rights.tsx';
import { countText, priceText, timeText, wordsText } from './text.ts';
import { Button, Card, Empty, EventList, Pill, type Tone, TroubleNote } from './ui.tsx';

type Install = VerbReply<'install.list'>['items'][number];

/** The applications of a home: how both halves fare, what newer versions ask for, and their removal. */
export function Installs({ home }: { home: Home }) {
  const installs = useLoad(`installs ${home.id}`, () => call('install.list', { home: home.id }), 10_000);
  const uses = useLoad(`uses ${home.id}`, () => call('service.use.list', { home: home.id }), 30_000);
  useEvents('home.install.* home.applet.*', installs.reload);
  return (
    <Card title={`In ${home.name}`} aside={<span class="muted">live</span>}>
      <TroubleNote trouble={installs.trouble} />
      {installs.value?.items.length === 0 && <Empty>No app yet. Choose one from the catalogue.</Empty>}
      <ul class="list">
        {installs.value?.items.map((install) => (
          <InstallRow
            key={install.id}
            install={install}
            uses={uses.value?.items.filter((use) => use.install === install.id) ?? []}
            changed={installs.reload}
          />
        ))}
      </ul>
    </Card>
  );
}

interface RowProps {
  readonly install: Install;
  readonly uses: VerbReply<'service.use.list'>['items'];
  readonly changed: () => void;
}

function InstallRow({ install, uses, changed }: RowProps) {
  const action = useAction();
  const [looked, setLooked] = useState(false);
  const status = useLoad(`install ${install.id}`, () => call('install.status', { install: install.id }), 5000);
  const update = async () => {
    const consent = [...install.consent, ...(install.update?.added.map((right) => right.key) ?? [])];
    await action.run(() => call('install.update', { install: install.id, consent }));
    changed();
  };
  const remove = async () => {
    if (!confirm(`Remove ${install.name}? Its timers and its data go with it.`)) return;
    await action.run(() => call('install.remove', { install: install.id }));
    changed();
  };
  const restart = async () => {
    await action.run(() => call('install.restart', { install: install.id }));
    status.reload();
  };
  const stuck = status.value?.state === 'quarantined' || status.value?.state === 'crashed';
  return (
    <li>
      <div class="grow">
        <span class="strong">{install.name}</span>
        <span class="muted">
          version {install.version}
          {install.mail === undefined ? '' : ` · write to ${install.mail}`}
        </span>
        {status.value?.why !== undefined && <span class="bad-text">{status.value.why}</span>}
        {install.applets.map((applet) => (
          <span key={applet.gateway} class={applet.why === undefined ? 'muted' : 'bad-text'}>
            On the gateway: {applet.state}
            {applet.why === undefined ? '' : `, ${applet.why}`}
          </span>
        ))}
      </div>
      {status.value !== undefined && status.value.state !== 'none' && (
        <Pill tone={tones[status.value.state] ?? 'quiet'}>{status.value.state}</Pill>
      )}
      {stuck && (
        <Button kind="small" busy={action.busy} onClick={() => void restart()}>
          Start again
        </Button>
      )}
      {install.update !== undefined && (
        <Button kind="small" onClick={() => setLooked(!looked)} aria-expanded={looked}>
          Update to {install.update.version}
        </Button>
      )}
      <Button kind="small" busy={action.busy} onClick={() => void remove()} aria-label={`Remove ${install.name}`}>
        Remove
      </Button>
      {looked && install.update !== undefined && (
        <div class="note wide">
          <p>
            {install.update.added.length === 0
              ? 'The new version asks for nothing more.'
              : 'The new version also wants to:'}
          </p>
          {install.update.added.length > 0 && <RightsList rights={install.update.added} />}
          <Button kind="main" busy={action.busy} onClick={() => void update()}>
            Allow and update
          </Button>
        </div>
      )}
      <Used install={install} uses={uses} changed={changed} />
      {status.value !== undefined && status.value.logs.length > 0 && (
        <details class="why wide">
          <summary>What it said lately</summary>
          <EventList label="What it said, newest first">
            {status.value.logs.toReversed().map((line) => (
              <li key={`${line.at} ${line.text}`}>
                <span class="muted">{timeText(line.at)}</span>
                <span>{line.text}</span>
              </li>
            ))}
          </EventList>
        </details>
      )}
      <TroubleNote trouble={action.trouble} />
    </li>
  );
}

const tones: Readonly<Record<string, Tone>> = {
  starting: 'busy',
  running: 'good',
  webhook: 'good',
  throttled: 'busy',
  crashed: 'bad',
  quarantined: 'bad',
};

/** Services that the application used for this home, what they cost, and the switch that withdraws one. */
function Used({ install, uses, changed }: RowProps) {
  const action = useAction();
  const services = [...new Set([...uses.map((use) => use.service), ...install.revoked])];
  if (services.length === 0) return null;
  const allow = async (service: string, allowed: boolean) => {
    await action.run(() => call('service.allow', { install: install.id, service, allowed }));
    changed();
  };
  return (
    <details class="why wide">
      <summary>Services it uses</summary>
      <ul class="list">
        {services.map((service) => {
          const mine = uses.filter((use) => use.service === service);
          const count = mine.reduce((sum, use) => sum + use.uses, 0);
          const price = mine.reduce((sum, use) => sum + use.price, 0);
          const revoked = install.revoked.includes(service);
          return (
            <li key={service}>
              <div class="grow">
                <span class="strong">{wordsText(service)}</span>
                <span class="muted">
                  {countText(count, 'use')} · {priceText(price)}
                </span>
              </div>
              <Button kind="small" busy={action.busy} onClick={() => void allow(service, revoked)}>
                {revoked ? 'Allow again' : 'Withdraw'}
              </Button>
            </li>
          );
        })}
      </ul>
      <TroubleNote trouble={action.trouble} />
    </details>
  );
}
