/** Phones behind a gateway that watch for messages of their line (RFC 3842): told by the gateway, from what the cloud tells it. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let a: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 61 }));
  ({ elm, oak, a } = await twoHomes(stage));
});
afterEach(() => stage[Symbol.asyncDispose]());

const HOUSE = ['elm', 'elm-phone1', 'elm-phone2'];
const own = (home: StageHome, n = 0) => home.lines[n] as StageLine;
const watch = (phone: Phone, line: StageLine) =>
  world.settle(phone.watches.start('message-summary', line.number, 3_600));
const counts = (phone: Phone) =>
  phone.watches.notified.map(({ body }) => /Text-Message: (\d+\/\d+)/.exec(body)?.[1] ?? 'none');
const told = (wanted: string, limit = 10_000) =>
  stage.ground.until(() => counts(a).at(-1) === wanted, limit, `${wanted}, after ${counts(a)}`);
const send = () => stage.api('message.send', { from: own(oak).id, to: own(elm).number, text: 'Dinner is ready.' });

it('hear of every change', async () => {
  expect(await watch(a, own(elm))).toBe(200);
  await told('0/0');
  const { id: message } = await send();
  await told('1/0');
  expect(a.watches.notified.at(-1)?.body).toMatch(/^Messages-Waiting: yes\r\nMessage-Account: sip:\+\d+@/);
  await stage.api('message.read', { message });
  await told('0/1');
  // Nothing is told that has not changed.
  await world.run(60_000);
  expect(counts(a).filter((one, i, all) => one === all[i - 1] && i > 1)).toEqual([]);
});

it('may watch those of their own line alone', async () => {
  const hall = await elm.phone({ manner: 'answer' });
  expect(await watch(hall, own(elm))).toBe(403);
  expect(await watch(hall, own(oak))).toBe(404);
  expect(await watch(hall, own(elm, 1))).toBe(200);
  await world.run(1_000);
  await send();
  await world.run(2_000);
  expect(counts(hall).at(-1)).toBe('0/0');
});

it('are told while the WAN is cut what was so before, and afterwards what changed meanwhile', async () => {
  await watch(a, own(elm));
  await send();
  await told('1/0');
  world.partition(HOUSE);
  await world.run(120_000);
  await send();
  const before = counts(a).length;
  expect(await watch(a, own(elm))).toBe(200);
  await stage.ground.until(() => counts(a).length > before, 5_000, 'the answer of the gateway');
  expect(counts(a).at(-1)).toBe('1/0');
  world.heal();
  await told('2/0', 120_000);
});

it('hear on after the cloud was killed, and over an hour', async () => {
  await watch(a, own(elm));
  await told('0/0');
  await stage.killCloud();
  await world.run(5_000);
  await stage.startCloud();
  await world.run(90_000);
  await send();
  await told('1/0', 90_000);
  expect(await watch(a, own(elm))).toBe(200);
  await world.run(3_590_000);
  expect(await watch(a, own(elm))).toBe(200);
  await world.run(200_000);
  await send();
  await told('2/0', 90_000);
});

it('are left alone once none of them watches any more', async () => {
  expect(await world.settle(a.watches.start('message-summary', own(elm).number, 60))).toBe(200);
  await told('0/0');
  await world.run(7_300_000);
  const rows = await world.settle(stage.cloud.context.store.all('SELECT tag FROM subscription'));
  expect(rows).toEqual([]);
});
