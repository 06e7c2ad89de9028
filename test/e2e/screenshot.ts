/**
 * Takes the pictures of `docs/images/`: a conference with media between two homes, live; a gateway's health; messages on a phone's screen.
 * Run: `bin/node test/e2e/screenshot.ts [FOLDER]`.
 */
import { join } from 'node:path';
import type { Gateway } from '#device/gateway.ts';
import { Rig } from './rig.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs/images');
const rig = await Rig.start();

/** Waits until a condition holds, 20 s at most. */
async function until(condition: () => boolean): Promise<void> {
  const end = rig.world.clock.mono() + 20_000;
  while (!condition()) {
    if (rig.world.clock.mono() > end) throw new Error('what the picture needs did not come about');
    await pause(100);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void rig.world.clock.at(rig.world.clock.mono() + ms, resolve));
}

/** A home with a paired gateway and phones behind it; gives the ids of their lines. */
async function furnish(name: string, phones: readonly string[]): Promise<string[]> {
  const home = await rig.ask('home.create', { name });
  const gateway: Gateway = await rig.gateway();
  await until(() => gateway.status().pairing.code !== undefined);
  const lines = [];
  for (const phone of phones) lines.push(await rig.ask('line.create', { home: home.id, name: phone }));
  await rig.ask('gateway.claim', { home: home.id, code: gateway.status().pairing.code ?? '' });
  await until(() => gateway.status().pairing.at === 'paired');
  for (const line of lines) await rig.phone(line, gateway.status().sip.udp);
  return lines.map((line) => line.id);
}

try {
  const elm = await furnish('Elm Street 1', ['Kitchen', 'Study']);
  const elmHome = (await rig.ask('home.list', {})).items[0]?.id ?? '';
  const oak = await furnish('Oak Lane 2', ['Hall']);
  await pause(2000);
  const participants = [elm[0] ?? '', oak[0] ?? ''];
  const item = (await rig.ask('media.list', {})).items[0]?.id ?? '';
  const session = await rig.ask('conference.create', { participants, media: { item, to: 'homes' } });
  await pause(12_000);
  const page = await rig.operatorPage(`/sessions/${session.id}`, { width: 1280, height: 900 });
  await page.getByRole('heading', { level: 1, name: 'Conference with media' }).waitFor();
  await pause(2500);
  await page.screenshot({ path: join(folder, 'portal.png') });
  await rig.ask('message.send', { from: elm[1] ?? '', to: oak[0] ?? '', text: 'Dinner is ready.', receipts: true });
  await rig.ask('message.send', { from: oak[0] ?? '', to: elm[0] ?? '', text: 'On our way!' });
  const gateway = (await rig.ask('gateway.list', { home: elmHome })).items[0]?.id ?? '';
  for (const [name, path, heading, size] of [
    ['gateway', `/gateways/${gateway}`, 'Gateway', { width: 1280, height: 900 }],
    ['messages', '/messages', 'Messages', { width: 390, height: 844 }],
  ] as const) {
    const one = await rig.operatorPage(path, size);
    await one.getByRole('heading', { level: 1, name: heading }).waitFor();
    await pause(2500);
    await one.screenshot({ path: join(folder, `${name}.png`) });
  }
  await rig.ask('session.end', { session: session.id });
} finally {
  await rig.stop();
}
