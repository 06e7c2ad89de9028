/** The few pieces that every page is made of. */
import type { ComponentChildren, JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Trouble } from './api.ts';
import { go } from './route.ts';

interface Children {
  readonly children: ComponentChildren;
}

export function Page({
  title,
  lead,
  actions,
  children,
}: Children & { title: string; lead?: ComponentChildren; actions?: ComponentChildren }) {
  document.title = `${title} · Hearthline`;
  return (
    <main id="main">
      <header class="page-head">
        <div>
          <h1 tabIndex={-1}>{title}</h1>
          {lead !== undefined && <p class="lead">{lead}</p>}
        </div>
        {actions !== undefined && <div class="row">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

export function Card({ title, aside, children }: Children & { title: string; aside?: ComponentChildren }) {
  const id = useId();
  return (
    <section class="card" aria-labelledby={id}>
      <header class="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

export type Tone = 'good' | 'busy' | 'bad' | 'quiet';

export function Pill({ tone, children }: Children & { tone: Tone }) {
  return <span class={`pill ${tone}`}>{children}</span>;
}

interface LinkProps extends Children {
  readonly to: string;
  readonly class?: string;
  readonly 'aria-current'?: 'page' | undefined;
}

/** A link inside the portal; with a modifier key it stays a plain link. */
export function Link({ to, children, ...more }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a {...more} href={to} onClick={follow}>
      {children}
    </a>
  );
}

export function Button({
  kind = 'plain',
  busy,
  children,
  ...more
}: Children & { kind?: 'plain' | 'main' | 'danger' | 'small'; busy?: boolean } & Omit<
    JSX.IntrinsicElements['button'],
    'type' | 'kind'
  > & { type?: 'button' | 'submit' }) {
  return (
    <button
      type="button"
      {...more}
      class={`button ${kind}`}
      aria-busy={busy === true}
      disabled={busy === true || more.disabled === true}
    >
      {children}
    </button>
  );
}

/** A labelled input; `hint` is read out with it. */
export function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: (id: string, hintId: string | undefined) => ComponentChildren;
}) {
  const id = useId();
  const hintId = hint === undefined ? undefined : `${id}-hint`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hintId)}
      {hint !== undefined && (
        <small id={hintId} class="muted">
          {hint}
        </small>
      )}
    </div>
  );
}

/** Rows that scroll within the page, newest first. */
export function EventList({ label, children }: Children & { label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by the keyboard.
    <ol class="events" tabIndex={0} aria-label={label}>
      {children}
    </ol>
  );
}

/** What went wrong and what to do; announced as soon as it appears. */
export function TroubleNote({ trouble }: { trouble: Trouble | undefined }) {
  return (
    <div role="alert">
      {trouble !== undefined && (
        <div class="trouble">
          <strong>{trouble.title}.</strong> {trouble.detail !== undefined && <span>{trouble.detail} </span>}
          <span>{trouble.next}</span>
        </div>
      )}
    </div>
  );
}

export function Empty({ children }: Children) {
  return <p class="empty">{children}</p>;
}

/** A value to be copied by hand or by the button beside it. */
export function Secret({ label, value }: { label: string; value: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(value);
    setCopied(true);
  };
  return (
    <div class="secret">
      <dt>{label}</dt>
      <dd>
        <code>{value}</code>
        {navigator.clipboard !== undefined && (
          <Button kind="small" onClick={copy} aria-label={`Copy ${label}`}>
            {copied ? 'Copied' : 'Copy'}
          </Button>
        )}
      </dd>
    </div>
  );
}
