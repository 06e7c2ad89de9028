/** Starts a call, media on a phone, or a conference, with media or without. */
import { useState } from 'preact/hooks';
import { call, type Reply } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { type House, type Line, lineName } from './houses.ts';
import { go } from './route.ts';
import { lengthText } from './text.ts';
import { Button, Card, Empty, Field, TroubleNote } from './ui.tsx';

const kinds = [
  { kind: 'call', name: 'Call' },
  { kind: 'media', name: 'Media' },
  { kind: 'conference', name: 'Conference' },
] as const;
type Kind = (typeof kinds)[number]['kind'];
type Accepted = { readonly id: string };

export function StartPanel({ houses, onStarted }: { houses: readonly House[] | undefined; onStarted: () => void }) {
  const [kind, setKind] = useState<Kind>('call');
  const action = useAction();
  const start = async (work: () => Promise<Reply<Accepted>>) => {
    const session = await action.run(work);
    if (session === undefined) return;
    onStarted();
    go(`/sessions/${session.id}`);
  };
  const phones = houses?.some((house) => house.lines.length > 0) === true;
  return (
    <Card title="Start something">
      <fieldset class="switch">
        <legend class="hidden">What to start</legend>
        {kinds.map((one) => (
          <label key={one.kind}>
            <input type="radio" name="kind" checked={kind === one.kind} onChange={() => setKind(one.kind)} />
            <span>{one.name}</span>
          </label>
        ))}
      </fieldset>
      {houses !== undefined && !phones && <Empty>Add a phone to a home first.</Empty>}
      {phones && kind === 'call' && <CallForm houses={houses ?? []} busy={action.busy} start={start} />}
      {phones && kind === 'media' && <MediaForm houses={houses ?? []} busy={action.busy} start={start} />}
      {phones && kind === 'conference' && <ConferenceForm houses={houses ?? []} busy={action.busy} start={start} />}
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}

interface FormProps {
  readonly houses: readonly House[];
  readonly busy: boolean;
  start(work: () => Promise<Reply<Accepted>>): Promise<void>;
}

function CallForm({ houses, busy, start }: FormProps) {
  const submit = (event: SubmitEvent) => {
    const form = read(event);
    const to = form.get('number')?.toString().trim() || form.get('to')?.toString() || '';
    void start(() => call('call.create', { from: form.get('from')?.toString() ?? '', to }));
  };
  return (
    <form onSubmit={submit}>
      <Field label="This phone rings first">
        {(id) => <LineSelect id={id} name="from" houses={houses} pick={0} />}
      </Field>
      <Field label="Then this one">{(id) => <LineSelect id={id} name="to" houses={houses} pick={1} />}</Field>
      <Field label="Or a number or SIP address" hint="For example +15550100002">
        {(id, hint) => <input id={id} aria-describedby={hint} name="number" inputMode="tel" maxLength={256} />}
      </Field>
      <Button kind="main" type="submit" busy={busy}>
        Call
      </Button>
    </form>
  );
}

function MediaForm({ houses, busy, start }: FormProps) {
  const submit = (event: SubmitEvent) => {
    const form = read(event);
    void start(() =>
      call('media.play', { to: form.get('to')?.toString() ?? '', item: form.get('item')?.toString() ?? '' }),
    );
  };
  return (
    <form onSubmit={submit}>
      <Field label="Play">{(id) => <ItemSelect id={id} />}</Field>
      <Field label="On this phone">{(id) => <LineSelect id={id} name="to" houses={houses} pick={0} />}</Field>
      <Button kind="main" type="submit" busy={busy}>
        Play
      </Button>
    </form>
  );
}

function ConferenceForm({ houses, busy, start }: FormProps) {
  const [music, setMusic] = useState<'none' | 'homes' | 'room'>('none');
  const [few, setFew] = useState(false);
  const submit = (event: SubmitEvent) => {
    const form = read(event);
    const participants = form.getAll('participant').map(String);
    setFew(participants.length === 0);
    if (participants.length === 0) return;
    const item = form.get('item')?.toString() ?? '';
    void start(() =>
      call('conference.create', music === 'none' ? { participants } : { participants, media: { item, to: music } }),
    );
  };
  return (
    <form onSubmit={submit}>
      <fieldset class="checks">
        <legend>Who takes part</legend>
        {houses.flatMap(({ home, lines }) =>
          lines.map((line) => (
            <label key={line.id}>
              <input type="checkbox" name="participant" value={line.id} defaultChecked={line.registered} />
              <span>
                {lineName(line)}{' '}
                <span class="muted">
                  {home.name}
                  {line.registered ? '' : ', no phone'}
                </span>
              </span>
            </label>
          )),
        )}
      </fieldset>
      {few && (
        <p class="trouble" role="alert">
          Choose at least one phone.
        </p>
      )}
      <Field label="Music">
        {(id) => (
          <select id={id} value={music} onChange={(event) => setMusic(event.currentTarget.value as typeof music)}>
            <option value="none">None</option>
            <option value="homes">To every home, on its own channel</option>
            <option value="room">Into the room, for all</option>
          </select>
        )}
      </Field>
      {music !== 'none' && <Field label="Play">{(id) => <ItemSelect id={id} />}</Field>}
      <Button kind="main" type="submit" busy={busy}>
        Start the conference
      </Button>
    </form>
  );
}

export function LineSelect({
  id,
  name,
  houses,
  pick = 0,
}: {
  id: string;
  name: string;
  houses: readonly House[];
  pick?: number;
}) {
  const chosen = pickLine(houses, pick);
  return (
    <select id={id} name={name} required>
      {houses.map(({ home, lines }) => (
        <optgroup key={home.id} label={home.name}>
          {lines.map((line) => (
            <option key={line.id} value={line.id} selected={line.id === chosen?.id}>
              {lineName(line)} {line.number}
              {line.registered ? '' : ' (no phone)'}
            </option>
          ))}
        </optgroup>
      ))}
    </select>
  );
}

/** The `pick`-th line to offer: phones that are ready first, and one of each home before the second of any. */
function pickLine(houses: readonly House[], pick: number): Line | undefined {
  const ready = houses.map((house) => house.lines.filter((line) => line.registered));
  const most = Math.max(0, ...ready.map((lines) => lines.length));
  const turns = Array.from({ length: most }, (_, i) => ready.flatMap((lines) => lines[i] ?? [])).flat();
  return turns[pick] ?? houses.flatMap((house) => house.lines)[pick];
}

export function ItemSelect({ id }: { id: string }) {
  const items = useLoad('media', () => call('media.list', {}));
  return (
    <>
      <select id={id} name="item" required>
        {items.value?.items.map((item) => (
          <option key={item.id} value={item.id}>
            {item.title} ({lengthText(item.seconds)})
          </option>
        ))}
      </select>
      <TroubleNote trouble={items.trouble} />
    </>
  );
}

function read(event: SubmitEvent): FormData {
  event.preventDefault();
  return new FormData(event.currentTarget as HTMLFormElement);
}
