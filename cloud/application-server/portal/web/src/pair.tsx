/** Pairs a gateway: a QR opens this page with the code filled in; one tap, then live progress until it is done. */
import { useEffect, useState } from 'preact/hooks';
import { call, troubleOf } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import type { Gateway } from './houses.ts';
import { Button, Card, Empty, Field, Link, Page, TroubleNote } from './ui.tsx';

export function PairPage({ fragment }: { fragment: URLSearchParams }) {
  const homes = useLoad('pair homes', () => call('home.list', { limit: 500 }));
  const [gateway, setGateway] = useState<Gateway | undefined>();
  const [scanned] = useState(() => ({ code: shownCode(fragment.get('code') ?? ''), key: fragment.get('key') ?? '' }));
  return (
    <Page
      title="Pair a gateway"
      lead={gateway === undefined ? 'The gateway shows its code on its own page or screen.' : undefined}
    >
      {gateway === undefined ? (
        <PairForm homes={homes.value?.items} scanned={scanned} onClaimed={setGateway} />
      ) : (
        <Progress first={gateway} typed={scanned.key === ''} onAgain={() => setGateway(undefined)} />
      )}
      <TroubleNote trouble={homes.trouble} />
    </Page>
  );
}

interface FormProps {
  readonly homes: readonly { readonly id: string; readonly name: string }[] | undefined;
  readonly scanned: { readonly code: string; readonly key: string };
  onClaimed(gateway: Gateway): void;
}

function PairForm({ homes, scanned, onClaimed }: FormProps) {
  const action = useAction();
  const wanted = new URLSearchParams(location.search).get('home') ?? undefined;
  if (homes === undefined) return <Empty>Looking…</Empty>;
  if (homes.length === 0) return <Empty>No home belongs to this account yet; a gateway is paired with a home.</Empty>;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const key = text('code') === scanned.code && scanned.key !== '' ? { key: scanned.key } : {};
    const gateway = await action.run(() => call('gateway.claim', { home: text('home'), code: text('code'), ...key }));
    if (gateway !== undefined) onClaimed(gateway);
  };
  return (
    <Card title={scanned.code === '' ? 'Type the code' : 'Code from the gateway'}>
      <form onSubmit={submit}>
        <Field label="Pairing code" hint="Eight letters; case and dashes do not matter">
          {(id, hint) => (
            <input
              id={id}
              aria-describedby={hint}
              name="code"
              class="code"
              defaultValue={scanned.code}
              required
              maxLength={32}
              autocomplete="off"
              autocapitalize="characters"
              spellcheck={false}
              placeholder="BCDF-GHJK"
            />
          )}
        </Field>
        {homes.length === 1 ? (
          <input type="hidden" name="home" value={homes[0]?.id ?? ''} />
        ) : (
          <Field label="Home">
            {(id) => (
              <select id={id} name="home" required>
                {homes.map((home) => (
                  <option key={home.id} value={home.id} selected={home.id === wanted}>
                    {home.name}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <TroubleNote trouble={action.trouble} />
        <Button kind="main" type="submit" busy={action.busy}>
          Pair {homes.length === 1 ? `with ${homes[0]?.name}` : 'this gateway'}
        </Button>
      </form>
    </Card>
  );
}

/** A code as gateways show it: two groups of four. */
function shownCode(code: string): string {
  return /^[A-Za-z]{8}$/.test(code) ? `${code.slice(0, 4)}-${code.slice(4)}` : code;
}

const steps = [
  { stage: 'claimed', text: 'Code accepted' },
  { stage: 'certificate', text: 'Certificate made' },
  { stage: 'reconnecting', text: 'Gateway comes back with it' },
  { stage: 'configuring', text: 'First configuration applied' },
  { stage: 'done', text: 'Paired' },
] as const;

function Progress({ first, typed, onAgain }: { first: Gateway; typed: boolean; onAgain: () => void }) {
  const [gateway, setGateway] = useState(first);
  const over = gateway.state === 'paired' || gateway.state === 'failed';
  useEffect(() => {
    if (over) return;
    const timer = setInterval(async () => {
      const reply = await call('gateway.get', { home: first.home, gateway: first.id });
      if (reply.ok) setGateway(reply.value);
      else if (reply.fault.code === 'not_found') setGateway({ ...first, state: 'failed', cause: 'pairing_timeout' });
    }, 700);
    return () => clearInterval(timer);
  }, [first, over]);
  const reached =
    gateway.state === 'paired'
      ? steps.length
      : Math.max(
          0,
          steps.findIndex((step) => step.stage === gateway.stage),
        ) + 1;
  return (
    <Card title={gateway.state === 'paired' ? 'Paired' : gateway.state === 'failed' ? 'Not paired' : 'Pairing…'}>
      {typed && gateway.checkWords !== undefined && (
        <div class="note">
          <p>Compare: the gateway must show these four words.</p>
          <p class="words">{gateway.checkWords}</p>
          <p class="muted">Other words mean another gateway: unpair it on the home’s page.</p>
        </div>
      )}
      <ol class="steps">
        {steps.map((step, i) => (
          <li key={step.stage} class={i < reached ? 'done' : i === reached && !over ? 'now' : ''}>
            {step.text}
          </li>
        ))}
      </ol>
      <p role="status" class="hidden">
        {gateway.state === 'paired' ? 'The gateway is paired.' : (steps[reached - 1]?.text ?? '')}
      </p>
      {gateway.state === 'failed' && (
        <>
          <TroubleNote trouble={troubleOf(gateway.cause ?? 'internal')} />
          <Button kind="main" onClick={onAgain}>
            Try again
          </Button>
        </>
      )}
      {gateway.state === 'paired' && (
        <Link to={`/homes/${gateway.home}`} class="button main">
          Open the home
        </Link>
      )}
    </Card>
  );
}
