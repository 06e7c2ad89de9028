/** One session, live: its legs, what may be added, how it came about and its events. */
import { useEffect, useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, follow } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { type House, partyName, useHouses } from './houses.ts';
import { Icon } from './icon.tsx';
import { LegAdder } from './leg-adder.tsx';
import { type Leg, type Session, SessionPill } from './sessions.tsx';
import { momentText, serverText, timeText, wordsText } from './text.ts';
import { TimeLine } from './time-line.tsx';
import { Button, Card, Empty, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

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
          <SessionPill session={session} /> since {momentText(session.createdAt)}
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
          {!over && <LegAdder session={session} houses={houses.value ?? []} changed={reload} />}
          <Story session={session} houses={houses.value} />
          <Events events={events} />
        </div>
      </div>
    </Page>
  );
}

export function legName(leg: Leg, houses: readonly House[] | undefined): string {
  return partyName(leg.party, houses) || wordsText(leg.role);
}

function Legs({
  session,
  houses,
  changed,
}: {
  session: Session;
  houses: readonly House[] | undefined;
  changed: () => void;
}) {
  const action = useAction();
  if (session.legs.length === 0) return <Empty>No legs yet.</Empty>;
  const mutable = session.kind.startsWith('conference');
  const mute = (leg: Leg) =>
    action
      .run(() => call('conference.mute', { session: session.id, leg: leg.id, muted: leg.muted !== true }))
      .then(changed);
  const stop = (leg: Leg) => action.run(() => call('leg.remove', { session: session.id, leg: leg.id })).then(changed);
  return (
    <>
      <ul class="list legs">
        {session.legs.map((leg) => (
          <li key={leg.id} class={leg.state === 'ended' ? 'over' : ''}>
            <span class={`mark ${leg.orientation}`}>
              <Icon name={leg.kind} />
            </span>
            <div class="grow">
              <span class="row">
                <span class="strong">{legName(leg, houses)}</span>
                <Pill tone={legTones[leg.state]}>{stateText(leg)}</Pill>
              </span>
              <span class="muted">
                {[wordsText(leg.role), leg.item, leg.orientation, leg.dscp].filter(Boolean).join(' · ')}
              </span>
              <span class="muted">
                {serverText(leg.server)}: {leg.why}
              </span>
            </div>
            {leg.state !== 'ended' && session.state !== 'ended' && (
              <div class="row tight">
                {mutable && leg.kind === 'voice' && leg.state === 'up' && (
                  <Button
                    kind="small"
                    busy={action.busy}
                    aria-pressed={leg.muted === true}
                    onClick={() => void mute(leg)}
                  >
                    {leg.muted ? 'Unmute' : 'Mute'}
                  </Button>
                )}
                <Button
                  kind="small"
                  busy={action.busy}
                  onClick={() => void stop(leg)}
                  aria-label={`Stop ${legName(leg, houses)}, ${leg.role}`}
                >
                  Stop
                </Button>
              </div>
            )}
          </li>
        ))}
      </ul>
      <TroubleNote trouble={action.trouble} />
    </>
  );
}

function stateText(leg: Leg): string {
  if (leg.state === 'ended') return leg.reason === undefined ? 'ended' : wordsText(leg.reason).toLowerCase();
  return leg.muted === true && leg.state === 'up' ? 'muted' : leg.state;
}

const legTones: Readonly<Record<Leg['state'], Tone>> = {
  planned: 'busy',
  reserved: 'busy',
  starting: 'busy',
  ringing: 'busy',
  up: 'good',
  ended: 'quiet',
};

/** Request, then what the servers were told, then the channel that came of it. */
function Story({ session, houses }: { session: Session; houses: readonly House[] | undefined }) {
  const leg = (id: string | undefined) => session.legs.find((one) => one.id === id);
  return (
    <Card title="How it came about">
      <ol class="story">
        <li>
          <span class="muted">Asked</span>
          <code>{JSON.stringify(session.request)}</code>
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
      <ol class="events">
        {events.toReversed().map((event) => (
          <li key={event.seq}>
            <span class="muted">{timeText(event.at)}</span>
            <span>{wordsText(event.type.replaceAll('.', ' '))}</span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
