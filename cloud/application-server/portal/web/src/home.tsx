/** One home: its gateways, phones and devices. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Self, troubleOf } from './api.ts';
import { Balance } from './balance.tsx';
import { useAction, useLoad } from './hooks.ts';
import { type Gateway, type Line, lineName } from './houses.ts';
import { People } from './people.tsx';
import { timeText } from './text.ts';
import { Button, Card, Empty, Field, Link, Page, Pill, Secret, TroubleNote } from './ui.tsx';

export function HomePage({ id, self }: { id: string; self: Self }) {
  const home = useLoad(`home ${id}`, () => call('home.get', { home: id }));
  return (
    <Page
      title={home.value?.name ?? 'Home'}
      lead={<Link to="/homes">All homes</Link>}
      actions={
        <Link to={`/pair?home=${encodeURIComponent(id)}`} class="button main">
          Pair a gateway
        </Link>
      }
    >
      <TroubleNote trouble={home.trouble} />
      <div class="columns even">
        <Gateways home={id} />
        <Phones home={id} operator={self.role === 'operator'} />
      </div>
      <Devices home={id} />
      <div class="columns even">
        {self.role === 'operator' && <People home={id} />}
        <Balance home={id} operator={self.role === 'operator'} />
      </div>
    </Page>
  );
}

function Gateways({ home }: { home: string }) {
  const gateways = useLoad(`gateways ${home}`, () => call('gateway.list', { home }), 5000);
  const action = useAction();
  const remove = async (gateway: Gateway) => {
    if (!confirm('Unpair this gateway? Its phones and devices lose the cloud at once.')) return;
    await action.run(() => call('gateway.remove', { home, gateway: gateway.id }));
    gateways.reload();
  };
  return (
    <Card title="Gateways">
      {gateways.value === undefined && <Empty>Looking…</Empty>}
      {gateways.value?.items.length === 0 && (
        <Empty>No gateway is paired. Switch it on, read its code, and pair it.</Empty>
      )}
      <ul class="list">
        {gateways.value?.items.map((gateway) => (
          <li key={gateway.id}>
            <div class="grow">
              <Link to={`/gateways/${gateway.id}`} class="strong">
                {gateway.profile === 'ip-appliance' ? 'IP appliance' : 'Gateway'} {gateway.version ?? ''}
              </Link>
              <code class="muted cut">{gateway.id}</code>
              {gateway.cause !== undefined && (
                <span class="bad-text">
                  {troubleOf(gateway.cause).title}. {troubleOf(gateway.cause).next}
                </span>
              )}
            </div>
            <GatewayPill gateway={gateway} />
            <Button kind="small" onClick={() => void remove(gateway)}>
              Unpair
            </Button>
          </li>
        ))}
      </ul>
      <TroubleNote trouble={gateways.trouble ?? action.trouble} />
    </Card>
  );
}

function GatewayPill({ gateway }: { gateway: Gateway }) {
  if (gateway.state === 'failed') return <Pill tone="bad">pairing failed</Pill>;
  if (gateway.state !== 'paired') return <Pill tone="busy">pairing</Pill>;
  return <Pill tone={gateway.online ? 'good' : 'bad'}>{gateway.online ? 'online' : 'offline'}</Pill>;
}

function Phones({ home, operator }: { home: string; operator: boolean }) {
  const lines = useLoad(`lines ${home}`, () => call('line.list', { home }), 5000);
  const [fresh, setFresh] = useState<VerbReply<'line.create'> | undefined>();
  const action = useAction();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const text = (field: string) => String(new FormData(form).get(field) ?? '').trim() || undefined;
    const [name, number] = [text('name'), text('number')];
    const line = await action.run(() =>
      call('line.create', { home, ...(name ? { name } : {}), ...(number ? { number } : {}) }),
    );
    if (line === undefined) return;
    form.reset();
    setFresh(line);
    lines.reload();
  };
  const remove = async (line: Line) => {
    if (!confirm(`Remove ${lineName(line)}? Its phone is refused from now on.`)) return;
    await action.run(() => call('line.remove', { home, line: line.id }));
    lines.reload();
  };
  return (
    <Card title="Phones">
      {lines.value?.items.length === 0 && (
        <Empty>No phone yet. Add one and put its credentials into a SIP phone.</Empty>
      )}
      <ul class="list">
        {lines.value?.items.map((line) => (
          <li key={line.id}>
            <div class="grow">
              <Link to={`/homes/${home}/lines/${line.id}`} class="strong">
                {lineName(line)}
              </Link>
              <span class="muted">
                {line.number}
                {line.kind === 'appliance' ? ', appliance' : ''}
              </span>
            </div>
            <Pill tone={line.registered ? 'good' : 'quiet'}>{line.registered ? 'ready' : 'no phone'}</Pill>
            <Button kind="small" onClick={() => void remove(line)} aria-label={`Remove ${lineName(line)}`}>
              Remove
            </Button>
          </li>
        ))}
      </ul>
      {fresh !== undefined && <Credentials line={fresh} onDone={() => setFresh(undefined)} />}
      <details class="more" open={lines.value?.items.length === 0}>
        <summary>Add a phone</summary>
        <form onSubmit={add}>
          <Field label="Name">{(id) => <input id={id} name="name" maxLength={64} placeholder="Kitchen" />}</Field>
          {operator && (
            <Field label="Number" hint="Leave it empty for the next free one">
              {(id, hint) => (
                <input
                  id={id}
                  aria-describedby={hint}
                  name="number"
                  inputMode="tel"
                  placeholder="+15550100123"
                  maxLength={16}
                />
              )}
            </Field>
          )}
          <Button kind="main" type="submit" busy={action.busy}>
            Add phone
          </Button>
        </form>
      </details>
      <TroubleNote trouble={lines.trouble ?? action.trouble} />
    </Card>
  );
}

/** Shown once: the cloud keeps no password that it could show again. */
function Credentials({ line, onDone }: { line: VerbReply<'line.create'>; onDone: () => void }) {
  return (
    <div class="note" role="status">
      <p>
        <strong>{lineName(line)}</strong> is ready. Put these into the phone now; the password is not shown again.
      </p>
      <p class="muted">Server: the address of the home’s gateway, or of the operator’s softswitch.</p>
      <dl>
        <Secret label="User name" value={line.sip.username} />
        <Secret label="Password" value={line.sip.password ?? ''} />
        <Secret label="Domain" value={line.sip.domain} />
        <Secret label="Number" value={line.number} />
      </dl>
      <Button kind="small" onClick={onDone}>
        I have them
      </Button>
    </div>
  );
}

function Devices({ home }: { home: string }) {
  const devices = useLoad(`devices ${home}`, () => call('device.list', { home }), 5000);
  const action = useAction();
  const [woken, setWoken] = useState<string | undefined>();
  const wake = async (device: string, name: string) => {
    const sent = await action.run(() => call('device.wake', { home, device }));
    setWoken(sent === undefined ? undefined : `${name}: wake-up sent.`);
  };
  return (
    <Card title="Devices on the home’s network">
      {devices.value === undefined && <Empty>Looking…</Empty>}
      {devices.value?.items.length === 0 && <Empty>The gateway has found no devices yet.</Empty>}
      <ul class="list">
        {devices.value?.items.map((device) => (
          <li key={device.id}>
            <div class="grow">
              <span class="strong">{device.name}</span>
              <span class="muted">
                {device.kind} · {device.address} · seen {timeText(device.seenAt)}
              </span>
            </div>
            <Pill tone={device.present ? 'good' : 'quiet'}>{device.present ? 'present' : 'away'}</Pill>
            {device.wakes && (
              <Button
                kind="small"
                busy={action.busy}
                onClick={() => void wake(device.id, device.name)}
                aria-label={`Wake ${device.name}`}
              >
                Wake
              </Button>
            )}
          </li>
        ))}
      </ul>
      <p role="status" class="muted">
        {woken}
      </p>
      <TroubleNote trouble={devices.trouble ?? action.trouble} />
    </Card>
  );
}
