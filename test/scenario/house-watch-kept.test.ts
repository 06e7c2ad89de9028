/** Lamps of phones of a house through a cut of the WAN, over a restart of its gateway in it, and afterwards (RFC 4235, RFC 3842). */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { number, wordsOf } from './words.ts';

const HOUSE = ['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3'];

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let desk: Phone;
let hall: Phone;
let attic: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 73 }));
  elm = await stage.home('elm');
  [desk, hall, attic] = [await elm.phone({}), await elm.phone({}), await elm.phone({})];
});
afterEach(() => stage[Symbol.asyncDispose]());

const { until, dial } = wordsOf(() => stage);
const told = (event: string) =>
  desk.watches.notified.filter((one) => one.header('Event')?.startsWith(event) === true).map(({ body }) => body);
/** What a call of the watched phone made of the lamp. */
async function lamp(): Promise<string[]> {
  const before = told('dialog').length;
  const call = await dial(attic, number(elm, 1));
  await world.run(1_000);
  attic.hangup(call);
  await world.run(1_000);
  const states = told('dialog')
    .slice(before)
    .flatMap((body) => /<state>(\w+)</.exec(body)?.[1] ?? []);
  return states.filter((one, i) => one !== states[i - 1]);
}
const LAMP = ['trying', 'early', 'confirmed', 'terminated'];

it('the lamps live on, whoever asked when, and messages wait as they did', async () => {
  await stage.api('message.send', { from: elm.lines[1]?.id ?? '', to: number(elm, 0), text: 'Dinner is ready.' });
  expect(await world.settle(desk.watches.start('dialog', number(elm, 1)))).toBe(200);
  expect(await world.settle(desk.watches.start('message-summary', number(elm, 0)))).toBe(200);
  await world.run(2_000);
  const summary = told('message-summary').at(-1);
  expect(summary).toMatch(/^Messages-Waiting: yes/);
  expect(await lamp()).toEqual(LAMP);
  world.partition(HOUSE);
  await until(() => elm.gateway.status().voice.flow === 'down', 'the flow to be given up', 120_000);
  expect(await lamp()).toEqual(LAMP);
  const heard = told('message-summary').length;
  await elm.restart();
  await world.run(2_000);
  expect(told('message-summary').length).toBeGreaterThan(heard);
  expect(told('message-summary').at(-1)).toBe(summary);
  expect(await lamp()).toEqual(LAMP);
  world.heal();
  await until(() => elm.gateway.status().voice.flow === 'up', 'the flow', 180_000);
  expect(await world.settle(desk.watches.start('dialog', number(elm, 1)))).toBe(200);
  expect(await lamp()).toEqual(LAMP);
  expect(hall.calls.every(({ state }) => state === 'ended')).toBe(true);
});
