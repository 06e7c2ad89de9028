/** Takes `docs/images/portal.png`: a conference with media between two homes, live. Run: `bin/node test/e2e/screenshot.ts [FILE]`. */
import { join } from 'node:path';
import type { Gateway } from '#device/gateway.ts';
import { Rig } from './rig.ts';

const file = process.argv[2] ?? join(import.meta.dirname, '../../docs/images/portal.png');
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
  const oak = await furnish('Oak Lane 2', ['Hall']);
  await pause(2000);
  const participants = [elm[0] ?? '', oak[0] ?? ''];
  const item = (await rig.ask('media.list', {})).items[0]?.id ?? '';
  const session = await rig.ask('conference.create', { participants, media: { item, to: 'homes' } });
  await pause(12_000);
  const page = await rig.operatorPage(`/sessions/${session.id}`, { width: 1280, height: 900 });
  await page.getByRole('heading', { level: 1, name: 'Conference with media' }).waitFor();
  await pause(2500);
  await page.screenshot({ path: file });
  await rig.ask('session.end', { session: session.id });
} finally {
  await rig.stop();
}
