import { useState } from 'preact/hooks';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, troubleOf } from './api.ts';
import { type Action, useAction, useEvents, useLoad } from './hooks.ts';
import { countText, momentText } from './text.ts';
import { Button, Card, Empty, Link, Page, Pill, type Tone, TroubleNote } from './ui.tsx';

type Release = VerbReply<'release.list'>['items'][number];
type Rollout = VerbReply<'rollout.list'>['items'][number];
type Member = VerbReply<'rollout.gateways'>['items'][number];

const tones: Readonly<Record<string, Tone>> = {
  running: 'busy',
  paused: 'quiet',
  stopped: 'bad',
  done: 'good',
  good: 'good',
  ready: 'good',
  back: 'bad',
  failed: 'bad',
  silent: 'bad',
  waiting: 'quiet',
  skipped: 'quiet',
  withdrawn: 'quiet',
};

/** Releases of the gateways' image, and how far each rollout is. */
export function RolloutsPage() {
  const releases = useLoad('releases', () => call('release.list', { limit: 20 }), 15_000);
  const rollouts = useLoad('rollouts', () => call('rollout.list', { limit: 10 }), 5_000);
  const action = useAction();
  const reload = () => {
    releases.reload();
    rollouts.reload();
  };
  useEvents('home.rollout.* home.update.*', rollouts.reload);
  const busyBoards = rollouts.value?.items.filter(isOpen).map(({ board }) => board) ?? [];
  return (
    <Page
      title="Updates"
      lead="A release goes to a few gateways first, then to more. It stops by itself when too many of them fail."
    >
      <TroubleNote trouble={releases.trouble ?? rollouts.trouble ?? action.trouble} />
      <Card title="Rollouts" aside={<span class="muted">live</span>}>
        {rollouts.value?.items.length === 0 && <Empty>Nothing has been rolled out yet.</Empty>}
        <ul class="list">
          {rollouts.value?.items.map((rollout) => (
            <RolloutRow key={rollout.id} rollout={rollout} action={action} onDone={reload} />
          ))}
        </ul>
      </Card>
      <Card title="Releases">
        {releases.value?.items.length === 0 && (
          <Empty>
            None yet. <code>hearthline release upload</code> brings one here.
          </Empty>
        )}
        <ul class="list">
          {releases.value?.items.map((release) => (
            <ReleaseRow
              key={release.id}
              release={release}
              free={!busyBoards.includes(release.board)}
              action={action}
              onDone={reload}
            />
          ))}
        </ul>
      </Card>
    </Page>
  );
}

const isOpen = ({ state }: Rollout): boolean => state === 'running' || state === 'paused';

interface RowProps {
  readonly action: Action;
  readonly onDone: () => void;
}

function RolloutRow({ rollout, action, onDone }: RowProps & { rollout: Rollout }) {
  const [open, setOpen] = useState(false);
  const { id, version, board, state, gateways } = rollout;
  const steer = (verb: 'rollout.pause' | 'rollout.resume' | 'rollout.stop', word: string) => (
    <Button
      kind="small"
      busy={action.busy}
      onClick={() => void action.run(() => call(verb, { rollout: id })).then(onDone)}
      aria-label={`${word} the rollout of ${version}`}
    >
      {word}
    </Button>
  );
  return (
    <li>
      <div class="grow">
        <span class="strong">
          {version} for {board}
        </span>
        <span class="muted">
          {momentText(rollout.createdAt)} · {gateways.good} of {countText(gateways.all, 'gateway')} good,{' '}
          {gateways.failed} failed, {gateways.waiting} waiting
          {rollout.why === undefined ? '' : ` · ${rollout.why}`}
        </span>
        {rollout.stages.map((stage, i) => (
          <StageBar key={stage.percent} stage={stage} current={isOpen(rollout) && i + 1 === rollout.stage} />
        ))}
        {open && <Members rollout={id} />}
      </div>
      <Pill tone={tones[state] ?? 'busy'}>{state}</Pill>
      <Button
        kind="small"
        onClick={() => setOpen(!open)}
        aria-expanded={open}
        aria-label={`Gateways of the rollout of ${version}`}
      >
        Gateways
      </Button>
      {state === 'running' && steer('rollout.pause', 'Pause')}
      {state === 'paused' && steer('rollout.resume', 'Resume')}
      {isOpen(rollout) && steer('rollout.stop', 'Stop')}
    </li>
  );
}

function StageBar({ stage, current }: { stage: Rollout['stages'][number]; current: boolean }) {
  const { percent, gateways, good, failed } = stage;
  const words = `${percent} %: ${good} of ${gateways} good${failed > 0 ? `, ${failed} failed` : ''}`;
  return (
    <span class="stage">
      <progress max={Math.max(1, gateways)} value={good} aria-label={`Stage of ${words}`} />
      <span class={current ? 'strong' : 'muted'}>{words}</span>
    </span>
  );
}

/** Those that failed come with what they told. */
function Members({ rollout }: { rollout: string }) {
  const members = useLoad(`members ${rollout}`, () => call('rollout.gateways', { rollout, limit: 200 }), 5_000);
  return (
    <>
      <TroubleNote trouble={members.trouble} />
      {members.value?.items.length === 0 && <Empty>No gateway.</Empty>}
      <ul class="list">
        {members.value?.items.map((member) => (
          <MemberRow key={member.gateway} member={member} />
        ))}
      </ul>
      {members.value?.next !== undefined && <span class="muted">and more: `hearthline rollout gateways`</span>}
    </>
  );
}

function MemberRow({ member }: { member: Member }) {
  const { gateway, state, reason, text, reached, attempts, lines } = member;
  const why = reason === undefined ? undefined : troubleOf(reason).title;
  const came =
    reached === undefined ? undefined : `came as far as “${reached}” in ${countText(attempts ?? 1, 'start')}`;
  return (
    <li>
      <div class="grow">
        <Link to={`/gateways/${gateway}`}>
          <code class="cut">{gateway}</code>
        </Link>
        <span class="muted">{[why, came, text].filter((one) => one !== undefined).join(' · ')}</span>
        {lines !== undefined && lines.length > 0 && (
          <details>
            <summary>Its last lines</summary>
            <pre>{lines.join('\n')}</pre>
          </details>
        )}
      </div>
      <Pill tone={tones[state] ?? 'busy'}>{state}</Pill>
    </li>
  );
}

function ReleaseRow({ release, free, action, onDone }: RowProps & { release: Release; free: boolean }) {
  const { id, version, board, state, size, uploaded, notes } = release;
  const start = () => action.run(() => call('rollout.create', { release: id })).then(onDone);
  const withdraw = () => action.run(() => call('release.withdraw', { release: id })).then(onDone);
  const share = state === 'waiting' ? ` · ${Math.floor((100 * (uploaded ?? 0)) / size)} % uploaded` : '';
  return (
    <li>
      <div class="grow">
        <span class="strong">
          {version} for {board}
        </span>
        <span class="muted">
          {momentText(release.createdAt)} · {(size / 1e6).toFixed(1)} MB{share}
          {notes === undefined ? '' : ` · ${notes}`}
        </span>
      </div>
      <Pill tone={tones[state] ?? 'busy'}>{state}</Pill>
      {state === 'ready' && free && (
        <Button kind="small" busy={action.busy} onClick={() => void start()} aria-label={`Roll out ${version}`}>
          Roll out
        </Button>
      )}
      {state !== 'withdrawn' && (
        <Button kind="small" busy={action.busy} onClick={() => void withdraw()} aria-label={`Withdraw ${version}`}>
          Withdraw
        </Button>
      )}
    </li>
  );
}
