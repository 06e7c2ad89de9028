/** What one call sends over the links between the softswitch processes and the main process: counted, for time depends on the machine. */
import { afterEach, expect, test } from 'vitest';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator.stop());

type Counts = Readonly<Record<string, number>>;

/** Messages by what they are, and octets in all (as JSON), of what `run` does. */
async function sent(run: () => Promise<void>): Promise<{ messages: Counts; octets: number }> {
  const { traffic } = operator.fleet ?? { traffic: new Map() };
  traffic.clear();
  await run();
  const said = [...traffic].filter(([name]) => name !== 'health');
  return {
    messages: Object.fromEntries(said.map(([name, { messages }]) => [name, messages])),
    octets: said.reduce((sum, [, { octets }]) => sum + octets, 0),
  };
}

/** What a call between two lines without limits says; the rows of many calls go by one `write`. */
const CALL: Counts = { 'ask session.route': 1, 'ask leg.report': 3, answer: 4, write: 2, written: 2 };

test('a call says little, one that rings for long a little more, and who has nothing to do next to nothing', async () => {
  operator = await Operator.start(5, undefined, undefined, 2);
  const a = await operator.line(await operator.home('home_1'), 1, { class: 'unmetered' });
  const b = await operator.line(await operator.home('home_2'), 2, { class: 'unmetered' });
  const c = await operator.line(await operator.home('home_3'), 3, { class: 'unmetered' });
  const alice = await operator.ready(a, operator.at(0));
  await operator.ready(b, { ...operator.at(0), answerAfter: 10 });
  await operator.ready(c, { ...operator.at(0), answerAfter: 1_000 });
  await operator.world.run(5_000);
  const talk = async ({ number }: Line) => {
    const call = await alice.dial(number);
    await operator.world.run(2_000);
    expect(call.state).toBe('up');
    call.hangup();
    await operator.world.run(2_000);
  };
  // Who calls and is called for the first time is looked up.
  for (const line of [b, c]) await talk(line);
  const call = await sent(() => talk(b));
  expect(call.messages).toEqual(CALL);
  expect(call.octets).toBeLessThan(6_000);
  const long = await sent(() => talk(c));
  expect(long.messages).toEqual({ ...CALL, write: 3, written: 3 });
  expect(long.octets).toBeLessThan(9_000);
  // The session manager asks now and then who has which calls.
  const idle = await sent(() => operator.world.run(60_000));
  expect(idle.messages).toEqual({ 'ask channel.list': 4, answer: 4 });
});
