import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Self } from './api.ts';
import { useAction, useEvents, useLoad } from './hooks.ts';
import { momentText } from './text.ts';
import { Button, Card, Empty, Link, Page, Pill, TroubleNote } from './ui.tsx';

type Alarm = VerbReply<'alarm.list'>['items'][number];

/** What is wrong, open alarms first; somebody takes each into hand. */
export function AlarmsPage({ self }: { self: Self }) {
  const alarms = useLoad('alarms', () => call('alarm.list', { limit: 100 }), 15_000);
  useEvents('home.alarm.* home.gateway.*', alarms.reload);
  const action = useAction();
  const acknowledge = (alarm: Alarm) =>
    action.run(() => call('alarm.acknowledge', { alarm: alarm.id })).then(alarms.reload);
  const close = (alarm: Alarm) => action.run(() => call('alarm.close', { alarm: alarm.id })).then(alarms.reload);
  const open = alarms.value?.items.filter((alarm) => alarm.clearedAt === undefined);
  const past = alarms.value?.items.filter((alarm) => alarm.clearedAt !== undefined);
  return (
    <Page title="Alarms" lead="An alarm clears by itself as soon as its fault is over.">
      <TroubleNote trouble={alarms.trouble ?? action.trouble} />
      <Card title="Open" aside={<span class="muted">live</span>}>
        {open === undefined && <Empty>Looking…</Empty>}
        {open?.length === 0 && <Empty>Nothing is wrong.</Empty>}
        <ul class="list">
          {open?.map((alarm) => (
            <AlarmRow key={alarm.id} alarm={alarm}>
              <Pill tone={alarm.acknowledgedAt === undefined ? 'bad' : 'busy'}>
                {alarm.acknowledgedAt === undefined ? alarm.severity : 'in hand'}
              </Pill>
              {alarm.acknowledgedAt === undefined && (
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void acknowledge(alarm)}
                  aria-label={`Take into hand: ${alarm.text}`}
                >
                  Take into hand
                </Button>
              )}
              {self.role === 'operator' && (
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void close(alarm)}
                  aria-label={`Clear: ${alarm.text}`}
                >
                  Clear
                </Button>
              )}
            </AlarmRow>
          ))}
        </ul>
      </Card>
      {past !== undefined && past.length > 0 && (
        <Card title="Cleared">
          <ul class="list">
            {past.map((alarm) => (
              <AlarmRow key={alarm.id} alarm={alarm}>
                <Pill tone="quiet">cleared</Pill>
              </AlarmRow>
            ))}
          </ul>
        </Card>
      )}
    </Page>
  );
}

function AlarmRow({ alarm, children }: { alarm: Alarm; children: preact.ComponentChildren }) {
  return (
    <li>
      <div class="grow">
        <span class="strong">{alarm.text}</span>
        <span class="muted">
          {alarm.cause} · {momentText(alarm.raisedAt)}
          {alarm.gateway !== undefined && (
            <>
              {' · '}
              <Link to={`/gateways/${alarm.gateway}`}>its gateway</Link>
            </>
          )}
        </span>
      </div>
      {children}
    </li>
  );
}
