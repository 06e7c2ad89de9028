/** One gateway's health, live: why it is not well, its checks, its state, its calls message by message, its log. */
import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call } from './api.ts';
import { GatewayCalls } from './gateway-calls.tsx';
import { useLoad } from './hooks.ts';
import { countText, lengthText, momentText, timeText, wordsText } from './text.ts';
import { Button, Card, Empty, EventList, Link, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

type Report = VerbReply<'gateway.check'>;
type Status = VerbReply<'gateway.status'>;

export function GatewayPage({ id }: { id: string }) {
  const status = useLoad(`status ${id}`, () => call('gateway.status', { gateway: id }), 5000);
  const checks = useLoad(`checks ${id}`, () => call('gateway.check', { gateway: id }), 30_000);
  const why = useLoad(`why ${id}`, () => call('gateway.why', { gateway: id, about: 'gateway' }), 30_000);
  const again = () => {
    checks.reload();
    why.reload();
  };
  return (
    <Page
      title="Gateway"
      lead={<Link to="/gateways">All gateways</Link>}
      actions={<Button onClick={again}>Check again</Button>}
    >
      <TroubleNote trouble={status.trouble ?? checks.trouble} />
      {why.value !== undefined && (
        <Card title="In plain words">
          <p class="words">{why.value.answer}</p>
          <ul>
            {why.value.evidence.map((line) => (
              <li key={line} class="muted">
                {line}
              </li>
            ))}
          </ul>
          {why.value.next !== undefined && <p>{why.value.next}</p>}
        </Card>
      )}
      <div class="columns">
        <div>
          <Checks report={checks.value} />
          <GatewayCalls gateway={id} />
        </div>
        <div>
          {status.value !== undefined && <State status={status.value} />}
          <Log gateway={id} />
        </div>
      </div>
    </Page>
  );
}

const tones: Readonly<Record<string, Tone>> = { ok: 'good', warn: 'busy', fail: 'bad', skipped: 'quiet' };

/** The checks, what is wrong first; what is well is folded away. */
function Checks({ report }: { report: Report | undefined }) {
  const [all, setAll] = useState(false);
  if (report === undefined)
    return (
      <Card title="Checks">
        <Empty>The gateway is looking at itself…</Empty>
      </Card>
    );
  const { ok, warn, fail, skipped } = report.counts;
  const rank = ['fail', 'warn', 'skipped', 'ok'];
  const items = report.items
    .filter((item) => all || item.result === 'fail' || item.result === 'warn')
    .toSorted((a, b) => rank.indexOf(a.result) - rank.indexOf(b.result));
  return (
    <Card title="Checks" aside={<span class="muted">{timeText(report.at)}</span>}>
      <p class="row">
        <Pill tone="good">{ok} well</Pill>
        {warn > 0 && <Pill tone="busy">{countText(warn, 'warning')}</Pill>}
        {fail > 0 && <Pill tone="bad">{fail} failed</Pill>}
        {skipped > 0 && <Pill tone="quiet">{skipped} skipped</Pill>}
      </p>
      {items.length === 0 && <Empty>Nothing to do here.</Empty>}
      <ul class="list">
        {items.map((item) => (
          <li key={item.id}>
            <div class="grow">
              <span class="strong">{item.about}</span>
              <span class="muted">
                <code>{item.id}</code> {item.evidence}
              </span>
              {item.cause !== undefined && <span>{item.cause}</span>}
              {item.next !== undefined && <span>{item.next}</span>}
            </div>
            {item.id === report.root && <Pill tone="bad">root cause</Pill>}
            <Pill tone={tones[item.result] ?? 'quiet'}>{item.result}</Pill>
          </li>
        ))}
      </ul>
      <button type="button" class="textual" onClick={() => setAll(!all)}>
        {all ? 'Show only what needs care' : 'Show all checks'}
      </button>
    </Card>
  );
}

function State({ status }: { status: Status }) {
  const rows: readonly (readonly [string, string])[] = [
    ['Up for', lengthText(status.uptime / 1000)],
    ['Profile', `${wordsText(status.profile)}, ${status.version}`],
    ['Cloud', `${status.cloud.link} since ${momentText(status.cloud.since)}`],
    ['SIP', `flow ${status.sip.flow}, ${countText(status.sip.calls, 'call')}, ${status.sip.udp}`],
    ['To be reported', `${status.outbox.waiting} waiting, ${status.outbox.lost} lost`],
    ['Devices', `${status.devices}`],
    ['Addresses', status.addresses.join(', ')],
  ];
  return (
    <Card title="State" aside={<span class="muted">live</span>}>
      <dl class="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ul class="list">
        {status.lines.map((line) => (
          <li key={line.id}>
            <div class="grow">
              <span class="strong">{line.name ?? line.number}</span>
              <span class="muted">{line.phones.join(', ') || 'no phone registered'}</span>
            </div>
            <Pill tone={line.upstream === 'held' ? 'good' : line.upstream === 'refused' ? 'bad' : 'quiet'}>
              {line.upstream === 'held' ? 'registered' : line.upstream}
            </Pill>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Log({ gateway }: { gateway: string }) {
  const log = useLoad(`log ${gateway}`, () => call('gateway.logs', { gateway, limit: 50 }), 5000);
  return (
    <Card title="Log">
      <TroubleNote trouble={log.trouble} />
      {log.value?.items.length === 0 && <Empty>The log is empty.</Empty>}
      <EventList label="Lines of the log, newest first">
        {log.value?.items.toReversed().map((line) => (
          <li key={line.n}>
            <span class="muted">{timeText(line.at)}</span>
            <span class={line.level === 'error' || line.level === 'warn' ? 'bad-text' : ''}>
              {line.event}{' '}
              <span class="muted">
                {Object.entries(line.fields)
                  .map(([name, value]) => `${name}=${value}`)
                  .join(' ')}
              </span>
            </span>
          </li>
        ))}
      </EventList>
    </Card>
  );
}
