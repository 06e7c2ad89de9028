import { useState } from 'preact/hooks';
import { call } from './api.ts';
import { useLoad } from './hooks.ts';
import { momentText, timeText, wordsText } from './text.ts';
import { Button, Card, Empty, Pill, TroubleNote } from './ui.tsx';

/** The calls that a gateway remembers, each with its SIP messages in one time line. */
export function GatewayCalls({ gateway }: { gateway: string }) {
  const calls = useLoad(`calls ${gateway}`, () => call('gateway.calls', { gateway }), 10_000);
  const [open, setOpen] = useState<string | undefined>();
  return (
    <Card title="Calls">
      <TroubleNote trouble={calls.trouble} />
      {calls.value?.items.length === 0 && <Empty>No call since it started.</Empty>}
      <ul class="list">
        {calls.value?.items.map((one) => (
          <li key={one.id}>
            <div class="grow">
              <span class="strong">
                {one.from} to {one.to}
              </span>
              <span class="muted">{momentText(one.startedAt)}</span>
            </div>
            <Pill tone={one.endedAt === undefined ? 'good' : 'quiet'}>
              {one.endedAt === undefined ? 'live' : wordsText(one.reason ?? 'ended').toLowerCase()}
            </Pill>
            <Button
              kind="small"
              aria-expanded={open === one.id}
              onClick={() => setOpen(open === one.id ? undefined : one.id)}
              aria-label={`Messages of the call from ${one.from} to ${one.to}`}
            >
              Messages
            </Button>
            {open === one.id && <Ladder gateway={gateway} id={one.id} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Ladder({ gateway, id }: { gateway: string; id: string }) {
  const trace = useLoad(`trace ${id}`, () => call('gateway.trace', { gateway, call: id }), 5000);
  return (
    <div class="wide">
      <TroubleNote trouble={trace.trouble} />
      <ol class="ladder">
        {trace.value?.items.map((step, n) => (
          <li key={n} class={step.kind}>
            <span class="muted">{timeText(step.at)}</span>
            <details>
              <summary>
                <span aria-hidden="true">{arrows[step.kind]}</span>
                <span class="hidden">{step.kind}</span> {step.summary} <span class="muted">{step.peer}</span>
              </summary>
              <pre>{step.text}</pre>
            </details>
          </li>
        ))}
      </ol>
    </div>
  );
}

const arrows = { in: '→', out: '←', note: '·' } as const;
