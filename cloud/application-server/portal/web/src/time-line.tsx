/** A session's legs over time: hollow while they ring, full while they are up. */
import { useEffect, useState } from 'preact/hooks';
import type { Leg, Session } from './sessions.tsx';
import { lengthText } from './text.ts';
import { Empty } from './ui.tsx';

const ROW = 30;
const WIDTH = 600;

export function TimeLine({ session, name }: { session: Session; name: (leg: Leg) => string }) {
  const now = useNow(session.state !== 'ended');
  const legs = session.legs.filter((leg) => leg.startedAt !== undefined);
  if (legs.length === 0) return <Empty>Nothing has started yet.</Empty>;
  const from = session.createdAt;
  const until = Math.max(from + 10_000, session.endedAt ?? now);
  const x = (at: number) => ((Math.min(until, Math.max(from, at)) - from) / (until - from)) * WIDTH;
  return (
    <figure class="time-line">
      <ul class="hidden">
        {legs.map((leg) => (
          <li key={leg.id}>{sentence(leg, name(leg), from)}</li>
        ))}
      </ul>
      <svg viewBox={`0 0 ${WIDTH} ${legs.length * ROW + 20}`} aria-hidden="true">
        {legs.map((leg, i) => {
          const start = x(leg.startedAt ?? from);
          const up = leg.answeredAt === undefined ? undefined : x(leg.answeredAt);
          const end = x(leg.endedAt ?? until);
          return (
            <g key={leg.id} class={leg.orientation}>
              <line class="rail" x1="0" x2={WIDTH} y1={i * ROW + 23} y2={i * ROW + 23} />
              <rect
                class="wait"
                x={start}
                y={i * ROW + 18}
                width={Math.max(2, (up ?? end) - start)}
                height="10"
                rx="5"
              />
              {up !== undefined && (
                <rect class="up" x={up} y={i * ROW + 18} width={Math.max(3, end - up)} height="10" rx="5" />
              )}
              <text x="0" y={i * ROW + 12}>
                {name(leg)}, {leg.role}
              </text>
            </g>
          );
        })}
        <text class="scale" x="0" y={legs.length * ROW + 17}>
          0:00
        </text>
        <text class="scale end" x={WIDTH} y={legs.length * ROW + 17}>
          {lengthText((until - from) / 1000)}
        </text>
      </svg>
    </figure>
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
