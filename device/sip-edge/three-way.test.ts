import { describe, expect, it } from 'vitest';
import { CALLER, restoredCall } from '#shared/call/call.ts';
import type { Flow } from '#shared/sip/types.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, newEdgeCall, type Ring } from './edge-call.ts';
import { placeOf, talksOf } from './three-way.ts';

const flow = (id: string): Flow => ({
  ...{ id, protocol: 'udp', peer: { kind: 'none' } },
  ...{ local: { host: '10.0.0.1', port: 5060 }, remote: { host: '10.0.0.9', port: 5060 } },
});
const [desk, hall, attic] = ['desk', 'hall', 'attic'].map(
  (id, n): NamedLine => ({ id, number: `+1555010000${n}` }),
) as [NamedLine, NamedLine, NamedLine];
const phone = (line: NamedLine): Ring => ({ kind: 'phone', phone: { uri: '', flow: flow(line.id), path: [] }, line });
const cloud: Ring = { kind: 'softswitch', dialled: '', flow: flow('cloud') };

/** An answered call of a line, or of the softswitch, to somebody. */
function call(from: NamedLine | undefined, to: Ring, more: Partial<EdgeCall> = {}): EdgeCall {
  const at = flow(from?.id ?? 'cloud');
  const facts = { id: 'c1', flow: at, shown: '', dialled: '', callId: '', startedAt: 0, ...(from && { from }) };
  const callee = { leg: CALLEE_LEG, branch: 'p0', to };
  const state = restoredCall<Ring>({ callerLeg: CALLER_LEG, callee, relay: true, owned: true });
  const handles = new Map([CALLER, 'p0'].map((party) => [party, party as never]));
  return { ...newEdgeCall(facts), state, handles, ...more };
}

const talks = (calls: readonly EdgeCall[], at = desk) =>
  talksOf(calls, desk.id, { flow: flow(at.id) }).map(({ party }) => party);
const place = (calls: readonly EdgeCall[], up: boolean) =>
  placeOf(talksOf(calls, desk.id, { flow: flow(desk.id) }), up);
const no = (status: number, reason: string) => ({ do: 'refuse', status, reason });

describe('the talks of a line', () => {
  it('are its answered calls with somebody at the other end', () => {
    expect(talks([call(desk, phone(hall)), call(attic, phone(desk)), call(hall, phone(attic))])).toEqual([
      CALLER,
      'p0',
    ]);
    const ringing = call(desk, phone(hall));
    ringing.state.at = 'ringing';
    expect(talks([ringing])).toEqual([]);
    const left = call(desk, phone(hall));
    left.handles.delete('p0');
    expect(talks([left])).toEqual([]);
  });

  it('between two phones of one line: the end of the phone that asks', () => {
    const other: Ring = { kind: 'phone', phone: { uri: '', flow: flow('second'), path: [] }, line: desk };
    expect(talks([call(desk, other)])).toEqual([CALLER]);
    expect(talks([call(desk, other)], { id: 'second', number: '' })).toEqual(['p0']);
  });
});

describe('where they are brought together', () => {
  const inside = () => call(desk, phone(hall));
  const outside = () => call(desk, cloud);
  it.each<[string, EdgeCall[], boolean, object]>([
    ['both inside', [inside(), inside()], true, { do: 'here' }],
    ['both inside, without the cloud', [inside(), inside()], false, { do: 'here' }],
    ['one outside', [inside(), outside()], true, { do: 'here' }],
    ['one that came from outside', [inside(), call(undefined, phone(desk))], false, { do: 'here' }],
    ['both outside', [outside(), outside()], true, { do: 'cloud' }],
    ['both outside, without the cloud', [outside(), outside()], false, no(503, 'server_unavailable')],
    ['none here', [], true, { do: 'cloud' }],
    ['none at all', [], false, no(491, 'conflict')],
    ['one', [inside()], true, no(491, 'conflict')],
    ['three', [inside(), inside(), outside()], true, no(491, 'conflict')],
    ['a call for help', [inside(), call(desk, cloud, { help: {} as never })], true, no(403, 'forbidden')],
  ])('%s', (_what, calls, up, expected) => expect(place(calls, up)).toEqual(expected));

  it('not while something of one is under way', () => {
    const busy = inside();
    for (const side of busy.state.sides.values()) side.busy = true;
    expect(place([busy, inside()], true)).toEqual(no(491, 'conflict'));
  });
});
