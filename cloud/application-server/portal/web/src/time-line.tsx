/** A session's legs over time: hollow while they ring, full while they are up. */
import { useEffect, useState } from 'preact/hooks';
import type { Leg, Session } from './sessions.tsx';
import { lengthText } from './text.ts';
import { Empty } from './ui.tsx';

/** Units of a bar's width. */
const WIDTH = 1000;

export function TimeLine({ session, name }: { session: Session; name: (leg: Leg) => string }) {
  const now = useNow(session.state !== 'ended');
  const legs = session.legs.filter((leg) => leg.startedAt !== undefined);
  if (legs.length === 0) return <Empty>Nothing has started yet.</Empty>;
  const from = session.createdAt;
  const until = Math.max(from + 10_000, session.endedAt ?? now);
  const x = (at: number) => ((Math.min(until, Math.max(from, at)) - from) / (until - from)) * WIDTH;
  return (
    <div class="time-line">
      <ul>
        {legs.map((leg) => {
          const start = x(leg.startedAt ?? from);
          const up = leg.answeredAt === undefined ? undefined : x(leg.answeredAt);
          const end = x(leg.endedAt ?? until);
          return (
            <li key={leg.id} class={leg.orientation}>
              <span aria-hidden="true">
                {name(leg)}, {leg.role}
              </span>
              <span class="hidden">{sentence(leg, name(leg), from)}</span>
              <svg viewBox={`0 0 ${WIDTH} 10`} preserveAspectRatio="none" aria-hidden="true">
                <rect class="rail" x="0" y="4.5" width={WIDTH} height="1" />
                <rect class="wait" x={start} y="0" width={Math.max(3, (up ?? end) - start)} height="10" />
                {up !== undefined && <rect x={up} y="0" width={Math.max(4, end - up)} height="10" />}
              </svg>
            </li>
          );
        })}
      </ul>
      <p class="scale muted" aria-hidden="true">
        <span>0:00</span>
        <span>{lengthText((until - from) / 1000)}</span>
      </p>
    </div>
  );
}

function sentence(leg: Leg, name: string, from: number): string {
  const at = (moment: number) => `${lengthText((moment - from) / 1000)}`;
  const parts = [`${name}, ${leg.role}: begun at ${at(leg.startedAt ?? from)}`];
  if (leg.answeredAt !== undefined) parts.push(`up at ${at(leg.answeredAt)}`);
  if (leg.endedAt !== undefined) parts.push(`ended at ${at(leg.endedAt)}`);
  return parts.join(', ');
}

/** The time, each second while it matters. */
function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
