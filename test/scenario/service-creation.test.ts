/** Service creation end to end on the virtual world: packed, published, consented to, fetched, run, updated, refused, removed. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packProject } from '#cli/app-project.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { makePackage, signManifest } from '#shared/protocol/applet-package.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { type AppKit, appKit, installPackage } from '#simulator/app-kit.ts';
import { LanDevice } from '#simulator/lan-device.ts';

let key: KeyPair;
let pack: AppPackage;
const folder = join(import.meta.dirname, 'service-creation');

async function packed(change: Partial<Pick<Manifest, 'version' | 'matches'>> = {}): Promise<AppPackage> {
  const made = await packProject(folder, key, change);
  if (!made.ok) throw new Error(made.fault);
  return made.value;
}

beforeAll(async () => {
  key = await hostCrypto().createKey('Ed25519');
  pack = await packed();
});

/** The same bundles under another manifest, signed by the same developer. */
const again = (from: AppPackage, change: Partial<Manifest>) =>
  makePackage({ ...from.manifest, ...change }, from.bundles, key, hostCrypto());
const consentOf = (one: AppPackage) => rightsOf(one.manifest).map((right) => right.key);

describe('an application with both halves', () => {
  let kit: AppKit;
  beforeAll(async () => {
    kit = await appKit(pack, { seed: 3 });
  });
  afterAll(() => kit[Symbol.asyncDispose]());

  const cloudLog = async () => (await kit.cloudHalf()).logs.map(({ text }) => text).join('\n');
  const appletLog = () => (kit.applet()?.logs ?? []).map(({ text }) => text).join('\n');
  /** The applet says something to its cloud half, by its own channel. */
  const say = (word: string) =>
    kit.world.settle(
      kit.home.gateway
        .agent()
        ?.report('applet.message', { install: kit.install, version: '1.0.0', body: { say: word } }) ??
        Promise.reject(new Error('no agent')),
    );
  const cloudSays = (text: string) => kit.until(async () => (await cloudLog()).includes(text), text);

  it('runs on the gateway, and both halves talk', async () => {
    await kit.until(() => appletLog().includes('told {"echo":{"say":"hello"}}'), 'the echo');
    expect(await cloudLog()).toContain('heard applet {"say":"hello"}');
    await cloudSays('rang tick {"tea":true}');
    expect((await kit.stage.api('install.get', { install: kit.install })).applets).toMatchObject([
      { state: 'running', version: '1.0.0' },
    ]);
  });

  it('uses the open API within its scopes, and nothing beyond', async () => {
    await say('media');
    await cloudSays('media 4');
    await say('homes');
    await cloudSays('refused HearthlineFault');
    expect((await kit.cloudHalf()).counted).toContainEqual({ name: 'api', used: 1, denied: 1, failed: 0 });
  });

  it('composes services without their keys; each use is metered, and ends when it is withdrawn', async () => {
    await kit.stage.api('service.call', {
      home: kit.home.id,
      service: 'address-book',
      method: 'put',
      input: { name: 'Ada Lovelace', party: '+15550100042', groups: [] },
    });
    await say('who');
    await cloudSays('"party":"+15550100042"');
    const uses = async () => (await kit.stage.api('service.use.list', { home: kit.home.id })).items;
    expect(await uses()).toMatchObject([{ install: kit.install, service: 'address-book', method: 'find', uses: 1 }]);
    await kit.stage.api('service.allow', { install: kit.install, service: 'weather', allowed: false });
    await say('weather');
    await cloudSays('no weather HearthlineFault');
    expect(await uses()).toHaveLength(1);
    await kit.stage.api('service.allow', { install: kit.install, service: 'weather', allowed: true });
    await say('weather');
    await kit.until(async () => (await uses()).length === 2, 'a use');
    expect((await kit.stage.api('balance.get', { home: kit.home.id })).balance).toBe(-1_000);
    // Who pays in advance has to have it.
    await kit.stage.api('balance.set', { home: kit.home.id, mode: 'prepaid', add: 1_500 });
    await say('weather');
    await cloudSays('insufficient_credit');
    expect((await uses()).map(({ uses }) => uses)).toEqual([1, 1]);
    await kit.stage.api('balance.set', { home: kit.home.id, mode: 'prepaid', add: 500 });
    await say('weather');
    await kit.until(async () => (await uses()).some(({ uses }) => uses === 2), 'a use');
    expect((await kit.stage.api('balance.get', { home: kit.home.id })).balance).toBe(0);
    await kit.stage.api('balance.set', { home: kit.home.id, mode: 'postpaid' });
  });

  it('hears events of its home from the session manager’s journal', async () => {
    const phone = await kit.home.phone({ manner: 'answer', answerAfter: 200 });
    await kit.stage.api('media.play', { to: kit.home.lines[0]?.number ?? '', item: 'rain' });
    await cloudSays('event home.session.v1.');
    await kit.until(() => appletLog().includes('call ringing'), 'the applet to hear of it');
    phone.manner = 'answer';
  });

  it('is started by a mail to its own address', async () => {
    const { mail } = await kit.stage.api('install.get', { install: kit.install });
    expect(mail).toMatch(/^app\+lamp-post-[0-9a-z]{12}@/);
    await kit.stage.api('mailbox.create', { home: kit.home.id, address: 'elm' });
    await kit.stage.api('mail.send', { home: kit.home.id, to: [mail ?? ''], subject: 'lights on', text: 'please' });
    await cloudSays('mail lights on');
  });

  it('opens the door when somebody presses 9 in a call of the house, with the way to the cloud cut', async () => {
    const door = kit.stage.ground.host('front-door', kit.home.name);
    const device = await kit.world.settle(LanDevice.start(kit.world, 'front-door', door, 'front-door'));
    const [a, b] = [await kit.home.phone(), await kit.home.phone({ manner: 'answer', answerAfter: 200 })];
    await kit.until(() => kit.home.gateway.status().devices === 1, 'the door to be seen');
    kit.world.partition(['cloud']);
    const call = await kit.world.settle(a.dial(kit.home.lines.at(-1)?.number ?? ''));
    await kit.until(() => call.state === 'up', 'the call to be up');
    b.calls[0]?.press('9');
    await kit.until(() => appletLog().includes('opened 200'), 'the door to open');
    a.hangup(call);
    await kit.until(() => appletLog().includes('call ended'), 'the end');
    kit.world.heal();
    await kit.world.settle(device.stop(true));
    await kit.world.run(30_000);
  });

  it('that loops in the cloud harms nobody, starts again within a second, and leaves out what has ended it twice', async () => {
    const starts = (await kit.cloudHalf()).starts;
    await say('loop');
    await kit.until(async () => (await kit.cloudHalf()).state === 'crashed', 'the crash');
    await kit.world.run(1000);
    expect(await kit.cloudHalf()).toMatchObject({ state: 'running', starts: starts + 2 });
    await say('again');
    await cloudSays('heard applet {"say":"again"}');
    expect((await kit.stage.api('farm.list', {})).items.every(({ state }) => state === 'running')).toBe(true);
  });
});

describe('the way to a home', () => {
  let kit: AppKit;
  beforeAll(async () => {
    kit = await appKit(pack, { seed: 5 });
  });
  afterAll(() => kit[Symbol.asyncDispose]());
  const refused = (promise: Promise<unknown>, words: RegExp) => expect(promise).rejects.toThrow(words);
  const applet = (state: string) => kit.until(() => kit.applet()?.state === state, `the applet to be ${state}`, 60_000);

  it('needs consent to every right, is taken once, and only from the catalogue', async () => {
    const { api } = { api: kit.stage.api.bind(kit.stage) };
    const oak = await kit.stage.home('oak');
    await refused(
      api('install.create', { home: oak.id, app: 'lamp-post', consent: consentOf(pack).slice(1) }),
      /403.*consent_missing.*call\.control/,
    );
    await refused(api('install.create', { home: oak.id, app: 'none', consent: [] }), /404/);
    await refused(
      api('install.create', { home: kit.home.id, app: 'lamp-post', consent: consentOf(pack) }),
      /409.*already_installed/,
    );
    expect((await api('catalogue.list', {})).items).toMatchObject([
      { app: 'lamp-post', version: '1.0.0', halves: ['cloud', 'applet'] },
    ]);
  });

  it('a new version that asks for more needs consent to that, and replaces both halves', async () => {
    const wider = await again(await packed({ version: '1.1.0' }), {
      permissions: { ...pack.manifest.permissions, 'media.play': { items: ['rain'] } },
    });
    const published = await kit.stage.api('app.publish', { package: wider });
    expect(published.difference.added.map(({ key: right }) => right)).toEqual(['permission:media.play']);
    const shown = await kit.stage.api('install.get', { install: kit.install });
    expect(shown.update).toMatchObject({ version: '1.1.0', added: [{ key: 'permission:media.play' }] });
    await refused(kit.stage.api('install.update', { install: kit.install }), /consent_missing/);
    await kit.stage.api('install.update', { install: kit.install, consent: ['permission:media.play'] });
    await kit.until(() => kit.applet()?.version === '1.1.0' && kit.applet()?.state === 'running', 'the new applet');
    expect(kit.applet()?.granted['media.play']).toEqual({ items: ['rain'] });
    await kit.until(async () => (await kit.cloudHalf()).version === '1.1.0', 'the new cloud half');
  });

  it('refuses what is published wrongly, with words', async () => {
    const publish = (value: unknown) => kit.stage.api('app.publish', { package: value });
    await refused(publish(pack), /409.*version_exists/);
    await refused(
      publish({ ...pack, manifest: { ...pack.manifest, version: '3.0.0' } }),
      /422.*package_invalid.*signature/,
    );
    await refused(
      publish(await again(pack, { version: '1.2.0', scopes: ['bank:write'] })),
      /422.*package_refused.*bank:write/,
    );
    await refused(
      publish(await again(pack, { version: '1.2.0', services: ['oracle'] })),
      /422.*package_refused.*oracle/,
    );
    await refused(publish(await again(pack, { version: '2.2.0' })), /422.*package_refused.*not in/);
    const thief = await hostCrypto().createKey('Ed25519');
    await refused(
      publish(await makePackage({ ...pack.manifest, version: '1.2.0' }, pack.bundles, thief, hostCrypto())),
      /409.*app_of_another/,
    );
    const { id } = { id: 'lamp-loop' };
    const looping = { cloud: 'for (;;);' };
    const { applet: _, ...manifest } = pack.manifest;
    const hash = Buffer.from(hostCrypto().hash('sha256', Buffer.from(looping.cloud))).toString('hex');
    const bad = await makePackage(
      { ...manifest, id, cloud: { sha256: hash }, permissions: {} },
      looping,
      key,
      hostCrypto(),
    );
    await refused(publish(bad), /422.*package_refused.*deadline/);
  });

  it('an applet of another application, of a version outside the range, or not countersigned never runs; the gateway says which', async () => {
    const { home, stage } = kit;
    const { body } = (await desired(kit)) as { body: { operatorKey: string; installs: Record<string, unknown>[] } };
    const [wanted] = body.installs;
    const offer = async (change: Record<string, unknown>, words: RegExp) => {
      home.gateway.applets?.apply({ ...body, installs: [{ ...wanted, ...change }] } as never);
      await kit.until(
        () => kit.applet()?.state === 'refused' && words.test(kit.applet()?.why ?? ''),
        String(words),
        60_000,
      );
      const seen = async () => (await stage.api('install.get', { install: kit.install })).applets[0];
      await kit.until(
        async () => (await seen())?.state === 'refused' && words.test((await seen())?.why ?? ''),
        'the cloud to know',
      );
    };
    await offer({ application: 'doorbell' }, /gave no ticket for doorbell 1\.1\.0/);
    await offer({ matches: '^2.0.0' }, /version 1\.1\.0 is outside the range \^2\.0\.0/);
    await offer({ version: '1.0.9' }, /gave no ticket for lamp-post 1\.0\.9/);
    await offer({ sha256: '0'.repeat(64) }, /SHA-256/);
    home.gateway.applets?.apply({ ...body, operatorKey: 'AAAA' } as never);
    await kit.until(() => /countersigned/.test(kit.applet()?.why ?? ''), 'the missing countersignature', 60_000);
    home.gateway.applets?.apply(body as never);
    await applet('running');
  });

  it('a package with the mark of another operator is refused', async () => {
    const mine = await hostCrypto().createKey('Ed25519');
    const forged = { ...pack, operator: await signManifest(pack.manifest, mine, hostCrypto()) };
    const published = await kit.stage.api('app.get', { app: 'lamp-post', version: '1.0.0' });
    expect(published.sha256).not.toBe(undefined);
    expect(forged.operator?.key).not.toBe(((await desired(kit)) as { body: { operatorKey: string } }).body.operatorKey);
  });

  it('runs on with the cloud gone, also after a restart of the gateway, and comes off when it is removed', async () => {
    kit.world.partition(['cloud']);
    await kit.world.run(2000);
    await kit.home.stop();
    await kit.home.powerOn();
    await applet('running');
    kit.world.heal();
    await kit.world.run(30_000);
    await kit.stage.api('install.remove', { install: kit.install });
    await kit.until(() => kit.applet() === undefined, 'the applet to go');
    expect((await kit.stage.api('install.list', { home: kit.home.id })).items).toEqual([]);
    await installPackage(kit.stage, kit.home, pack);
  });
});

async function desired(kit: AppKit): Promise<unknown> {
  const find = "SELECT body FROM desired WHERE home = ? AND doc = 'applets'";
  const row = await kit.world.settle(kit.stage.cloud.context.store.one<{ body: string }>(find, [kit.home.id]));
  return { body: JSON.parse(row?.body ?? '{}') as unknown };
}
