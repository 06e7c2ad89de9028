import { describe, expect, it } from 'vitest';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { AWAY_GRACE } from './watch.ts';

describe('alarms that oamp raises by itself', () => {
  it('a paired gateway that stays away, once, cleared when it is back; a short absence is none', async () => {
    const { stage, world } = await virtualStage({ seed: 5 });
    await using _ended = stage;
    const home = await stage.home('elm');
    const open = async () =>
      (await stage.api('alarm.list', { open: true })).items.map(({ cause, gateway }) => ({ cause, gateway }));
    const gateway = home.gateway.status().pairing.gateway;
    const away = async () => {
      const [shown] = (await stage.api('gateway.list', { home: home.id })).items;
      return [shown?.online, (shown?.seenAt ?? 0) > 0, shown?.awayBecause];
    };
    expect(await open()).toEqual([]);
    expect(await away()).toEqual([true, false, undefined]);
    world.partition(['cloud']);
    await world.run(120_000);
    expect(await away()).toEqual([false, true, expect.stringMatching(/\w+/)]);
    expect(await open()).toEqual([{ cause: 'gateway.offline', gateway }]);
    world.heal();
    await stage.ground.until(async () => (await open()).length === 0, 120_000, 'the alarm to clear');
    expect(await away()).toEqual([true, false, undefined]);
    await world.run(AWAY_GRACE * 2);
    expect((await stage.api('alarm.list', {})).items).toHaveLength(1);
  });

  it('a service server that is stopped, until it runs again', async () => {
    const { stage, world } = await virtualStage({ seed: 6 });
    await using _ended = stage;
    await stage.api('farm.stop', { server: 'conference' });
    await world.run(100);
    expect((await stage.api('alarm.list', { open: true })).items).toMatchObject([
      { cause: 'server.stopped.conference', severity: 'major' },
    ]);
    await stage.api('farm.start', { server: 'conference' });
    await world.run(100);
    expect((await stage.api('alarm.list', { open: true })).items).toEqual([]);
  });
});
