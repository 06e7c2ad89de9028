import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { HomeField } from './home-field.tsx';
import { useAction } from './hooks.ts';
import { type House, lineName, partyName } from './houses.ts';
import { Button, Card, Empty, Field, TroubleNote } from './ui.tsx';

interface Props {
  readonly houses: readonly House[];
  readonly groups: readonly VerbReply<'group.list'>['items'][number][];
  readonly changed: () => void;
}

/** Groups: a message to one goes to every member. */
export function Groups({ houses, groups, changed }: Props) {
  const action = useAction();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = new FormData(form);
    const made = await action.run(() =>
      call('group.create', {
        home: String(fields.get('home')),
        name: String(fields.get('name')).trim(),
        members: fields.getAll('member').map(String),
      }),
    );
    if (made === undefined) return;
    form.reset();
    changed();
  };
  const remove = async (group: string) => {
    await action.run(() => call('group.delete', { group }));
    changed();
  };
  return (
    <Card title="Groups">
      {groups.length === 0 && <Empty>No group yet.</Empty>}
      <ul class="list">
        {groups.map((group) => (
          <li key={group.id}>
            <div class="grow">
              <span class="strong">{group.name}</span>
              <span class="muted">{group.members.map((member) => partyName(member, houses)).join('; ')}</span>
            </div>
            <Button
              kind="small"
              busy={action.busy}
              onClick={() => void remove(group.id)}
              aria-label={`Remove group ${group.name}`}
            >
              Remove
            </Button>
          </li>
        ))}
      </ul>
      <details class="more">
        <summary>Add a group</summary>
        <form onSubmit={add}>
          <Field label="Name">
            {(id) => <input id={id} name="name" required maxLength={64} placeholder="Family" />}
          </Field>
          <HomeField label="Belongs to" houses={houses} />
          <fieldset class="checks">
            <legend>Members</legend>
            {houses.flatMap(({ home, lines }) =>
              lines.map((line) => (
                <label key={line.id}>
                  <input type="checkbox" name="member" value={line.id} /> {lineName(line)}, {home.name}
                </label>
              )),
            )}
          </fieldset>
          <Button kind="main" type="submit" busy={action.busy}>
            Add group
          </Button>
        </form>
      </details>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}
