/** The operator's page of updates in a real browser: releases, stages, steering, and why a gateway failed. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { hasFile } from '#test/peers.ts';
import { CHROMIUM, Rig } from './rig.ts';

const BOARD = 'hearthline-rpi-arm64';

describe.skipIf(!hasFile(CHROMIUM))('updates', () => {
  let rig: Rig;
  let page: Page;
  let home: string;
  beforeAll(async () => {
    rig = await Rig.start();
    home = (await rig.ask('home.create', { name: 'Elm Street 1' })).id;
    await rig.cloud.context.store.commit(
      ['gw_a', 'gw_b'].map((id) =>
        sql("INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES (?, ?, ?, 'paired', 0)", id, home, id),
      ),
    );
    const url = 'https://example.net/hearthline.raucb';
    await rig.ask('release.create', { version: '1.1.0', board: BOARD, sha256: '0'.repeat(64), size: 90_000_000, url });
    page = await rig.operatorPage('/updates');
  }, 60_000);
  afterAll(() => rig?.stop());

  const button = (name: string) => page.getByRole('button', { name });

  test('a release is rolled out, paused, resumed, stopped', async () => {
    await button('Roll out 1.1.0').click();
    await page.getByText('0 of 2 gateways good').waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(3);
    await button('Pause the rollout of 1.1.0').click();
    await button('Resume the rollout of 1.1.0').click();
    await button('Pause the rollout of 1.1.0').waitFor();
    expect(await button('Roll out 1.1.0').count()).toBe(0);
  });

  test('a gateway that came back says why, with its last lines; the rollout stops by itself', async () => {
    const [{ id: rollout } = { id: '' }] = (await rig.ask('rollout.list', {})).items;
    const outcome = await rig.cloud.bus.request(
      'update.report',
      {
        ...{
          job: rollout,
          at: Date.now(),
          state: 'back',
          from: '1.0.0',
          version: '1.1.0',
          reason: 'update_not_started',
        },
        ...{ stage: 'kernel', attempts: 3, lines: ['Kernel panic: not syncing'] },
      },
      { principal: { kind: 'gateway', gateway: 'gw_a', home } },
    );
    expect(outcome.ok).toBe(true);
    await button('Gateways of the rollout of 1.1.0').click();
    await page.getByText('The new system never came up', { exact: false }).first().waitFor();
    await page.getByText('came as far as “kernel” in 3 starts', { exact: false }).waitFor();
    await page.getByText('Its last lines').click();
    await page.getByText('Kernel panic: not syncing').waitFor();
  });

  test('is clean for axe in light and dark, and fits a phone', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe.source);
      const found = await page.evaluate(
        `axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' | ')))`,
      );
      expect(found, colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(rig.complaints).toEqual([]);
  });
});
