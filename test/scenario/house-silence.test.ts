/** Phones of a house that lose their power in the middle of a call: the gateway asks, and the call ends. */
import { expect, it } from 'vitest';
import { ASK_EVERY } from '#device/sip-edge/call-flows.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { number } from './words.ts';

it('a call of two phones that are both gone ends, and is told; one of two that are there goes on', async () => {
  const { stage, world } = await virtualStage({ seed: 79 });
  await using _stage = stage;
  const elm = await stage.home('elm');
  const [a, b, c, d] = [await elm.phone({}), await elm.phone({}), await elm.phone({}), await elm.phone({})];
  const gone = await world.settle(a.dial(number(elm, 1)));
  const lasting = await world.settle(c.dial(number(elm, 3)));
  await stage.ground.until(() => gone.state === 'up' && lasting.state === 'up', 10_000, 'the calls');
  await world.run(5_000);
  for (const phone of [a, b]) {
    stage.phones.splice(stage.phones.indexOf(phone), 1);
    await world.settle(phone.close());
  }
  expect(elm.gateway.status().voice.calls).toBe(2);
  await world.run(ASK_EVERY + 40_000);
  expect(elm.gateway.status().voice.calls).toBe(1);
  expect([lasting.state, d.calls[0]?.state]).toEqual(['up', 'up']);
  await stage.ground.until(async () => (await stage.api('cdr.list', {})).items.length === 2, 20_000, 'the records');
});
