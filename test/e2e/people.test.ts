/** The portal's four people, each on the way that they would take; and every page of theirs looked at by axe. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { packProject } from '#cli/app-project.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { hasFile } from '#test/peers.ts';
import { CHROMIUM, Rig } from './rig.ts';

const PHONE = { width: 390, height: 844 };
const PASSWORD = 'correct horse battery';

describe.skipIf(!hasFile(CHROMIUM))('the portal for four people', () => {
  let rig: Rig;
  let elm: VerbReply<'home.create'>;
  let kitchen: VerbReply<'line.create'>;
  let study: VerbReply<'line.create'>;

  beforeAll(async () => {
    rig = await Rig.start();
    elm = await rig.ask('home.create', { name: 'Elm Street 1' });
    kitchen = await rig.ask('line.create', { home: elm.id, name: 'Kitchen' });
    study = await rig.ask('line.create', { home: elm.id, name: 'Study' });
    await rig.phone(kitchen);
    await rig.paired(elm.id);
    for (const [name, role] of [
      ['ada', 'subscriber'],
      ['tom', 'technician'],
      ['dora', 'developer'],
    ] as const)
      await rig.ask('account.create', { name, password: PASSWORD, role, homes: role === 'subscriber' ? [elm.id] : [] });
  }, 60_000);
  afterEach(() => rig.closePages());
  afterAll(() => rig?.stop());

  const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name, exact: true });
  const card = (page: Page, name: string) => page.getByRole('region', { name });

  async function signedIn(name: string, path = '/', size?: { width: number; height: number }): Promise<Page> {
    const page = await rig.page(path, size);
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Password').fill(PASSWORD);
    await button(page, 'Sign in').click();
    await page.getByRole('navigation').waitFor();
    return page;
  }

  test('the subscriber writes a message on a phone’s screen and sees it arrive without loading anew', async () => {
    const page = await signedIn('ada', '/messages', PHONE);
    await heading(page, 'Messages');
    await page.getByLabel('From').selectOption({ label: 'Kitchen, Elm Street 1' });
    await page.getByLabel('To', { exact: true }).selectOption({ label: 'Study, Elm Street 1' });
    await page.getByLabel('Text').fill('Dinner is ready.');
    await button(page, 'Send').click();
    const row = card(page, 'Newest first').getByRole('listitem').filter({ hasText: 'Dinner is ready.' });
    await row.filter({ hasText: 'waiting' }).waitFor();
    await rig.phone(study);
    await row.filter({ hasText: /delivered/ }).waitFor();
    await button(page, 'Mark read').click();
    await row.filter({ hasText: 'read' }).waitFor();
  });

  test('the subscriber says what a phone does with its calls; a number that nobody has is refused', async () => {
    const page = await signedIn('ada', `/homes/${elm.id}`);
    await page.getByRole('link', { name: 'Kitchen', exact: true }).click();
    await heading(page, 'Kitchen');
    await page.getByLabel('When busy to').fill('+15559999999');
    await button(page, 'Save').click();
    await page.getByText('Nobody has +15559999999').waitFor();
    await page.getByLabel('When busy to').fill(study.number);
    await page.getByLabel('Abroad').check();
    await page.getByRole('textbox', { name: 'Callers' }).fill('+15550100123, Grandmother, family');
    await button(page, 'Save').click();
    await page.getByText('Saved').waitFor();
    const features = await rig.ask('line.features.get', { home: elm.id, line: kitchen.id });
    expect(features).toEqual({
      ...{ forward: { busy: study.number }, bar: ['international'] },
      contacts: [{ number: '+15550100123', name: 'Grandmother', ring: 'family' }],
    });
    await page.reload();
    await heading(page, 'Kitchen');
    expect(await page.getByLabel('Abroad').isChecked()).toBe(true);
    const bad = await page
      .evaluate(axe.source)
      .then(() => page.evaluate('axe.run().then((r) => r.violations.map((v) => v.id))'));
    expect(bad).toEqual([]);
  });

  test('the subscriber makes a mailbox, writes a letter to it and reads it', async () => {
    const page = await signedIn('ada', '/mail');
    await page.getByText('Add a mailbox').click();
    await page.getByLabel('Name').fill('elm');
    await button(page, 'Add mailbox').click();
    await page.getByText('is ready').waitFor();
    await button(page, 'I have them').click();
    await page.getByLabel('To').fill('elm@hearthline');
    await page.getByLabel('Subject').fill('Groceries');
    await page.getByLabel('Text').fill('Bread & <b>milk</b>');
    await button(page, 'Send mail').click();
    await card(page, 'Received').getByRole('link', { name: 'Groceries' }).click();
    await heading(page, 'Groceries');
    await page.getByText('Bread & <b>milk</b>').waitFor();
  });

  test('the owner lets a technician in, who sees the gateway’s health; taken back, it is gone', async () => {
    const tom = await signedIn('tom');
    await heading(tom, 'Gateways');
    await tom.getByText('No owner has let you in').waitFor();
    const ada = await signedIn('ada', '/access');
    await ada.getByRole('textbox', { name: 'Technician' }).fill('tom');
    await button(ada, 'Let in').click();
    await card(ada, 'Let in').getByRole('listitem').filter({ hasText: 'tom' }).waitFor();
    await tom.getByRole('link', { name: /^Gateway \d/ }).click();
    await heading(tom, 'Gateway');
    await card(tom, 'Checks')
      .getByText(/\d+ well/)
      .waitFor();
    await card(tom, 'State').getByText('Study').waitFor();
    expect(tom.url()).toContain((await rig.ask('gateway.list', { home: elm.id })).items[0]?.id);
    await button(ada, 'Take back from tom').click();
    await card(ada, 'Let in').getByText('Nobody but').waitFor();
    await tom.goto(`${rig.base}/gateways`);
    await tom.getByText('No owner has let you in').waitFor();
  });

  test('the developer makes a key that works, and a package that is none is refused with a reason', async () => {
    const page = await signedIn('dora');
    await heading(page, 'E-center');
    await card(page, 'Services to compose').getByText('Weather').waitFor();
    await page
      .getByLabel('Package')
      .setInputFiles({ name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('{') });
    await button(page, 'Hand in').click();
    await page
      .getByRole('alert')
      .filter({ hasText: /package/i })
      .waitFor();
    await page.getByRole('link', { name: 'Keys and hooks' }).click();
    await page.getByText('Make a key').click();
    await page.getByLabel('Name').fill('logger');
    await page.getByLabel('see events').check();
    await button(page, 'Make key').click();
    const token = await page.locator('.secret code').textContent();
    const reply = await fetch(`${rig.base}/v1/events`, { headers: { authorization: `Bearer ${token}` } });
    expect(reply.status).toBe(200);
    await button(page, 'I have it').click();
    await button(page, 'Revoke logger').click();
    await page.getByText('No key yet').waitFor();
    expect((await fetch(`${rig.base}/v1/events`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
  });

  test('an application: handed in, reviewed, found, allowed, installed, running on the gateway, removed', async () => {
    const made = await packProject('test/scenario/service-creation', await hostCrypto().createKey('Ed25519'));
    if (!made.ok) throw new Error(made.fault);
    const { name } = made.value.manifest;
    const dora = await signedIn('dora');
    await dora.getByLabel('Package').setInputFiles({
      name: 'app.hlapp',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify(made.value)),
    });
    await button(dora, 'Hand in').click();
    await card(dora, 'Versions').getByText('review', { exact: true }).waitFor();
    const operator = await rig.operatorPage('/e-center');
    await button(operator, `Publish ${name} 1.0.0`).click();
    await card(operator, 'Versions').getByText('published', { exact: true }).waitFor();
    const ada = await signedIn('ada', '/apps', PHONE);
    await button(ada, `Install ${name}`).click();
    await ada.getByText('will be allowed to').waitFor();
    await button(ada, 'Allow and install').click();
    const own = card(ada, 'In Elm Street 1').getByRole('listitem').filter({ hasText: name });
    await own.getByText('On the gateway: running').waitFor();
    await own.getByText('running', { exact: true }).waitFor();
    ada.on('dialog', (dialog) => void dialog.accept());
    await button(ada, `Remove ${name}`).click();
    await card(ada, 'In Elm Street 1').getByText('No app yet').waitFor();
  });

  test('a call is put on hold, recorded, listened to and handed over', async () => {
    const [cellar, attic] = [
      await rig.ask('line.create', { home: elm.id, name: 'Cellar' }),
      await rig.ask('line.create', { home: elm.id, name: 'Attic' }),
    ];
    for (const line of [cellar, attic]) await rig.phone(line);
    const page = await signedIn('ada');
    await page.getByLabel('This phone rings first').selectOption(kitchen.id);
    await page.getByLabel('Then this one').selectOption(cellar.id);
    await button(page, 'Call').click();
    await heading(page, 'Call');
    const legs = card(page, 'Legs').getByRole('listitem');
    await legs.filter({ hasText: 'up' }).nth(1).waitFor();
    await button(page, 'Hold Cellar, Elm Street 1').click();
    await legs.filter({ hasText: 'on hold' }).waitFor();
    await button(page, 'Take back Cellar, Elm Street 1').click();
    await expect.poll(() => legs.filter({ hasText: 'on hold' }).count()).toBe(0);
    await button(page, 'Record').click();
    await button(page, 'Stop recording').click();
    await button(page, 'Listen').click();
    const audio = page.locator('audio');
    await expect
      .poll(() => audio.evaluate((one) => (one as unknown as { duration: number }).duration))
      .toBeGreaterThan(0);
    await page.getByText('Hand over to another phone').click();
    await page.getByLabel('In place of').selectOption({ label: 'Cellar, Elm Street 1' });
    await page.getByLabel('Hand over to', { exact: true }).selectOption(attic.id);
    await button(page, 'Hand over').click();
    await legs.filter({ hasText: 'Attic' }).filter({ hasText: 'up' }).waitFor();
    await button(page, 'Hang up all').click();
    await page.getByText('ended', { exact: false }).first().waitFor();
    expect(rig.complaints).toEqual([]);
  });

  const pages: readonly (readonly [who: string, paths: readonly string[]])[] = [
    ['ada', ['/', '/messages', '/mail', '/apps', '/homes', '/records', '/access', '/keys', '/more']],
    [
      'operator',
      ['/', '/homes', '/sessions', '/alarms', '/gateways', '/updates', '/farm', '/records', '/e-center', '/keys'],
    ],
    ['tom', ['/gateways', '/alarms', '/farm']],
    ['dora', ['/e-center', '/keys', '/apps']],
  ];
  test.each(pages)(
    '%s: every page is clean for axe, in light and dark, wide and narrow',
    async (who, paths) => {
      for (const size of [undefined, PHONE]) {
        const page = who === 'operator' ? await rig.operatorPage('/', size) : await signedIn(who, '/', size);
        for (const path of paths) {
          await page.goto(rig.base + path);
          await page.getByRole('heading', { level: 1 }).waitFor();
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme });
            await page.evaluate(axe.source);
            const found = await page.evaluate(
              `axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' | ')))`,
            );
            expect(found, `${path} ${colorScheme}`).toEqual([]);
          }
          expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), path).toBe(true);
        }
        await page.context().close();
      }
      expect(rig.complaints).toEqual([]);
    },
    60_000,
  );
});
