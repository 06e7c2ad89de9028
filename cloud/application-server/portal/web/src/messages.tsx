/** Messages of the homes: who wrote what to whom, and what became of it; a new one; groups. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { Groups } from './groups.tsx';
import { useAction, useEvents, useLoad } from './hooks.ts';
import { type House, lineName, partyName, useHouses } from './houses.ts';
import { countText, momentText, wordsText } from './text.ts';
import { Button, Card, Empty, Field, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

type Message = VerbReply<'message.list'>['items'][number];
type Group = VerbReply<'group.list'>['items'][number];

export function MessagesPage() {
  const houses = useHouses();
  const groups = useLoad('groups', () => call('group.list', { limit: 100 }));
  const messages = useLoad('messages', () => call('message.list', { limit: 50 }), 30_000);
  useEvents('home.message.*', messages.reload);
  return (
    <Page title="Messages" lead="A message waits for a phone that is off, and arrives once.">
      <TroubleNote trouble={messages.trouble} />
      <div class="columns">
        <Card title="Newest first" aside={<span class="muted">live</span>}>
          <MessageList
            messages={messages.value?.items}
            houses={houses.value}
            groups={groups.value?.items}
            changed={messages.reload}
          />
        </Card>
        <div>
          <Compose houses={houses.value ?? []} groups={groups.value?.items ?? []} sent={messages.reload} />
          <Groups houses={houses.value ?? []} groups={groups.value?.items ?? []} changed={groups.reload} />
        </div>
      </div>
    </Page>
  );
}

interface ListProps {
  readonly messages: readonly Message[] | undefined;
  readonly houses: readonly House[] | undefined;
  readonly groups: readonly Group[] | undefined;
  readonly changed: () => void;
}

function MessageList({ messages, houses, groups, changed }: ListProps) {
  const action = useAction();
  const own = new Set(houses?.map(({ home }) => home.id));
  const unread = (message: Message) =>
    message.recipients.some((one) => one.home !== undefined && own.has(one.home) && one.state === 'delivered');
  const read = (message: Message) => action.run(() => call('message.read', { message: message.id })).then(changed);
  const remove = (message: Message) => action.run(() => call('message.delete', { message: message.id })).then(changed);
  const to = (message: Message) =>
    groups?.find((group) => group.id === message.group)?.name ??
    partyName(message.recipients[0]?.party ?? message.to, houses);
  if (messages === undefined) return <Empty>Looking…</Empty>;
  if (messages.length === 0) return <Empty>No messages yet.</Empty>;
  return (
    <>
      <ul class="list">
        {messages.map((message) => (
          <li key={message.id}>
            <div class="grow">
              <span class="muted">
                {partyName(message.from.line ?? message.from.party, houses)} to {to(message)} ·{' '}
                {momentText(message.createdAt)}
              </span>
              <span class="said">{message.text}</span>
              {message.recipients.some((one) => one.reason !== undefined) && (
                <span class="bad-text">{message.recipients.map((one) => one.reason).find(Boolean)}</span>
              )}
            </div>
            <Pill tone={tones[message.state]}>{stateText(message)}</Pill>
            {unread(message) && (
              <Button kind="small" busy={action.busy} onClick={() => void read(message)}>
                Mark read
              </Button>
            )}
            <Button
              kind="small"
              busy={action.busy}
              onClick={() => void remove(message)}
              aria-label={`Delete: ${message.text.slice(0, 40)}`}
            >
              Delete
            </Button>
          </li>
        ))}
      </ul>
      <TroubleNote trouble={action.trouble} />
    </>
  );
}

const tones: Readonly<Record<Message['state'], Tone>> = {
  accepted: 'busy',
  delivered: 'good',
  read: 'good',
  expired: 'bad',
  failed: 'bad',
};

/** One recipient in a word, several by how many have it. */
function stateText({ state, recipients }: Message): string {
  if (state === 'accepted' && recipients.length === 1) return 'waiting';
  if (recipients.length < 2) return state;
  const there = recipients.filter((one) => one.state === 'delivered' || one.state === 'read').length;
  return there === recipients.length
    ? `${wordsText(state)} by all`
    : `${there} of ${countText(recipients.length, 'recipient')}`;
}

function Compose({ houses, groups, sent }: { houses: readonly House[]; groups: readonly Group[]; sent: () => void }) {
  const action = useAction();
  const [done, setDone] = useState('');
  const lines = houses.flatMap(({ home, lines }) =>
    lines.map((line) => ({ line, name: `${lineName(line)}, ${home.name}` })),
  );
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = (name: string) => String(new FormData(form).get(name) ?? '').trim();
    const to = field('number') || field('to');
    const target = to.startsWith('grp_') ? { group: to } : { to };
    const message = await action.run(() =>
      call('message.send', { from: field('from'), ...target, text: field('text'), receipts: true }),
    );
    setDone(message === undefined ? '' : 'Sent.');
    if (message === undefined) return;
    (form.elements.namedItem('text') as HTMLTextAreaElement).value = '';
    sent();
  };
  return (
    <Card title="Write">
      {lines.length === 0 ? (
        <Empty>A message comes from a phone of a home; add one first.</Empty>
      ) : (
        <form onSubmit={send}>
          <Field label="From">
            {(id) => (
              <select id={id} name="from">
                {lines.map(({ line, name }) => (
                  <option key={line.id} value={line.id}>
                    {name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="To">
            {(id) => (
              <select id={id} name="to">
                {groups.map((group) => (
                  <option key={group.id} value={group.id}>
                    {group.name} (group)
                  </option>
                ))}
                {lines.toReversed().map(({ line, name }) => (
                  <option key={line.id} value={line.id}>
                    {name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Or a number" hint="Leave it empty to write to the one chosen above">
            {(id, hint) => <input id={id} aria-describedby={hint} name="number" inputMode="tel" maxLength={64} />}
          </Field>
          <Field label="Text">{(id) => <textarea id={id} name="text" rows={3} required maxLength={2000} />}</Field>
          <Button kind="main" type="submit" busy={action.busy}>
            Send
          </Button>
        </form>
      )}
      <p role="status" class="muted">
        {done}
      </p>
      <TroubleNote trouble={action.trouble} />
    </Card>
  );
}
