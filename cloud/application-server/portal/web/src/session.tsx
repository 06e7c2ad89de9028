/** One session, live: its legs, what may be added, how it came about and its events. */
import { useEffect, useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, follow } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { type House, partyName, useHouses } from './houses.ts';
import { LegAdder } from './leg-adder.tsx';
import { Legs, legName } from './legs.tsx';
import { type Session, SessionPill } from './sessions.tsx';
import { Steering } from './steering.tsx';
import { momentText, timeText, wordsText } from './text.ts';
import { TimeLine } from './time-line.tsx';
import { Button, Card, Empty, EventList, Page, TroubleNote } from './ui.tsx';

type Event = VerbReply<'session.events'>['items'][number];

export function SessionPage({ id }: { id: string }) {
  const houses = useHouses();
  const loaded = useLoad(`session ${id}`, () => call('session.get', { session: id }), 10_000);
  const [events, setEvents] = useState<readonly Event[]>([]);
  const { reload } = loaded;
  useEffect(
    () =>
      follow(id, (event) => {
        setEvents((old) => (old.some((one) => one.seq === event.seq) ? old : [...old, event]));
        reload();
      }),
    [id, reload],
  );
  const action = useAction();
  const session = loaded.value;
  if (session === undefined)
    return (
      <Page title="Session">
        <TroubleNote trouble={loaded.trouble} />
      </Page>
    );
  const over = session.state === 'ended';
  const hangUp = () => void action.run(() => call('session.end', { session: id })).then(reload);
  return (
    <Page
      title={wordsText(session.kind)}
      lead={
        <span role="status">
          <SessionPill session={session} /> begun {momentText(session.createdAt)}
        </span>
      }
      actions={
        !over && (
          <Button kind="danger" busy={action.busy} onClick={hangUp}>
            Hang up all
          </Button>
        )
      }
    >
      <TroubleNote trouble={action.trouble} />
      <div class="columns">
        <div>
          <Card title="Legs">
            <Legs session={session} houses={houses.value} changed={reload} />
          </Card>
          <Card title="Time line">
            <TimeLine session={session} name={(leg) => legName(leg, houses.value)} />
          </Card>
        </div>
        <div>
          <Steering session={session} houses={houses.value ?? []} changed={reload} />
          {!over && <LegAdder session={session} houses={houses.value ?? []} changed={reload} />}
          <Story session={session} houses={houses.value} />
          <Events events={events} />
        </div>
      </div>
    </Page>
  );
}

/** A request in words: its fields in order, with the names of phones in place of their ids. */
function askedText(value: unknown, houses: readonly House[] | undefined): string {
  if (typeof value === 'string') return partyName(value, houses);
  if (Array.isArray(value)) return value.map((one) => askedText(one, houses)).join('; ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} ${askedText(one, houses)}`)
    .join(', ');
}

/** Request, then what the servers were told, then the channel that came of it. */
function Story({ session, houses }: { session: Session; houses: readonly House[] | undefined }) {
  const leg = (id: string | undefined) => session.legs.find((one) => one.id === id);
  return (
    <Card title="How it came about">
      <ol class="story">
        <li>
          <span class="muted">Asked</span>
          <span>{askedText(session.request, houses)}</span>
        </li>
        {session.instructions.map((step) => {
          const target = leg(step.leg);
          return (
            <li key={`${step.at} ${step.verb} ${step.leg}`}>
              <span class="muted">{timeText(step.at)}</span>
              <span>
                <strong>{step.server}</strong> <code>{step.verb}</code>
                {target !== undefined && <> for {legName(target, houses)}</>}
              </span>
              {step.callId !== undefined && <code class="cut muted">Call-ID {step.callId}</code>}
            </li>
          );
        })}
      </ol>
    </Card>
  );
}

function Events({ events }: { events: readonly Event[] }) {
  return (
    <Card title="Events" aside={<span class="muted">live</span>}>
      {events.length === 0 && <Empty>Listening…</Empty>}
      <EventList label="Events, newest first">
        {events.toReversed().map((event) => (
          <li key={event.seq}>
            <span class="muted">{timeText(event.at)}</span>
            <span>{wordsText(event.type.replaceAll('.', ' '))}</span>
          </li>
        ))}
      </EventList>
    </Card>
  );
}
