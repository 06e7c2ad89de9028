/** JsSIP in a real browser (Chromium), over the browser's own WebSocket and TLS, at our softswitch. */
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { hasFile } from '#test/peers.ts';
import type { PagePhone } from './chromium-page.ts';
import { any, type Line, LoopbackCloud } from './loopback-cloud.ts';

const CHROMIUM = '/usr/bin/chromium';
const ORIGIN = 'https://localhost:8443';
const FLAGS = [
  ...['--no-sandbox', '--disable-dev-shm-usage', '--ignore-certificate-errors'],
  ...['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  // The page comes from the test, and is no neighbour of the loopback to the browser.
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
];

/** The page's globals. */
type Tab = { PagePhone: typeof PagePhone; phone: PagePhone };

describe.skipIf(!hasFile(CHROMIUM))('JsSIP in Chromium, over wss', () => {
  let rig: LoopbackCloud;
  let browser: Browser;
  let script = '';

  beforeAll(async () => {
    rig = await LoopbackCloud.start({ ws: any, wss: any });
    const bundle = await rolldown({ input: join(import.meta.dirname, 'chromium-page.ts'), platform: 'browser' });
    script = (await bundle.generate({ format: 'iife', name: 'page' })).output[0].code;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await rig.stop();
  });

  const line = () => rig.line();

  /** A page that is registered for a line. */
  async function page({ sip }: Line, described: boolean): Promise<Page> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    await context.route(`${ORIGIN}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<p>phone</p>' }));
    const tab = await context.newPage();
    await tab.goto(`${ORIGIN}/`);
    await tab.addScriptTag({ content: script });
    const url = `wss://127.0.0.1:${rig.cloud.config.bound.wss?.port}/sip`;
    const options = { url, uri: `sip:${sip.username}@${sip.domain}`, password: sip.password ?? '', described };
    await tab.evaluate((given) => {
      const tab = globalThis as unknown as Tab;
      tab.phone = new tab.PagePhone(given);
    }, options);
    await rig.until(() => tab.evaluate(() => (globalThis as unknown as Tab).phone.registered), 'the registration');
    return tab;
  }

  const desk = (of: Line): Promise<Phone> => rig.phone(of);

  const calls = (tab: Page) => tab.evaluate(() => (globalThis as unknown as Tab).phone.calls);

  it('registers, calls a phone, is called by it, and ends both', async () => {
    const [mine, other] = [await line(), await line()];
    const [tab, phone] = [await page(mine, true), await desk(other)];
    await tab.evaluate(
      (to) => (globalThis as unknown as Tab).phone.call(to),
      `sip:${other.number}@${other.sip.domain}`,
    );
    await rig.until(async () => (await calls(tab))[0] === 'up' && phone.calls[0]?.state === 'up', 'the call');
    await tab.evaluate(() => (globalThis as unknown as Tab).phone.hangup());
    await rig.until(() => phone.calls[0]?.state === 'ended', 'the BYE of the page');
    const back = await phone.dial(mine.number);
    await rig.until(async () => (await calls(tab)).length === 2, 'the INVITE at the page');
    await tab.evaluate(() => (globalThis as unknown as Tab).phone.answer());
    await rig.until(() => back.state === 'up', 'the answer of the page');
    back.hangup();
    await rig.until(async () => (await calls(tab))[1] === 'ended', 'the BYE of the desk');
    const { items } = await rig.ask('registration.list', { lines: [mine.id] });
    expect(items).toHaveLength(1);
    await tab.context().close();
    const gone = async () => (await rig.ask('registration.list', { lines: [mine.id] })).items.length === 0;
    await rig.until(gone, 'the end of the registration with its page');
  });

  it('what its own media offers (DTLS) is refused with 488, and it may go on calling', async () => {
    const [mine, other] = [await line(), await line()];
    const tab = await page(mine, false);
    await desk(other);
    await tab.evaluate(
      (to) => (globalThis as unknown as Tab).phone.call(to),
      `sip:${other.number}@${other.sip.domain}`,
    );
    await rig.until(async () => (await calls(tab))[0] === 'ended', 'the refusal');
    expect(await tab.evaluate(() => (globalThis as unknown as Tab).phone.statuses)).toEqual([488]);
    expect(await tab.evaluate(() => (globalThis as unknown as Tab).phone.registered)).toBe(true);
    await tab.context().close();
  });
});
