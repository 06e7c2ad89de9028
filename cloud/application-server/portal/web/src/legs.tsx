import { ok } from '#shared/kernel/result.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Reply } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { type House, partyName } from './houses.ts';
import { Icon } from './icon.tsx';
import type { Leg, Session } from './sessions.tsx';
import { serverText, wordsText } from './text.ts';
import { Button, Empty, Pill, type Tone, TroubleNote } from './ui.tsx';

/** Who a leg goes to, or what it is for. */
export function legName(leg: Leg, houses: readonly House[] | undefined): string {
  return partyName(leg.party, houses) || wordsText(leg.role);
}

/** The legs of a session, each to be stopped alone; in a conference the voices also to be muted. */
export function Legs({
  session,
  houses,
  changed,
}: {
  session: Session;
  houses: readonly House[] | undefined;
  changed: () => void;
}) {
  const action = useAction();
  const mutable = session.kind.startsWith('conference') && session.state === 'active';
  const roster = useLoad(`roster ${session.id} ${mutable}`, () => loadRoster(session.id, mutable), 3000);
  const muted = new Set(roster.value?.items.filter((party) => party.muted).map((party) => party.leg));
  if (session.legs.length === 0) return <Empty>No legs yet.</Empty>;
  const mute = (leg: Leg) =>
    action
      .run(() => call('conference.mute', { session: session.id, leg: leg.id, muted: !muted.has(leg.id) }))
      .then(roster.reload);
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
                <Pill tone={legTones[leg.state]}>{stateText(leg, muted.has(leg.id))}</Pill>
              </span>
              <span class="muted">
                {[wordsText(leg.role), leg.item, leg.orientation, leg.dscp?.match(/^(EF|AF|CS)\d*/)?.[0]]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
              {leg.state === 'up' && leg.kind !== 'device' && <Sound session={session.id} leg={leg.id} />}
              <details class="why">
                <summary>
                  {serverText(leg.server)} server
                  <span class="hidden"> of {legName(leg, houses)}: why this one</span>
                </summary>
                <p>{leg.why}.</p>
                {leg.dscp !== undefined && <p>Marking: {leg.dscp}.</p>}
                {leg.callId !== undefined && (
                  <p>
                    Call-ID <code>{leg.callId}</code>
                  </p>
                )}
              </details>
            </div>
            {leg.state !== 'ended' && session.state !== 'ended' && (
              <div class="row tight">
                {mutable && leg.kind === 'voice' && leg.state === 'up' && (
                  <Button
                    kind="small"
                    busy={action.busy}
                    aria-pressed={muted.has(leg.id)}
                    onClick={() => void mute(leg)}
                  >
                    {muted.has(leg.id) ? 'Unmute' : 'Mute'}
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

function stateText(leg: Leg, muted: boolean): string {
  if (leg.state === 'ended') return leg.reason === undefined ? 'ended' : wordsText(leg.reason).toLowerCase();
  if (leg.state === 'up' && leg.held === true) return 'on hold';
  return muted && leg.state === 'up' ? 'muted' : leg.state;
}

const legTones: Readonly<Record<Leg['state'], Tone>> = {
  planned: 'busy',
  reserved: 'busy',
  starting: 'busy',
  ringing: 'busy',
  up: 'good',
  ended: 'quiet',
};

/** How a leg sounds, measured: by the other side where it tells, else by us. Nothing for a leg that has no sound of its own. */
function Sound({ session, leg }: { session: string; leg: string }) {
  const measured = useLoad(`quality ${leg}`, () => call('media.quality', { session, leg }), 5000).value;
  if (measured === undefined || measured.sent + measured.received === 0) return null;
  const { estimate, remoteEstimate, jitter, lost, received } = measured;
  const share = received + lost === 0 ? 0 : (100 * lost) / (received + lost);
  return (
    <span class="muted">
      Sound {(remoteEstimate ?? estimate).toFixed(1)} of 4.5 · {share.toFixed(1)} % lost · jitter {jitter.toFixed(0)} ms
    </span>
  );
}

/** Who is in the room and muted; nobody where the session has no room. */
async function loadRoster(session: string, hasRoom: boolean): Promise<Reply<VerbReply<'conference.roster'>>> {
  return hasRoom ? call('conference.roster', { session }) : ok({ items: [] });
}
