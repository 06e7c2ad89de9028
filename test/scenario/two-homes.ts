/** The main job as a scenario: two homes are paired, their phones call each other, and each hears the other and not itself. */
import { expect } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { tone } from '#simulator/voice.ts';

export const TONES = { a: 443, b: 617 } as const;

/** What a phone hears must hold the other's tone, loud, and of its own at least 25 dB less. */
export function expectHears(samples: Int16Array, other: number, own: number): void {
  const tail = samples.subarray(Math.max(0, samples.length - 8000));
  const [theirs, ours] = [levelOf(tail, other), levelOf(tail, own)];
  expect(theirs).toBeGreaterThan(-30);
  expect(ours).toBeLessThan(theirs - 25);
}

/** A phone of the home that answers soon and says a tone of its own (Hz). */
export const phoneWith = (home: StageHome, hertz: number): Promise<Phone> =>
  home.phone({ manner: 'answer', answerAfter: 200, voice: tone(hertz, 1) });

/** Three phones of a home. */
export async function threePhones(home: StageHome, tones: readonly [number, number, number]) {
  const [one, two, three] = tones;
  return [await phoneWith(home, one), await phoneWith(home, two), await phoneWith(home, three)] as const;
}

/** Every call has ended, and no gateway holds anything of one. */
export async function expectNothingLeft(stage: Stage): Promise<void> {
  await stage.ground.pass(3_000);
  for (const phone of stage.phones) for (const call of phone.calls) expect(call.state).toBe('ended');
  for (const home of stage.homes) {
    expect(await stage.ground.settle(home.engine.list())).toEqual([]);
    expect(home.gateway.status().voice.calls).toBe(0);
  }
}

export async function twoHomes(stage: Stage) {
  const elm = await stage.home('elm');
  const oak = await stage.home('oak');
  const a = await phoneWith(elm, TONES.a);
  const b = await phoneWith(oak, TONES.b);
  return { elm, oak, a, b };
}

/** A calls B by number; both hear each other; A hangs up; two records are written. */
export async function callAcross(stage: Stage): Promise<void> {
  const { oak, a, b } = await twoHomes(stage);
  const call = await stage.ground.settle(a.dial(oak.lines[0]?.number ?? ''));
  await stage.ground.until(() => call.state === 'up', 10_000, 'the call to be answered');
  await stage.ground.pass(2500);
  const [answered] = b.calls;
  expectHears(call.heard(), TONES.b, TONES.a);
  expectHears(answered?.heard() ?? new Int16Array(), TONES.a, TONES.b);
  a.hangup(call);
  await stage.ground.until(() => answered?.state === 'ended', 5_000, 'the other side to end');
  await stage.ground.until(async () => (await stage.api('cdr.list', {})).items.length === 2, 10_000, 'two records');
  const { items } = await stage.api('cdr.list', {});
  expect(items.map(({ reason, seconds }) => [reason, seconds >= 2 && seconds <= 4])).toEqual([
    ['hangup', true],
    ['hangup', true],
  ]);
  const [session] = (await stage.api('session.list', {})).items;
  expect(session).toMatchObject({ kind: 'call', state: 'ended', reason: 'hangup' });
}
