/** The four transaction machines, state by state and input by input: RFC 3261 figures 5 to 8 as changed by RFC 6026. */
import { describe, expect, it } from 'vitest';
import { checkedStep } from '#test/support/checked-step.ts';
import { type Machine, NEVER, TICK, type Tick } from '../kernel/machine.ts';
import { inviteClient, newInviteClient } from './invite-client.ts';
import { inviteServer, newInviteServer } from './invite-server.ts';
import { newRequestClient, requestClient } from './request-client.ts';
import { newRequestServer, requestServer } from './request-server.ts';

interface Plan<S> {
  fresh(reliable: boolean): S;
  /** Inputs, separated by commas, that lead to each state over UDP. */
  readonly paths: Readonly<Record<string, string>>;
  readonly inputs: readonly string[];
  /** `state, input -> outputs, next state`; a pair without a row does nothing. */
  readonly rows: readonly (readonly [state: string, input: string, outputs: string, next: string])[];
  /** What time alone does in a state that is entered at 0: `ms:outputs` separated by spaces; `tcp` where it differs. */
  readonly time: Readonly<Record<string, { readonly udp: string; readonly tcp?: string }>>;
}

type Named = { readonly on: string };

function inputOf<I extends Named>(text: string): I {
  const [on = '', status] = text.trim().split(' ');
  return (status === undefined ? { on } : { on, status: Number(status) }) as unknown as I;
}

function show(outputs: readonly { do: string; why?: string }[]): string {
  return outputs.map((output) => (output.why ? `${output.do}-${output.why}` : output.do)).join('+');
}

function check<S extends { at: string }, I extends Named, O extends { readonly do: string }>(
  machine: Machine<S, I, O>,
  plan: Plan<S>,
): void {
  const step = (state: S, input: I | Tick, now: number) => checkedStep(machine, state, input, now);
  const reach = (name: string, reliable: boolean): S => {
    const state = plan.fresh(reliable);
    for (const input of (plan.paths[name] ?? '').split(',').filter((text) => text !== ''))
      step(state, inputOf(input), 0);
    return state;
  };
  const states = Object.keys(plan.paths);
  const pairs = states.flatMap((state) => plan.inputs.map((input) => [state, input] as const));

  it.each(pairs)('%s, %s', (name, input) => {
    const state = reach(name, false);
    expect(state.at).toBe(name);
    const row = plan.rows.find(([at, on]) => at === name && on === input);
    const out = step(state, inputOf(input), 0);
    expect([show(out), state.at]).toEqual(row ? [row[2], row[3]] : ['', name]);
  });

  it.each(states)('time in %s', (name) => {
    for (const reliable of [false, true]) {
      const expected = (reliable ? plan.time[name]?.tcp : undefined) ?? plan.time[name]?.udp ?? '';
      const state = reach(name, reliable);
      const seen: string[] = [];
      for (let now = machine.due(state); now !== NEVER && seen.length < 50; now = machine.due(state)) {
        expect(show(step(state, TICK, now - 1))).toBe('');
        seen.push(`${now}:${show(step(state, TICK, now))}`);
      }
      expect(seen.join(' ')).toBe(expected);
    }
  });

  it('has no row for a pair that does not exist', () => {
    for (const [state, input] of plan.rows) {
      expect(states).toContain(state);
      expect(plan.inputs).toContain(input);
    }
  });
}

describe('INVITE client', () => {
  check(inviteClient, {
    fresh: newInviteClient,
    paths: {
      idle: '',
      calling: 'start',
      proceeding: 'start,response 180',
      accepted: 'start,response 180,response 200',
      completed: 'start,response 486',
      terminated: 'start,transport-error',
    },
    inputs: [
      'start',
      'response 100',
      'response 200',
      'response 299',
      'response 300',
      'response 699',
      'cancel',
      'transport-error',
    ],
    rows: [
      ['idle', 'start', 'send', 'calling'],
      ['calling', 'response 100', 'deliver', 'proceeding'],
      ['calling', 'response 200', 'deliver', 'accepted'],
      ['calling', 'response 299', 'deliver', 'accepted'],
      ['calling', 'response 300', 'ack+deliver', 'completed'],
      ['calling', 'response 699', 'ack+deliver', 'completed'],
      ['calling', 'transport-error', 'fail-transport+end', 'terminated'],
      ['proceeding', 'response 100', 'deliver', 'proceeding'],
      ['proceeding', 'response 200', 'deliver', 'accepted'],
      ['proceeding', 'response 299', 'deliver', 'accepted'],
      ['proceeding', 'response 300', 'ack+deliver', 'completed'],
      ['proceeding', 'response 699', 'ack+deliver', 'completed'],
      ['proceeding', 'transport-error', 'fail-transport+end', 'terminated'],
      ['accepted', 'response 200', 'deliver', 'accepted'],
      ['accepted', 'response 299', 'deliver', 'accepted'],
      ['accepted', 'transport-error', 'end', 'terminated'],
      ['completed', 'response 300', 'ack', 'completed'],
      ['completed', 'response 699', 'ack', 'completed'],
      ['completed', 'transport-error', 'end', 'terminated'],
    ],
    time: {
      // Timer A doubles without a cap; timer B ends it.
      calling: {
        udp: '500:send 1500:send 3500:send 7500:send 15500:send 31500:send 32000:fail-timeout+end',
        tcp: '32000:fail-timeout+end',
      },
      accepted: { udp: '32000:end' },
      completed: { udp: '32000:end', tcp: '' },
    },
  });

  it('ends 64*T1 after CANCEL where no final response comes', () => {
    const state = newInviteClient(false);
    for (const input of ['start', 'response 180', 'cancel']) checkedStep(inviteClient, state, inputOf(input), 1000);
    expect(inviteClient.due(state)).toBe(33_000);
    expect(show(checkedStep(inviteClient, state, inputOf('response 180'), 20_000))).toBe('deliver');
    expect(show(checkedStep(inviteClient, state, TICK, 33_000))).toBe('fail-timeout+end');
  });

  it('is over at once after a refusal on a reliable transport', () => {
    const state = newInviteClient(true);
    checkedStep(inviteClient, state, inputOf('start'), 0);
    expect(show(checkedStep(inviteClient, state, inputOf('response 486'), 0))).toBe('ack+deliver+end');
  });
});

describe('INVITE server', () => {
  it('repeats no refusal to who has proved nothing, and answers copies', () => {
    const state = { ...newInviteServer(false), quiet: true };
    const out: { do: string }[] = [];
    inviteServer.step(state, { on: 'reply', status: 401 }, 0, out as never);
    inviteServer.step(state, { on: 'request' }, 400, out as never);
    expect([out.map((one) => one.do), inviteServer.due(state)]).toEqual([['reply', 'resend'], 32_000]);
  });

  const fail = '500:resend 1500:resend 3500:resend 7500:resend 11500:resend 15500:resend 19500:resend 23500:resend';
  check(inviteServer, {
    fresh: newInviteServer,
    paths: {
      proceeding: '',
      accepted: 'reply 180,reply 200',
      completed: 'reply 486',
      confirmed: 'reply 486,ack',
      terminated: 'transport-error',
    },
    inputs: ['request', 'ack', 'reply 180', 'reply 200', 'reply 486', 'transport-error'],
    rows: [
      ['proceeding', 'request', 'resend', 'proceeding'],
      ['proceeding', 'reply 180', 'reply', 'proceeding'],
      ['proceeding', 'reply 200', 'reply', 'accepted'],
      ['proceeding', 'reply 486', 'reply', 'completed'],
      ['proceeding', 'transport-error', 'fail-transport+end', 'terminated'],
      ['accepted', 'ack', 'deliver-ack', 'accepted'],
      ['accepted', 'reply 200', 'reply', 'accepted'],
      ['accepted', 'transport-error', 'fail-transport+end', 'terminated'],
      ['completed', 'request', 'resend', 'completed'],
      ['completed', 'ack', '', 'confirmed'],
      ['completed', 'transport-error', 'end', 'terminated'],
      ['confirmed', 'transport-error', 'end', 'terminated'],
    ],
    time: {
      accepted: { udp: '32000:end' },
      // Timer G doubles up to T2: eleven copies, not seven.
      completed: { udp: `${fail} 27500:resend 31500:resend 32000:fail-timeout+end`, tcp: '32000:fail-timeout+end' },
      confirmed: { udp: '5000:end', tcp: '' },
    },
  });
});

describe('non-INVITE client', () => {
  check(requestClient, {
    fresh: newRequestClient,
    paths: {
      idle: '',
      trying: 'start',
      proceeding: 'start,response 100',
      completed: 'start,response 200',
      terminated: 'start,transport-error',
    },
    inputs: ['start', 'response 100', 'response 200', 'response 500', 'transport-error'],
    rows: [
      ['idle', 'start', 'send', 'trying'],
      ['trying', 'response 100', 'deliver', 'proceeding'],
      ['trying', 'response 200', 'deliver', 'completed'],
      ['trying', 'response 500', 'deliver', 'completed'],
      ['trying', 'transport-error', 'fail-transport+end', 'terminated'],
      ['proceeding', 'response 100', 'deliver', 'proceeding'],
      ['proceeding', 'response 200', 'deliver', 'completed'],
      ['proceeding', 'response 500', 'deliver', 'completed'],
      ['proceeding', 'transport-error', 'fail-transport+end', 'terminated'],
      ['completed', 'transport-error', 'end', 'terminated'],
    ],
    time: {
      trying: {
        udp: '500:send 1500:send 3500:send 7500:send 11500:send 15500:send 19500:send 23500:send 27500:send 31500:send 32000:fail-timeout+end',
        tcp: '32000:fail-timeout+end',
      },
      // In Proceeding the gap is T2 from the next copy on, and timer F still runs.
      proceeding: {
        udp: '500:send 4500:send 8500:send 12500:send 16500:send 20500:send 24500:send 28500:send 32000:fail-timeout+end',
        tcp: '32000:fail-timeout+end',
      },
      completed: { udp: '5000:end', tcp: '' },
    },
  });
});

describe('non-INVITE server', () => {
  check(requestServer, {
    fresh: (reliable) => newRequestServer(reliable, 0),
    paths: { trying: '', proceeding: 'reply 100', completed: 'reply 200', terminated: 'transport-error' },
    inputs: ['request', 'reply 100', 'reply 200', 'transport-error'],
    rows: [
      ['trying', 'reply 100', 'reply', 'proceeding'],
      ['trying', 'reply 200', 'reply', 'completed'],
      ['trying', 'transport-error', 'fail-transport+end', 'terminated'],
      ['proceeding', 'request', 'resend', 'proceeding'],
      ['proceeding', 'reply 100', 'reply', 'proceeding'],
      ['proceeding', 'reply 200', 'reply', 'completed'],
      ['proceeding', 'transport-error', 'fail-transport+end', 'terminated'],
      ['completed', 'request', 'resend', 'completed'],
      ['completed', 'transport-error', 'end', 'terminated'],
    ],
    time: {
      // RFC 4320 section 4.1: 100 once timer E of its sender has grown to T2, over any transport.
      trying: { udp: '3500:trying 32000:fail-timeout+end' },
      proceeding: { udp: '32000:fail-timeout+end' },
      completed: { udp: '32000:end', tcp: '' },
    },
  });
});
