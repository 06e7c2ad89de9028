/** Where a line's phones may be when its features are tried: straight at the softswitch, behind a gateway, or in a house that is cut off. */
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { PhoneOptions } from '#simulator/phone-options.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { carrier, trunkTo } from '#test/support/carrier.ts';
import { type Features, wordsOf } from './words.ts';

export const PLACES = ['straight at the softswitch', 'behind a gateway', 'in a house that is cut off'] as const;
export type Where = (typeof PLACES)[number];

/** A number that a trunk leads to. */
export const OUTSIDE = '+12125550100';
const ANSWERS = { manner: 'answer', answerAfter: 100 } as const;
const COUNT = 4;
const HOUSE = ['elm', ...Array.from({ length: COUNT + 1 }, (_, n) => `elm-phone${n + 1}`)];

/** Phones of one home, each of a line of its own; the first line is the one that has the feature. */
export interface Place {
  readonly stage: Stage;
  readonly world: VirtualWorld;
  readonly home: StageHome;
  readonly phones: readonly Phone[];
  readonly numbers: readonly string[];
  /** The WAN is to be cut. */
  readonly cut: boolean;
}

export async function openPlace(where: Where, seed: number, more: Partial<PhoneOptions> = {}): Promise<Place> {
  const { stage, world } = await virtualStage({ seed });
  const home = await stage.home('elm');
  const phones: Phone[] = [];
  for (let n = 0; n < COUNT; n++) {
    const options = { ...ANSWERS, ...more };
    const direct = where === 'straight at the softswitch';
    phones.push(direct ? await stage.directPhone(await stage.line(home), options) : await home.phone(options));
  }
  const outside = await carrier(world, '10.6.0.1', {}, stage.ground.sip(stage.cloud));
  stage.phones.push(outside.phone);
  await stage.api('trunk.create', trunkTo(outside, { probeEvery: 0 }));
  await world.run(1_000);
  return { stage, world, home, phones, numbers: home.lines.map(({ number }) => number), cut: where === PLACES[2] };
}

export async function setAt({ stage, world, home }: Place, features: Features, line = 0): Promise<void> {
  await wordsOf(() => stage).setFeatures(home, features, line);
  // A gateway hears of it.
  await world.run(500);
}

/** Cuts the WAN where this place is without it. */
export async function cutAt({ stage, world, home, cut }: Place): Promise<void> {
  if (!cut) return;
  world.partition(HOUSE);
  await wordsOf(() => stage).cutOff(home);
}

/** As it was, with nothing set. */
export async function restoreAt(place: Place): Promise<void> {
  const { stage, world, home, phones, numbers, cut } = place;
  for (const phone of phones) {
    phone.manner = 'answer';
    for (const call of phone.calls) call.hangup();
  }
  const { until } = wordsOf(() => stage);
  if (cut) {
    world.heal();
    await until(() => home.gateway.agent()?.status.at === 'ready', 'the link', 200_000);
    await until(() => home.gateway.status().voice.flow === 'up', 'the flow', 200_000);
    await world.run(3_000);
  }
  for (const line of numbers.keys()) await setAt(place, {}, line);
}

export function wordsAt({ stage, world, phones, numbers }: Place) {
  const { dial, until } = wordsOf(() => stage);
  const [a, b, c, d] = phones as [Phone, Phone, Phone, Phone];
  const over = async (call: PhoneCall) => {
    call.hangup();
    await until(() => phones.every(({ calls }) => calls.every(({ state }) => state === 'ended')), 'the end');
    await world.run(300);
  };
  /** How the call ends or begins, and the phones that it rang. */
  const tries = async (from: Phone, to: string) => {
    const before = phones.map(({ calls }) => calls.length);
    const call = await dial(from, to, 60_000);
    const outcome = call.state === 'up' ? 'up' : call.status;
    await over(call);
    const rang = phones.flatMap((phone, i) => (phone !== from && phone.calls.length > (before[i] ?? 0) ? [i] : []));
    return [outcome, ...rang];
  };
  /** While the phone behaves so. */
  const when = async (phone: Phone, manner: Phone['manner'], what: () => Promise<void>) => {
    phone.manner = manner;
    await what();
    phone.manner = 'answer';
  };
  return { a, b, c, d, own: numbers[0] ?? '', number: (n: number) => numbers[n] ?? '', dial, until, over, tries, when };
}
