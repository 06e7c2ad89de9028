/** Where a call goes on to before anything rings. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { FORWARD_LIMIT } from '#shared/call/features/forwarding.ts';
import { createFarm, type Farm } from '#test/support/session-farm.ts';

let farm: Farm;
beforeEach(async () => {
  farm = await createFarm([billing, qos]);
});
afterEach(() => farm.end());

it.each([
  [0, 'ring'],
  [FORWARD_LIMIT - 1, 'ring'],
  [FORWARD_LIMIT, 'callee_unknown'],
])('a call that was sent on %i times before it came here is sent on: %s', async (diversions, expected) => {
  const features = { forward: { always: '+15550100022' } };
  await farm.get('line.features.set', { home: 'home_2', line: 'line_21', features });
  const call = { call: 'chn_1', callId: 'a@b', line: 'line_11', at: 0, direct: false, diversions };
  const routed = await farm.ask('session.route', { ...call, to: '+15550100021' });
  expect(routed.ok ? routed.value.do : routed.fault.code).toBe(expected);
});
