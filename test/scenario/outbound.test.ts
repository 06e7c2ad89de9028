/** A phone with several flows to the softswitch (RFC 5626): it rings once, over whichever of them still lives. */
import { afterEach, expect, test } from 'vitest';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator?.stop());

const INSTANCE = 'urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF';

async function lines(seed: number): Promise<[Line, Line]> {
  operator = await Operator.start(seed);
  return [await operator.line(await operator.home('home_1'), 1), await operator.line(await operator.home('home_2'), 2)];
}

/** One flow of bob's phone, over a network card of its own. */
const flow = (line: Line, flowNumber: number) =>
  operator.ready(line, {
    host: `10.1.0.${40 + flowNumber}`,
    protocol: 'tcp',
    instance: INSTANCE,
    flowNumber,
    server: { host: '10.0.0.2', port: operator.config.bound.sipTcp?.port ?? 0 },
  });

test('rings over the flow that it registered last, and over no other', async () => {
  const [a, b] = await lines(1);
  const alice = await operator.ready(a);
  const [old, latest] = [await flow(b, 1), await flow(b, 2)];
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
  expect([old.calls.length, latest.calls.length]).toEqual([0, 1]);
  expect((await operator.ask('registration.list', { lines: [b.id] })).items).toMatchObject([{ contacts: 1 }]);
});

test('rings over another where the last one says nothing', async () => {
  const [a, b] = await lines(2);
  const alice = await operator.ready(a);
  const [old, latest] = [await flow(b, 1), await flow(b, 2)];
  operator.world.partition(['phone-10.1.0.42']);
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 40_000, 'the answer over the other flow');
  expect([old.calls.length, latest.calls.length]).toEqual([1, 0]);
});

test('a flow that was closed is not tried at all', async () => {
  const [a, b] = await lines(3);
  const alice = await operator.ready(a);
  const [old, latest] = [await flow(b, 1), await flow(b, 2)];
  await operator.world.settle(latest.close());
  await operator.world.run(100);
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 1_000, 'the answer at once');
  expect(old.calls).toHaveLength(1);
});
