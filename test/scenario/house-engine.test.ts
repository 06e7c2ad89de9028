/** A gateway and its media engine, which is another process: a call may end before the engine has answered, and the engine may die. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type FarEngine, farEngine } from '#test/support/far-engine.ts';
import { last, number, wordsOf } from './words.ts';

/** Milliseconds between the gateway's program and its engine. */
const AWAY = 8;

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let a: Phone;
let b: Phone;
let far: FarEngine;
let errors: string[];

const { until, dial } = wordsOf(() => stage);

beforeEach(async () => {
  errors = [];
  const log = (line: string) => {
    if (line.includes('"level":"error"')) errors.push(line);
  };
  ({ stage, world } = await virtualStage({ seed: 61, log }));
  Object.assign(stage.ground, {
    engine: async (host: StageHome['world']) => {
      far = farEngine(host, AWAY);
      return far.engine;
    },
  });
  elm = await stage.home('elm');
  a = await elm.phone({ manner: 'answer', answerAfter: 200 });
  b = await elm.phone({ manner: 'answer', answerAfter: 200 });
});
afterEach(() => stage[Symbol.asyncDispose]());

async function expectNothingLeft(): Promise<void> {
  await world.run(2_000);
  expect(await world.settle(elm.engine.list())).toEqual([]);
  expect(elm.gateway.status().voice.calls).toBe(0);
  expect(errors).toEqual([]);
}

describe('a phone that hangs up while the engine is still to answer', () => {
  it.each([1, 8, 16, 30])('%i ms after its answer leaves nothing behind and no error', async (ms) => {
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => b.calls[0]?.state === 'up', 'the answer');
    await world.run(ms);
    b.calls[0]?.hangup();
    await until(() => call.state === 'ended', 'the end');
    await expectNothingLeft();
  });
});

it.each([0, 4, 8, 12, 16, 20, 30, 40])(
  'nor does a star code whose phone hangs up %i ms after it is answered',
  async (ms) => {
    world.partition(['elm', 'elm-phone1']);
    await until(() => elm.gateway.status().voice.flow === 'down', 'the flow to be given up', 120_000);
    const call = await world.settle(a.dial('*26#'));
    await stage.ground.until(() => call.state === 'up', 1_000, 'the answer');
    await world.run(ms);
    call.hangup();
    await expectNothingLeft();
  },
);

it('an engine that dies ends the calls that it carried, for both sides; the next one carries the next', async () => {
  const call = await dial(a, number(elm, 1));
  await world.run(1_000);
  await world.settle(far.die());
  await until(() => call.state === 'ended' && last(b).state === 'ended', 'the end for both');
  await until(async () => (await stage.api('cdr.list', {})).items.length === 2, 'the records');
  expect((await stage.api('cdr.list', {})).items.map(({ reason }) => reason)).toEqual(['media_lost', 'media_lost']);
  const next = await dial(a, number(elm, 1));
  await world.run(500);
  expect(next.state).toBe('up');
  next.hangup();
  await expectNothingLeft();
});

it.each([100, 212])('an engine that dies while a call is being made (after %i ms) ends it', async (ms) => {
  const call = await world.settle(a.dial(number(elm, 1)));
  await world.run(ms);
  await world.settle(far.die());
  await until(() => call.state === 'ended' && (b.calls.length === 0 || last(b).state === 'ended'), 'the end');
  await expectNothingLeft();
});

describe('two phones that want the same place at once', () => {
  let c: Phone;
  let d: Phone;
  beforeEach(async () => {
    [c, d] = [await elm.phone(), await elm.phone()];
  });

  /** Both ask for the place of `b`, `ms` after one another; one has it, and the other hears that it is gone. */
  async function both(ms: number): Promise<PhoneCall> {
    const { callId, localTag, remoteTag } = b.dialogOf(last(b));
    const headers = [['Replaces', `${callId};to-tag=${remoteTag};from-tag=${localTag}`]] as const;
    const first = c.dial(number(elm, 1), headers);
    await world.run(ms);
    const calls = [await world.settle(first), await world.settle(d.dial(number(elm, 1), headers))];
    await until(() => calls.every(({ state }) => state === 'up' || state === 'ended'), 'an outcome for both');
    expect(calls.map(({ state, status }) => (state === 'up' ? 'up' : status))).toEqual(['up', 481]);
    return calls[0] as PhoneCall;
  }

  it.each([0, 2, 9, 17])('in a call that is up, %i ms apart', async (ms) => {
    const call = await dial(a, number(elm, 1));
    await world.run(500);
    const taken = await both(ms);
    await world.run(1_000);
    expect([call.state, taken.state, last(b).state]).toEqual(['up', 'up', 'ended']);
    taken.hangup();
    await until(() => call.state === 'ended', 'the end');
    await expectNothingLeft();
  });

  it.each([0, 2, 9, 17])('which rings, %i ms apart', async (ms) => {
    b.manner = 'ring';
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => b.calls.length === 1 && call.progress.includes(180), 'ringing');
    const taken = await both(ms);
    await until(() => call.state === 'up', 'the answer');
    taken.hangup();
    await until(() => call.state === 'ended', 'the end');
    await expectNothingLeft();
  });
});
