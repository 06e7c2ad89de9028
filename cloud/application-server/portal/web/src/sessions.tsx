import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { useLoad } from './hooks.ts';
import { type House, partyName, useHouses } from './houses.ts';
import { momentText, wordsText } from './text.ts';
import { Card, Empty, Link, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

export type Session = VerbReply<'session.get'>;
export type Leg = Session['legs'][number];

/** Sessions, newest first. */
export function SessionsPage() {
  const houses = useHouses();
  const sessions = useLoad('sessions', () => call('session.list', { limit: 50 }), 3000);
  return (
    <Page title="Sessions" lead="A session joins calls, media and devices; its legs come, go and end together.">
      <TroubleNote trouble={sessions.trouble} />
      <Card title="Newest first">
        <SessionList sessions={sessions.value?.items} houses={houses.value} none="No session yet." />
      </Card>
    </Page>
  );
}

export function SessionList({
  sessions,
  houses,
  none,
}: {
  sessions: readonly Session[] | undefined;
  houses: readonly House[] | undefined;
  none: string;
}) {
  if (sessions === undefined) return <Empty>Looking…</Empty>;
  if (sessions.length === 0) return <Empty>{none}</Empty>;
  return (
    <ul class="list">
      {sessions.map((session) => (
        <li key={session.id}>
          <div class="grow">
            <Link to={`/sessions/${session.id}`} class="strong">
              {wordsText(session.kind)}
            </Link>
            <span class="muted">{partiesText(session, houses)}</span>
          </div>
          <span class="muted narrow-hidden">{momentText(session.createdAt)}</span>
          <SessionPill session={session} />
        </li>
      ))}
    </ul>
  );
}

/** Who takes part, then what is played. */
function partiesText(session: Session, houses: readonly House[] | undefined): string {
  const distinct = (words: readonly (string | undefined)[]) => [...new Set(words.filter((word) => word))];
  const names = distinct(session.legs.map((leg) => partyName(leg.party, houses)));
  const items = distinct(session.legs.map((leg) => leg.item));
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return [shown.join(' and '), items.join(', ')].filter((part) => part !== '').join(' · ');
}

export function SessionPill({ session }: { session: Session }) {
  const tones: Readonly<Record<Session['state'], Tone>> = {
    created: 'busy',
    active: 'good',
    ending: 'busy',
    ended: 'quiet',
  };
  const reason = session.reason === undefined ? '' : `: ${wordsText(session.reason).toLowerCase()}`;
  return <Pill tone={tones[session.state]}>{session.state === 'ended' ? `ended${reason}` : session.state}</Pill>;
}
