/** Client and server transactions against each other over networks that lose, double, delay and reorder. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { checkedStep } from '#test/support/checked-step.ts';
import { DeadlineHeap } from '../kernel/heap.ts';
import { type Machine, NEVER, TICK } from '../kernel/machine.ts';
import { inviteClient, newInviteClient } from './invite-client.ts';
import { inviteServer, newInviteServer } from './invite-server.ts';
import { newRequestClient, requestClient } from './request-client.ts';
import { newRequestServer, requestServer } from './request-server.ts';

interface Network {
  /** Chances in 1000. */
  readonly loss: number;
  readonly double: number;
  /** Longest way, ms; a later message may overtake an earlier one. */
  readonly delay: number;
  readonly provisionals: number;
  readonly final: number;
  /** When the user responds, ms after the request came. */
  readonly patience: number;
  readonly reliable: boolean;
  readonly seed: number;
}

const networks = (finals: number[]): fc.Arbitrary<Network> =>
  fc.record({
    loss: fc.constantFrom(0, 0, 100, 300, 600, 1000),
    double: fc.constantFrom(0, 200, 500),
    delay: fc.constantFrom(0, 10, 400, 3000),
    provisionals: fc.integer({ min: 0, max: 3 }),
    final: fc.constantFrom(...finals),
    patience: fc.constantFrom(0, 50, 3000, 40_000),
    reliable: fc.boolean(),
    seed: fc.integer(),
  });

interface Outcome {
  finals: number;
  failures: number;
  serverFailures: number;
  requests: number;
  acksOwed: number;
  acks: number;
  end: number;
}

type AnyMachine = Machine<{ at: string }, { readonly on: string }, { readonly do: string; readonly why?: string }>;
const seen = new Set<string>();

/** Plays one transaction to its end and beyond. */
function play(
  client: AnyMachine,
  server: AnyMachine,
  states: { c: { at: string }; newServer(now: number): { at: string } },
  net: Network,
): Outcome {
  let draw = net.seed | 1;
  const chance = (of: number): boolean => {
    draw = Math.imul(draw ^ (draw >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((draw ^ (draw >>> 13)) >>> 0) % 1000 < of;
  };
  const events = new DeadlineHeap<() => void>();
  const result: Outcome = { finals: 0, failures: 0, serverFailures: 0, requests: 0, acksOwed: 0, acks: 0, end: 0 };
  let now = 0;
  let s: { at: string } | undefined;
  let kept = 0;
  const travel = (deliver: () => void): void => {
    const copies = chance(net.loss) && !net.reliable ? 0 : chance(net.double) && !net.reliable ? 2 : 1;
    for (let i = 0; i < copies; i++) events.add(now + (chance(500) ? 0 : net.delay), deliver);
  };
  const stepClient = (input: { on: string; status?: number }): void => {
    seen.add(`${client.name} ${states.c.at} ${input.on}${(input.status ?? 0) >= 200 ? ' final' : ''}`);
    const listening = ['calling', 'proceeding', 'completed'].includes(states.c.at);
    if (client === any(inviteClient) && (input.status ?? 0) >= 300 && listening) result.acksOwed++;
    const out = checkedStep(client, states.c, input, now);
    for (const item of out) {
      if (item.do === 'send') travel(() => arrive('request'));
      else if (item.do === 'ack') {
        result.acks++;
        travel(() => arrive('ack'));
      } else if (item.do === 'deliver' && (input.status ?? 0) >= 200) result.finals++;
      else if (item.do === 'fail') result.failures++;
    }
  };
  const stepServer = (input: { on: string; status?: number }): void => {
    if (!s) return;
    seen.add(`${server.name} ${s.at} ${input.on}${(input.status ?? 0) >= 200 ? ' final' : ''}`);
    for (const item of checkedStep(server, s, input, now)) {
      if (item.do === 'reply') kept = input.status ?? 0;
      const status = kept;
      if (item.do === 'reply' || item.do === 'resend') {
        if (status > 0) travel(() => stepClient({ on: 'response', status }));
      } else if (item.do === 'fail') result.serverFailures++;
    }
  };
  const arrive = (on: string): void => {
    if (s) stepServer({ on });
    if (s || on !== 'request') return;
    result.requests++;
    s = states.newServer(now);
    for (let i = 0; i < net.provisionals; i++)
      events.add(now + i * 100, () => stepServer({ on: 'reply', status: 180 }));
    events.add(now + net.patience, () => stepServer({ on: 'reply', status: net.final }));
  };
  stepClient({ on: 'start' });
  for (;;) {
    const due = Math.min(client.due(states.c), s ? server.due(s) : NEVER, events.peek()?.deadline ?? NEVER);
    if (due === NEVER) break;
    now = due;
    events.next(now)?.value();
    if (client.due(states.c) <= now) stepClient(TICK);
    if (s && server.due(s) <= now) stepServer(TICK);
  }
  result.end = now;
  expect(s?.at ?? 'terminated').toBe('terminated');
  return result;
}

const any = (machine: unknown): AnyMachine => machine as AnyMachine;

describe('over any network', () => {
  it('a non-INVITE transaction has exactly one outcome and ends', () => {
    fc.assert(
      fc.property(networks([200, 404]), (net) => {
        const states = {
          c: newRequestClient(net.reliable),
          newServer: (now: number) => newRequestServer(net.reliable, now),
        };
        const result = play(any(requestClient), any(requestServer), states, net);
        expect(states.c.at).toBe('terminated');
        expect(result.finals + result.failures).toBe(1);
        expect(result.end).toBeLessThanOrEqual(32_000 + 32_000 + 2 * net.delay + net.patience);
        if ((net.loss === 0 || net.reliable) && net.patience + 2 * net.delay < 32_000) expect(result.finals).toBe(1);
        if (net.loss === 1000 && !net.reliable) expect(result.requests).toBe(0);
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('an INVITE transaction has one outcome, acknowledges every refusal in the step in which it came, and ends', () => {
    fc.assert(
      fc.property(networks([200, 302, 486, 603]), (net) => {
        const states = { c: newInviteClient(net.reliable), newServer: () => newInviteServer(net.reliable) };
        const result = play(any(inviteClient), any(inviteServer), states, net);
        expect(result.acks).toBe(result.acksOwed);
        expect(result.finals + result.failures).toBeLessThanOrEqual(net.final < 300 ? 1 + net.double : 1);
        const heard = (net.loss === 0 || net.reliable) && net.patience + 2 * net.delay < 32_000;
        if (heard) {
          expect(result.finals).toBeGreaterThanOrEqual(1);
          expect(states.c.at).toBe('terminated');
          expect(result.serverFailures).toBe(0);
        }
        if (result.failures > 0) expect(states.c.at).toBe('terminated');
      }),
      { numRuns: 3000, seed: 2 },
    );
  });

  afterAll(() => {
    const missing = REACHABLE.filter((pair) => !seen.has(pair));
    expect(missing, 'pairs of state and input that no run visited').toEqual([]);
  });
});

/** Every pair that a network can bring about; the others (a second start, say) are in the tables. */
const REACHABLE = [
  ...['calling', 'proceeding', 'accepted', 'completed'].flatMap((at) => [
    `sip.invite-client ${at} response`,
    `sip.invite-client ${at} response final`,
  ]),
  ...['calling', 'accepted', 'completed'].map((at) => `sip.invite-client ${at} tick`),
  'sip.invite-client idle start',
  'sip.invite-client terminated response final',
  ...['proceeding', 'accepted', 'completed', 'confirmed', 'terminated'].map((at) => `sip.invite-server ${at} request`),
  ...['accepted', 'completed', 'confirmed'].map((at) => `sip.invite-server ${at} tick`),
  ...['completed', 'confirmed'].map((at) => `sip.invite-server ${at} ack`),
  'sip.invite-server proceeding reply',
  'sip.invite-server proceeding reply final',
  ...['trying', 'proceeding', 'completed'].flatMap((at) => [
    `sip.request-client ${at} response`,
    `sip.request-client ${at} response final`,
    `sip.request-client ${at} tick`,
  ]),
  'sip.request-client terminated response final',
  ...['trying', 'proceeding', 'completed', 'terminated'].map((at) => `sip.request-server ${at} request`),
  ...['trying', 'proceeding', 'completed'].map((at) => `sip.request-server ${at} tick`),
  'sip.request-server trying reply final',
  'sip.request-server proceeding reply final',
];
