import { call } from './api.ts';
import { useAction, useLoad } from './hooks.ts';
import { Button, Card, Field, TroubleNote } from './ui.tsx';

/** How a home pays, and what it has; the operator adds credit. */
export function Balance({ home, operator }: { home: string; operator: boolean }) {
  const balance = useLoad(`balance ${home}`, () => call('balance.get', { home }), 10_000);
  const action = useAction();
  const add = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const micro = Math.round(Number(new FormData(form).get('amount')) * 1e6);
    const done = await action.run(() => call('balance.set', { home, mode: 'prepaid', add: micro }));
    if (done === undefined) return;
    form.reset();
    balance.reload();
  };
  const { mode, balance: held = 0, reserved = 0 } = balance.value ?? {};
  return (
    <Card title="Balance">
      {mode === 'postpaid' && <p>Pays afterwards, by its records.</p>}
      {mode === 'prepaid' && (
        <p>
          <span class="number">{(held / 1e6).toFixed(2)}</span>{' '}
          <span class="muted">in advance, of which {(reserved / 1e6).toFixed(2)} is reserved for calls</span>
        </p>
      )}
      {operator && (
        <details class="more">
          <summary>Add credit</summary>
          <form onSubmit={add}>
            <Field label="Amount" hint="From then on the home pays in advance">
              {(id, hint) => (
                <input
                  id={id}
                  aria-describedby={hint}
                  name="amount"
                  type="number"
                  min="0"
                  max="10000"
                  step="0.01"
                  required
                />
              )}
            </Field>
            <Button kind="main" type="submit" busy={action.busy}>
              Add credit
            </Button>
          </form>
        </details>
      )}
      <TroubleNote trouble={balance.trouble ?? action.trouble} />
    </Card>
  );
}
