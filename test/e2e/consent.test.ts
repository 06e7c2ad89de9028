/** The consent page in chromium: it is styled, clean for axe, and its answer leads back to the application in spite of the strict policy. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import axe from 'axe-core';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasFile } from '#test/peers.ts';
import { RealApi } from '../api/real.ts';
import { CHROMIUM, flags } from './rig.ts';

describe.skipIf(!hasFile(CHROMIUM))('consent in chromium', () => {
  let api: RealApi;
  let browser: Browser;
  let application: Server;
  let back = '';
  let client = '';

  beforeAll(async () => {
    api = await RealApi.start();
    application = createServer((_request, response) => response.end('back at the application'));
    await new Promise<void>((done) => application.listen(0, '127.0.0.1', done));
    back = `http://127.0.0.1:${(application.address() as AddressInfo).port}/back`;
    const home = (await api.call('home.create', { name: 'Elm Street 1' })).id;
    await api.person('ada', [home]);
    const scopes = ['lines:read', 'sessions:read', 'messages:write'];
    client = (await api.call('client.create', { name: 'Door log', redirects: [back], scopes })).id;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...flags] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    application?.close();
    await api?.stop();
  });

  test.each(['light', 'dark'] as const)('sign in, read, allow, and be back (%s)', async (colorScheme) => {
    const page = await (await browser.newContext({ colorScheme, viewport: { width: 390, height: 844 } })).newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) complaints.push(message.text());
    });
    const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url');
    const query = new URLSearchParams({
      ...{ client_id: client, response_type: 'code', redirect_uri: back, state: 's', code_challenge_method: 'S256' },
      ...{ code_challenge: challenge, scope: 'lines:read sessions:read messages:write' },
    });
    const clean = async () => {
      await page.evaluate(axe.source);
      const run = `axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' | ')))`;
      expect(await page.evaluate(run)).toEqual([]);
    };
    await page.goto(`${api.url}/oauth/auth?${query}`);
    await clean();
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('ada is a good password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Let Door log in?' }).waitFor();
    expect(await page.getByRole('listitem').allTextContents()).toEqual([
      'See your telephone lines',
      'See your calls and other sessions',
      'Make and change your messages',
    ]);
    await clean();
    expect(await page.getByLabel('Elm Street 1').isChecked()).toBe(true);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('back at the application').waitFor();
    expect(new URL(page.url()).searchParams.get('code')).toMatch(/^\S{20,}$/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
