/** Adds a phone, media, or a device action to a session that is going on. */
import { useState } from 'preact/hooks';
import { call } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction } from './hooks.ts';
import type { House } from './houses.ts';
import type { Session } from './sessions.tsx';
import { ItemSelect, LineSelect } from './start.tsx';
import { Button, Card, Field, TroubleNote } from './ui.tsx';

type Kind = 'voice' | 'media' | 'device';
interface Found {
  readonly id: string;
  readonly name: string;
  readonly wakes?: boolean;
}

export function LegAdder({
  session,
  houses,
  changed,
}: {
  session: Session;
  houses: readonly House[];
  changed: () => void;
}) {
  const [kind, setKind] = useState<Kind>('voice');
  const [home, setHome] = useState<string | undefined>();
  const [found, setFound] = useState<readonly Found[] | undefined>();
  const [said, setSaid] = useState('');
  const action = useAction();
  const place = home ?? session.legs.find((leg) => leg.home !== undefined)?.home ?? houses[0]?.home.id ?? '';

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '');
    const added = await action.run(() => {
      if (kind === 'voice') return call('leg.add', { session: session.id, kind, party: text('party') });
      if (kind === 'media')
        return call('leg.add', { session: session.id, kind, party: text('party'), item: text('item') });
      return call('leg.add', { session: session.id, kind, home: place, action: 'list' });
    });
    if (added === undefined) return;
    setSaid(kind === 'device' ? 'Devices listed.' : 'Added.');
    setFound(kind === 'device' ? devicesOf(added.result) : undefined);
    changed();
  };
  const wake = async (device: Found) => {
    const added = await action.run(() =>
      call('leg.add', { session: session.id, kind: 'device', home: place, device: device.id, action: 'wake' }),
    );
    setSaid(added === undefined ? '' : `${device.name}: wake-up sent.`);
    changed();
  };
  return (
    <Card title="Add to this session">
      <form onSubmit={submit}>
        <fieldset class="switch">
          <legend class="hidden">What to add</legend>
          {(['voice', 'media', 'device'] as const).map((one) => (
            <label key={one}>
              <input type="radio" name="kind" checked={kind === one} onChange={() => setKind(one)} />
              <span>{{ voice: 'Phone', media: 'Media', device: 'Devices' }[one]}</span>
            </label>
          ))}
        </fieldset>
        {kind !== 'device' && (
          <Field label="Phone">{(id) => <LineSelect id={id} name="party" houses={houses} pick={2} />}</Field>
        )}
        {kind === 'media' && <Field label="Play">{(id) => <ItemSelect id={id} />}</Field>}
        {kind === 'device' && <HomeField label="Home" houses={houses} value={place} choose={setHome} />}
        <Button type="submit" busy={action.busy}>
          {kind === 'device' ? 'List devices' : 'Add'}
        </Button>
      </form>
      {found !== undefined && (
        <ul class="list">
          {found.length === 0 && <li class="muted">No device there.</li>}
          {found.map((device) => (
            <li key={device.id}>
              <span class="grow">{device.name}</span>
              {device.wakes === true && (
                <Button kind="small" busy={action.busy} onClick={() => void wake(device)}>
                  Wake
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      <p role="status" class="muted">
        {said}
      </p>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}

/** The devices in a leg's result, which is a list or `{ items }`. */
function devicesOf(result: unknown): readonly Found[] {
  const items = Array.isArray(result) ? result : (result as { items?: unknown } | undefined)?.items;
  return Array.isArray(items) ? (items as readonly Found[]) : [];
}
