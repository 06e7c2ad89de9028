/** Music for who is put on hold, between phones of two homes. */
import { expect, test } from 'vitest';
import { synthesise } from '#cloud/farm/media/library/synthesis.ts';
import { levelOf, match } from '#shared/rtp/measure.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { TONES, twoHomes } from './two-homes.ts';

const MELODY = synthesise('music-box') ?? new Int16Array();

test('behind gateways, through a restart of the cloud', async () => {
  const { stage, world } = await virtualStage({ seed: 91 });
  await using _ = stage;
  const { oak, a, b } = await twoHomes(stage);
  const call = await world.settle(a.dial(oak.lines[0]?.number ?? ''));
  const held = (on: boolean) => stage.ground.until(() => b.calls[0]?.held === on, 20_000, `held: ${on}`);
  await stage.ground.until(() => call.state === 'up', 20_000, 'the answer');
  const [coming] = b.calls;
  if (coming === undefined) throw new Error('no call came');
  const hearsMusic = async () => {
    await world.run(1_500);
    return match(MELODY, coming.heard().subarray(-800)).correlation > 0.9;
  };
  expect(await hearsMusic()).toBe(false);
  call.hold(true);
  await held(true);
  expect(await hearsMusic()).toBe(true);
  await stage.restartCloud();
  await world.run(20_000);
  expect(await hearsMusic()).toBe(true);
  call.hold(false);
  await held(false);
  expect(await hearsMusic()).toBe(false);
  expect(levelOf(coming.heard().subarray(-4000), TONES.a)).toBeGreaterThan(-25);
  expect(levelOf(call.heard().subarray(-4000), TONES.b)).toBeGreaterThan(-25);
  call.hangup();
  await stage.ground.until(() => coming.state === 'ended', 20_000, 'the end');
});
