import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { farmServers } from '#shared/protocol/servers.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { hasFile } from '#test/peers.ts';
import { CHROMIUM, Rig } from './rig.ts';

const PHONE = { width: 390, height: 844 };

describe.skipIf(!hasFile(CHROMIUM))('the portal in chromium', () => {
  let rig: Rig;
  let elm: VerbReply<'home.create'>;
  let oak: VerbReply<'home.create'>;

  beforeAll(async () => {
    rig = await Rig.start();
    elm = await rig.ask('home.create', { name: 'Elm Street 1' });
    oak = await rig.ask('home.create', { name: 'Oak Lane 2' });
    for (const [home, name] of [
      [elm, 'Kitchen'],
      [oak, 'Hall'],
    ] as const)
      await rig.phone(await rig.ask('line.create', { home: home.id, name }));
    await rig.ask('account.create', {
      name: 'ada',
      password: 'correct horse battery',
      role: 'subscriber',
      homes: [elm.id],
    });
  }, 60_000);
  afterEach(() => rig.closePages());
  afterAll(() => rig?.stop());

  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const legs = (page: Page) => page.getByRole('region', { name: 'Legs' }).getByRole('listitem');

  test('sign in: a wrong password says what to do, the right one opens the own homes only', async () => {
    const page = await rig.page('/');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('wrong');
    await button(page, 'Sign in').click();
    expect(await page.getByRole('alert').filter({ hasText: 'credential' }).textContent()).toContain('are not right');
    await page.getByLabel('Password').fill('correct horse battery');
    await button(page, 'Sign in').click();
    await heading(page, 'Overview');
    await page.getByRole('link', { name: 'Elm Street 1' }).waitFor();
    expect(await page.getByText('Oak Lane 2').count()).toBe(0);
    await page.reload();
    await heading(page, 'Overview');
    await button(page, 'Sign out').click();
    await heading(page, 'Welcome home');
    await page.reload();
    await heading(page, 'Welcome home');
  });

  test('a sign-in that has ended elsewhere leads back to the door', async () => {
    const page = await rig.operatorPage();
    await heading(page, 'Overview');
    await rig.cloud.context.store.commit([sql('DELETE FROM token WHERE expires_at IS NOT NULL')]);
    await heading(page, 'Welcome home');
  });

  test('a link with the operator’s token signs in and leaves no trace of it', async () => {
    const page = await rig.operatorPage();
    await heading(page, 'Overview');
    expect(page.url()).toBe(`${rig.base}/`);
    const cookies = await page.context().cookies();
    expect(cookies).toEqual([expect.objectContaining({ name: 'hearthline', httpOnly: true, sameSite: 'Strict' })]);
    expect(cookies[0]?.value).not.toBe(rig.cloud.operatorToken);
    expect(await page.evaluate('[document.cookie, Object.keys(localStorage).length]')).toEqual(['', 0]);
  });

  test('a cloud that does not answer is named, at the door and on a page; what failed comes by itself', async () => {
    const page = await rig.operatorPage();
    await heading(page, 'Overview');
    await page.route('**/v1/self', (route) => route.abort());
    await page.reload();
    await heading(page, 'Hearthline does not open yet');
    expect(await page.getByRole('alert').textContent()).toContain('The cloud does not answer');
    await page.unroute('**/v1/self');
    await page.route('**/v1/homes*', (route) => route.abort());
    await button(page, 'Try again').click();
    await heading(page, 'Overview');
    await page.getByRole('link', { name: 'Homes', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'tries again by itself' }).waitFor();
    await page.unroute('**/v1/homes*');
    await page.getByRole('link', { name: 'Elm Street 1' }).waitFor();
  });

  test('a page opened behind another loads once it is seen', async () => {
    const page = await rig.operatorPage();
    await heading(page, 'Overview');
    await page.addInitScript('Object.defineProperty(document, "hidden", { get: () => window.seen !== true })');
    await page.goto(`${rig.base}/homes`);
    await page.getByText('Looking…').waitFor();
    await page.evaluate('window.seen = true; document.dispatchEvent(new Event("visibilitychange"))');
    await page.getByRole('link', { name: 'Elm Street 1' }).waitFor();
  });

  test('a link with a token that is none says so', async () => {
    const page = await rig.page('/#token=hlop_nonsense');
    await heading(page, 'Welcome home');
    await page.getByRole('alert').filter({ hasText: 'are not right' }).waitFor();
  });

  test('a call: started, both legs up, live events, hung up, on record', async () => {
    const page = await rig.operatorPage();
    await button(page, 'Call').click();
    await heading(page, 'Call');
    await legs(page).filter({ hasText: 'up' }).nth(1).waitFor();
    expect(await legs(page).count()).toBe(2);
    await page.getByRole('region', { name: 'Events' }).getByText('Answered').first().waitFor();
    await page.evaluate(axe.source);
    expect(await page.evaluate('axe.run().then((r) => r.violations.map((v) => v.id))')).toEqual([]);
    await button(page, 'Hang up all').click();
    await page.getByRole('status').filter({ hasText: 'ended' }).waitFor();
    await page.getByRole('link', { name: 'Records' }).click();
    await page.getByRole('cell', { name: 'Hall, Oak Lane 2' }).first().waitFor();
  });

  test('an account made for a home opens that home, and who did it stands in the activity', async () => {
    const page = await rig.operatorPage(`/homes/${oak.id}`);
    await page.getByText('Add a person').click();
    const people = page.getByRole('region', { name: 'People' });
    await people.getByLabel('Name').fill('Grace');
    await people.getByLabel('Password').fill('too short');
    await button(page, 'Add person').click();
    expect(await people.getByRole('listitem').count()).toBe(0);
    await people.getByLabel('Password').fill('a long enough password');
    await button(page, 'Add person').click();
    await people.getByRole('listitem').filter({ hasText: 'Grace' }).waitFor();
    await page.getByRole('link', { name: 'Servers' }).click();
    await page.getByRole('region', { name: 'Activity' }).getByText('account.create').first().waitFor();
    const other = await rig.page('/');
    await other.getByLabel('Name').fill('Grace');
    await other.getByLabel('Password').fill('a long enough password');
    await button(other, 'Sign in').click();
    await other.getByRole('link', { name: 'Oak Lane 2' }).waitFor();
  });

  test('media on a phone', async () => {
    const page = await rig.operatorPage();
    await page.getByLabel('Media', { exact: true }).check({ force: true });
    await button(page, 'Play').click();
    await heading(page, 'Media');
    await legs(page).filter({ hasText: 'non-voice' }).filter({ hasText: 'up' }).first().waitFor();
    await page.getByText('channel.open').first().waitFor();
    await page
      .getByRole('region', { name: 'How it came about' })
      .getByText(/^Call-ID ./)
      .first()
      .waitFor();
    await button(page, 'Hang up all').click();
    await page.getByRole('status').filter({ hasText: 'ended' }).waitFor();
  });

  test('a conference with media: mute, add, stop one leg, list devices', async () => {
    const page = await rig.operatorPage();
    await page.getByLabel('Conference', { exact: true }).check({ force: true });
    await page.getByLabel('Music').selectOption('room');
    await button(page, 'Start the conference').click();
    await heading(page, 'Conference with media');
    await button(page, 'Mute').first().click();
    await button(page, 'Unmute').first().waitFor();
    const before = await page.getByRole('button', { name: /^Stop / }).count();
    await page
      .getByRole('button', { name: /^Stop .*media/i })
      .first()
      .click();
    await expect.poll(() => page.getByRole('button', { name: /^Stop / }).count()).toBeLessThan(before);
    await page.getByLabel('Devices', { exact: true }).check({ force: true });
    await button(page, 'List devices').click();
    await page
      .getByRole('status')
      .filter({ hasText: 'Devices listed.' })
      .or(page.getByRole('alert').filter({ hasText: 'gateway' }))
      .first()
      .waitFor();
    await button(page, 'Hang up all').click();
    await page.getByRole('status').filter({ hasText: 'ended' }).waitFor();
  });

  test('a new home and a new phone, its credentials shown once', async () => {
    const page = await rig.operatorPage('/homes');
    await page.getByLabel('Name').fill('Harbour View 22');
    await button(page, 'Add home').click();
    await heading(page, 'Harbour View 22');
    await page.getByRole('region', { name: 'Phones' }).getByLabel('Name').fill('Workshop');
    await button(page, 'Add phone').click();
    const note = page.getByRole('status').filter({ hasText: 'password is not shown again' });
    await note.waitFor();
    const password = await note.locator('.secret', { hasText: 'Password' }).locator('code').textContent();
    expect(password?.length).toBeGreaterThan(10);
    await page.reload();
    await page.getByText('Workshop').waitFor();
    expect(await page.getByText(password ?? '').count()).toBe(0);
  });

  test('a stopped server is named where it is missed', async () => {
    const page = await rig.operatorPage('/farm');
    await button(page, 'Stop media').click();
    await button(page, 'Start media').waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByText(`${farmServers.length - 1} of ${farmServers.length}`).waitFor();
    const outcome = await rig.cloud.bus.request(
      'farm.start',
      { server: 'media' },
      { principal: { kind: 'part', part: 'application-server' } },
    );
    expect(outcome.ok).toBe(true);
  });

  test('pairing on a phone: the QR’s link, sign in, one tap, paired', async () => {
    const gateway = await rig.gateway();
    await expect.poll(() => gateway.status().pairing.qr, { timeout: 15_000 }).toBeTruthy();
    const link = new URL(gateway.status().pairing.qr ?? '');
    const page = await rig.page(`${link.pathname}${link.hash}`, PHONE);
    await heading(page, 'Sign in to pair your gateway');
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill('correct horse battery');
    await button(page, 'Sign in').click();
    const shown = await page.getByLabel('Pairing code').inputValue();
    expect(shown.replace('-', '')).toBe(gateway.status().pairing.code?.replace('-', ''));
    expect(shown).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
    await button(page, 'Pair with Elm Street 1').click();
    await page.getByRole('status').filter({ hasText: 'The gateway is paired.' }).waitFor({ timeout: 30_000 });
    expect(gateway.status().pairing.at).toBe('paired');
    await page.getByRole('link', { name: 'Open the home' }).click();
    await page.getByRole('region', { name: 'Gateways' }).getByText('online', { exact: true }).waitFor();
  });

  test('pairing by hand: a wrong code says what to do, the right one shows the check words', async () => {
    const gateway = await rig.gateway();
    await expect.poll(() => gateway.status().pairing.code, { timeout: 15_000 }).toBeTruthy();
    const page = await rig.operatorPage('/pair', PHONE);
    await page.getByLabel('Home').selectOption({ label: 'Oak Lane 2' });
    await page.getByLabel('Pairing code').fill('BBBB-BBBB');
    await button(page, 'Pair this gateway').click();
    await page.getByRole('alert').filter({ hasText: 'This pairing code is not valid.' }).waitFor();
    await page.getByLabel('Pairing code').fill(gateway.status().pairing.code?.toLowerCase().replace('-', ' ') ?? '');
    await button(page, 'Pair this gateway').click();
    await page.getByText(gateway.status().pairing.words ?? 'no words').waitFor();
    await page.getByRole('status').filter({ hasText: 'The gateway is paired.' }).waitFor({ timeout: 30_000 });
  });

  test('by keyboard alone: sign in, start a call, hang up', async () => {
    const page = await rig.page('/');
    await heading(page, 'Welcome home');
    const focused = () => page.evaluate<string>('document.activeElement?.textContent ?? ""');
    const tabTo = async (what: string) => {
      for (let i = 0; i < 60; i++) {
        await page.keyboard.press('Tab');
        if ((await focused()).trim() === what) return;
      }
      throw new Error(`${what} cannot be reached by Tab`);
    };
    await tabTo('Use an access token');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.type(rig.cloud.operatorToken);
    await page.keyboard.press('Enter');
    await heading(page, 'Overview');
    await tabTo('Call');
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    expect(outline).toBe('solid');
    await page.keyboard.press('Enter');
    await heading(page, 'Call');
    expect(await page.evaluate('document.activeElement?.tagName')).toBe('H1');
    await tabTo('Hang up all');
    await page.keyboard.press('Space');
    await page.getByRole('status').filter({ hasText: 'ended' }).waitFor();
  });

  test.each(['/', '/homes', '/sessions', '/records', '/farm', '/pair'])('%s fits a phone’s width', async (path) => {
    const page = await rig.operatorPage(path, PHONE);
    await page.waitForLoadState('networkidle').catch(() => {});
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
    const targets = page.locator('main button:visible, nav a:visible');
    const heights = await Promise.all((await targets.all()).map((one) => one.boundingBox()));
    const small = heights.filter((box) => box !== null && box.height < 32);
    expect(small).toEqual([]);
  });

  test('no page asked another host, broke its content security policy or threw', () => {
    expect(rig.complaints).toEqual([]);
  });
});
