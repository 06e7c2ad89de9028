/** What can be done to a call that is going on: hold, hand over, record; and its recordings. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Reply } from './api.ts';
import { type Action, useAction, useLoad } from './hooks.ts';
import type { House } from './houses.ts';
import { legName } from './legs.tsx';
import type { Leg, Session } from './sessions.tsx';
import { LineSelect } from './start.tsx';
import { lengthText, momentText } from './text.ts';
import { Button, Card, Field, TroubleNote } from './ui.tsx';

type Recording = VerbReply<'recording.list'>['items'][number];

interface Props {
  readonly session: Session;
  readonly houses: readonly House[];
  readonly changed: () => void;
}

export function Steering({ session, houses, changed }: Props) {
  const action = useAction();
  const up = session.legs.filter((leg) => leg.kind === 'voice' && leg.state === 'up');
  const recordings = useLoad(`recordings ${session.id}`, () => call('recording.list', { session: session.id }), 5000);
  const commands = useLoad(`commands ${session.id}`, () => call('call.commands', { session: session.id }), 5000);
  const running = commands.value?.items.find((one) => one.verb === 'call.record' && one.state !== 'done');
  const found = recordings.value?.items ?? [];
  if (up.length === 0 && found.length === 0) return null;
  const run = async (work: () => Promise<Reply<unknown>>) => {
    await action.run(work);
    changed();
    commands.reload();
    recordings.reload();
  };
  return (
    <Card title="Steer the call">
      {up.length > 0 && (
        <>
          <ul class="list">
            {up.map((leg) => (
              <Hold key={leg.id} session={session} leg={leg} name={legName(leg, houses)} busy={action.busy} run={run} />
            ))}
          </ul>
          <div class="row">
            {running === undefined ? (
              <Button busy={action.busy} onClick={() => void run(() => call('call.record', { session: session.id }))}>
                Record
              </Button>
            ) : (
              <Button
                kind="danger"
                busy={action.busy}
                onClick={() => void run(() => call('call.stop', { session: session.id, command: running.id }))}
              >
                Stop recording
              </Button>
            )}
          </div>
          <HandOver session={session} up={up} houses={houses} action={action} run={run} />
        </>
      )}
      {found.length > 0 && (
        <ul class="list" aria-label="Recordings">
          {found.map((recording) => (
            <RecordingRow key={recording.id} recording={recording} changed={recordings.reload} />
          ))}
        </ul>
      )}
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}

interface HoldProps {
  readonly session: Session;
  readonly leg: Leg;
  readonly name: string;
  readonly busy: boolean;
  readonly run: (work: () => Promise<Reply<unknown>>) => Promise<void>;
}

function Hold({ session, leg, name, busy, run }: HoldProps) {
  const request = { session: session.id, leg: leg.id };
  const verb = leg.held === true ? 'call.unhold' : 'call.hold';
  return (
    <li>
      <span class="strong grow">{name}</span>
      <Button
        kind="small"
        busy={busy}
        aria-pressed={leg.held === true}
        onClick={() => void run(() => call(verb, request))}
        aria-label={`${leg.held === true ? 'Take back' : 'Hold'} ${name}`}
      >
        {leg.held === true ? 'Take back' : 'Hold'}
      </Button>
    </li>
  );
}

/** Puts another phone in the place of one of the call's. */
function HandOver({
  session,
  up,
  houses,
  action,
  run,
}: {
  session: Session;
  up: readonly Leg[];
  houses: readonly House[];
  action: Action;
  run: HoldProps['run'];
}) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '');
    void run(() => call('call.transfer', { session: session.id, leg: text('leg'), to: text('to') }));
  };
  return (
    <details class="more">
      <summary>Hand over to another phone</summary>
      <form onSubmit={submit}>
        <Field label="In place of">
          {(id) => (
            <select id={id} name="leg">
              {up.map((leg) => (
                <option key={leg.id} value={leg.id}>
                  {legName(leg, houses)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Hand over to">{(id) => <LineSelect id={id} name="to" houses={houses} pick={1} />}</Field>
        <Button kind="main" type="submit" busy={action.busy}>
          Hand over
        </Button>
      </form>
    </details>
  );
}

function RecordingRow({ recording, changed }: { recording: Recording; changed: () => void }) {
  const action = useAction();
  const [sound, setSound] = useState<string | undefined>();
  const listen = async () => {
    const file = await action.run(() => wholeFile(recording.id));
    if (file !== undefined) setSound(URL.createObjectURL(file));
  };
  const remove = async () => {
    await action.run(() => call('recording.delete', { recording: recording.id }));
    changed();
  };
  return (
    <li>
      <div class="grow">
        <span class="strong">Recording, {momentText(recording.startedAt)}</span>
        <span class="muted">
          {recording.state === 'ready' ? lengthText(recording.seconds ?? 0) : `${recording.state}…`}
        </span>
      </div>
      {recording.state === 'ready' && (
        <>
          <Button kind="small" busy={action.busy} onClick={() => void listen()}>
            Listen
          </Button>
          <Button kind="small" busy={action.busy} onClick={() => void remove()}>
            Delete
          </Button>
        </>
      )}
      {sound !== undefined && (
        // biome-ignore lint/a11y/useMediaCaption: nobody has written down what is said in a telephone call.
        <audio class="wide" controls src={sound} aria-label="The recording" />
      )}
      <TroubleNote trouble={action.trouble} />
    </li>
  );
}

/** Fetches a recording part by part. */
async function wholeFile(recording: string): Promise<Reply<Blob>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (;;) {
    const part = await call('recording.audio', { recording, offset });
    if (!part.ok) return part;
    parts.push(Uint8Array.from(atob(part.value.data), (one) => one.charCodeAt(0)));
    if (part.value.next === undefined) return { ok: true, value: new Blob(parts, { type: 'audio/wav' }) };
    offset = part.value.next;
  }
}
