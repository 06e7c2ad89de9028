import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Self } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { countText, momentText, serverText, wordsText } from './text.ts';
import { Button, Card, Page, Pill, TroubleNote } from './ui.tsx';

type Server = VerbReply<'farm.list'>['items'][number];

/** The service servers; each can be stopped alone while the others go on. */
export function FarmPage({ self }: { self: Self }) {
  const farm = useLoad('farm', () => call('farm.list', {}), 2000);
  const action = useAction();
  const switchTo = async (server: Server) => {
    await action.run(() => call(server.state === 'stopped' ? 'farm.start' : 'farm.stop', { server: server.name }));
    farm.reload();
  };
  return (
    <Page
      title="Servers"
      lead="Each server can be stopped alone. What needs it is refused with its name; all else goes on."
    >
      <TroubleNote trouble={farm.trouble ?? action.trouble} />
      <Card title="Server farm">
        <ul class="list">
          {farm.value?.items.map((server) => (
            <li key={server.name}>
              <div class="grow">
                <span class="strong">{serverText(server.name)}</span>
                <span class="muted">
                  {countText(server.legs, 'leg')} · load {Math.round(server.load * 100)} %
                  {server.advice === undefined || server.state === 'stopped' ? '' : ` · ${server.advice}`}
                </span>
              </div>
              <meter min="0" max="1" high={0.8} value={server.load} aria-label={`Load of ${server.name}`} />
              <Pill tone={server.state === 'running' ? 'good' : server.state === 'degraded' ? 'busy' : 'bad'}>
                {server.state}
              </Pill>
              {self.role === 'operator' && (
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void switchTo(server)}
                  aria-label={`${server.state === 'stopped' ? 'Start' : 'Stop'} ${server.name}`}
                >
                  {server.state === 'stopped' ? 'Start' : 'Stop'}
                </Button>
              )}
            </li>
          ))}
        </ul>
      </Card>
      {self.role === 'operator' && <Activity />}
    </Page>
  );
}

/** Who did what, newest first. */
function Activity() {
  const audit = useLoad('audit', () => call('audit.list', { limit: 20 }), 5000);
  return (
    <Card title="Activity">
      <TroubleNote trouble={audit.trouble} />
      <ul class="list">
        {audit.value?.items.map((entry) => (
          <li key={entry.id}>
            <div class="grow">
              <code>{entry.verb}</code>
              <span class="muted cut">
                {[entry.account, entry.target].filter(Boolean).join(' · ')} · {momentText(entry.at)}
              </span>
            </div>
            <Pill tone={entry.outcome === 'ok' ? 'good' : 'bad'}>{wordsText(entry.outcome).toLowerCase()}</Pill>
          </li>
        ))}
      </ul>
    </Card>
  );
}
