import { describe, expect, it } from 'vitest';
import { type FarmServerName, farmServers } from '#shared/protocol/servers.ts';
import type { Facts, PartyFacts, ServerFacts } from './choice.ts';
import { planRoute } from './plan.ts';
import { newLeg, type SessionState } from './session.ts';
import { planTogether, talksOf } from './three-way.ts';

function facts(more: Partial<Record<FarmServerName, ServerFacts>> = {}): Facts {
  let n = 0;
  const servers = new Map(farmServers.map((name) => [name, { running: true, load: 0, ...more[name] }]));
  return { servers, legId: () => `leg_${++n}` };
}
const party = (n: number): PartyFacts => ({
  asked: `line_${n}`,
  line: { id: `line_${n}`, home: `home_${n}`, number: `+1555010000${n}`, metered: n !== 4 },
  direct: false,
});
const [one, two, three, four] = [party(1), party(2), party(3), party(4)];
const REQUEST = { call: 'call_9', callId: 'x', to: '*7', at: 0, direct: false } as const;

/** An answered call. */
function call(
  id: string,
  from: PartyFacts,
  to: PartyFacts,
  more: { emergency?: boolean; up?: number } = {},
): SessionState {
  const plan = planRoute(from, to, facts(), more.emergency);
  if (!plan.ok) throw new Error(plan.fault.code);
  const legs = plan.value.legs.map((leg, i) => ({
    ...newLeg({ ...leg, id: `${id}.${i}` }, 0),
    state: i < (more.up ?? 2) ? ('up' as const) : ('ringing' as const),
  }));
  const { kind, homes } = plan.value;
  return { id, kind, request: {}, createdAt: 0, state: 'active', homes: [...homes], legs, instructions: [], seq: 1 };
}
const together = (states: readonly SessionState[], given = facts()) =>
  planTogether(talksOf(states, 'line_1'), one, REQUEST, given);

describe('two calls of a line become one', () => {
  it('the caller’s seat waits to be answered; the far parties come after, and cost whom their calls have cost', () => {
    const plan = together([call('s1', one, two), call('s2', three, one)]);
    expect(plan).toMatchObject({ ok: true, value: { kind: 'call', homes: ['home_1', 'home_2', 'home_3'] } });
    const legs = plan.ok ? plan.value.legs : [];
    expect(
      legs.map(({ party, payer, reserve, waiting, after, moves }) => ({
        party,
        payer,
        reserve,
        waiting,
        after,
        moves,
      })),
    ).toEqual([
      { party: '+15550100001', reserve: ['endpoint'], waiting: 'call_9' },
      {
        party: '+15550100002',
        payer: 'home_1',
        reserve: ['billing', 'endpoint'],
        after: legs[0]?.id,
        moves: { session: 's1', leg: 's1.1' },
      },
      {
        party: '+15550100003',
        payer: 'home_3',
        reserve: ['billing', 'endpoint'],
        after: legs[0]?.id,
        moves: { session: 's2', leg: 's2.0' },
      },
    ]);
    expect(new Set(legs.map(({ server }) => server))).toEqual(new Set(['conference']));
  });

  it('costs nobody what cost nobody', () => {
    const plan = together([call('s1', four, one), call('s2', one, two)]);
    expect(plan.ok && plan.value.legs.map(({ payer }) => payer)).toEqual([undefined, undefined, 'home_1']);
  });

  it.each<[string, SessionState[], string]>([
    ['no call', [], 'conflict'],
    ['one', [call('s1', one, two)], 'conflict'],
    ['three', [call('s1', one, two), call('s2', one, three), call('s3', four, one)], 'conflict'],
    ['one that rings still', [call('s1', one, two), call('s2', one, three, { up: 1 })], 'conflict'],
    ['one that ends just now', [call('s1', one, two), { ...call('s2', one, three), state: 'ending' }], 'conflict'],
    ['calls of others', [call('s1', two, three), call('s2', three, four)], 'conflict'],
    ['one that has a room already', [call('s1', one, two), { ...call('s2', one, three), room: 'room_1' }], 'conflict'],
    ['a call for help', [call('s1', one, two), call('s2', one, three, { emergency: true })], 'forbidden'],
  ])('refuses %s', (_what, states, code) => {
    expect(together(states)).toMatchObject({ ok: false, fault: { code } });
  });

  it('names the server that does not run', () => {
    const away = facts({ conference: { running: false, load: 0 } });
    expect(together([call('s1', one, two), call('s2', one, three)], away)).toMatchObject({
      fault: { code: 'server_unavailable', server: 'conference' },
    });
  });
});
