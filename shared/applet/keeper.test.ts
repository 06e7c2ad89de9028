import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Keeper } from './keeper.ts';
import { afterEnd, afterRest, afterTurn, CPU_PER_MINUTE, newLife, STRIKE_WINDOW } from './lifecycle.ts';
import { localSandbox } from './local.ts';
import { LOG_TEXT, readGuestMessage } from './message.ts';

let world: VirtualWorld;
let keeper: Keeper;
let states: string[];
let calls: [string, unknown][];
let done: number[];

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  const { clock, log } = world.host('gateway', ['10.0.0.1']);
  states = [];
  calls = [];
  done = [];
  keeper = new Keeper({
    clock,
    log,
    sandbox: localSandbox(),
    call: async (_id, name, input): Promise<Result<unknown, Fault>> => {
      calls.push([name, input]);
      if (name === 'boom') throw new Error('a bug of the host');
      return name === 'locked' ? err(fault('not_permitted')) : ok({ got: input });
    },
    done: (_id, delivery) => done.push(delivery),
    changed: (_id, state) => states.push(state),
  });
});
afterEach(async () => {
  await world.settle(keeper.close());
  world[Symbol.dispose]();
});

const start = async (bundle: string, id = 'guest') => {
  keeper.start({ id, bundle, boot: {} });
  await world.run(10);
};
const logs = (id = 'guest') => keeper.status(id)?.logs.map(({ text }) => text) ?? [];
/** A guest that writes what it is told into its log. */
const PARROT = `hearthline.take = (text) => hearthline.send(JSON.stringify({ log: 'info', text }));`;

describe('a guest', () => {
  it('asks, is answered by number, and is counted', async () => {
    await start(
      `${PARROT} hearthline.send('{"id":7,"do":"open","with":{"a":1}}'); hearthline.send('{"id":8,"do":"locked"}'); hearthline.send('{"id":9,"do":"boom"}');`,
    );
    expect(calls).toEqual([
      ['open', { a: 1 }],
      ['locked', undefined],
      ['boom', undefined],
    ]);
    expect(logs().map((text) => JSON.parse(text) as object)).toEqual(
      expect.arrayContaining([
        { re: 7, ok: { got: { a: 1 } } },
        { re: 8, fault: { code: 'not_permitted' } },
        { re: 9, fault: { code: 'internal' } },
      ]),
    );
    expect(keeper.status('guest')?.counted).toEqual([
      { name: 'open', used: 1, denied: 0, failed: 0 },
      { name: 'locked', used: 0, denied: 1, failed: 0 },
      { name: 'boom', used: 0, denied: 0, failed: 1 },
    ]);
  });

  it('hears what waited while it started, in order', async () => {
    keeper.start({ id: 'guest', bundle: PARROT, boot: {} });
    keeper.deliver('guest', 1);
    keeper.deliver('guest', 2);
    await world.run(10);
    expect(logs()).toEqual(['1', '2']);
  });

  it('sleeps on the world’s clock, a minute at most', async () => {
    await start(
      `${PARROT} hearthline.send('{"id":1,"do":"sleep","with":{"ms":5000}}'); hearthline.send('{"id":2,"do":"sleep","with":{"ms":60001}}');`,
    );
    expect(logs().join()).toContain('"re":2,"fault":{"code":"bad_request"');
    await world.run(4980);
    expect(logs().join()).not.toContain('"re":1');
    await world.run(20);
    expect(logs().join()).toContain('"re":1,"ok":null');
  });

  it('that loops starts again after 0.2 s and 0.4 s, and is put away the third time; others go on', async () => {
    await start(PARROT, 'good');
    await start(`hearthline.take = () => { for (;;); }`);
    for (const wait of [210, 410, 0]) {
      keeper.deliver('guest', 'go');
      await world.run(wait + 1);
    }
    expect(states.filter((state) => state !== 'starting')).toEqual([
      'running',
      'running',
      'crashed',
      'running',
      'crashed',
      'running',
      'quarantined',
    ]);
    expect(keeper.deliver('guest', 'more')).toBe(false);
    expect(keeper.status('guest')).toMatchObject({ state: 'quarantined', starts: 3 });
    keeper.deliver('good', 'still here');
    await world.run(1);
    expect(logs('good')).toEqual(['"still here"']);
  });

  it('that uses its minute of CPU is throttled, keeps what it is told, and goes on', async () => {
    await start(
      `let n = 0; hearthline.take = () => { for (let i = 0; i < 700000; i++); hearthline.send('{"log":"info","text":"' + (++n) + '"}'); };`,
    );
    for (let i = 0; i < 60; i++) {
      keeper.deliver('guest', i);
      await world.run(1);
    }
    expect(keeper.status('guest')).toMatchObject({ state: 'throttled' });
    const before = logs().length;
    expect(before).toBeLessThan(60);
    await world.run(120_000);
    expect(logs().length).toBeGreaterThan(before);
  });

  it('that talks too much is not heard, and its log is cut', async () => {
    await start(`for (let i = 0; i < 250; i++) hearthline.send('{"log":"info","text":"x"}');`);
    expect(logs().length).toBeLessThanOrEqual(121);
    expect(logs().at(-1)).toContain('in a minute');
  });

  it('that says nonsense is counted and answered with nothing', async () => {
    await start(
      `for (const text of ['', 'null', '[]', '{"id":-1,"do":"x"}', '{"id":"1","do":"x"}', '{"done":1.5}', '{"log":"loud","text":"x"}']) hearthline.send(text);`,
    );
    expect(calls).toEqual([]);
    expect(done).toEqual([]);
    expect(keeper.status('guest')?.counted).toEqual([{ name: '(refused message)', used: 0, denied: 0, failed: 7 }]);
  });

  it('has 64 calls under way at once, and 256 messages waiting for it', async () => {
    await start(
      `${PARROT} for (let i = 0; i < 65; i++) hearthline.send('{"id":' + i + ',"do":"sleep","with":{"ms":1000}}');`,
    );
    expect(logs()).toEqual([expect.stringContaining('"re":64,"fault":{"code":"rate_limited"')]);
    keeper.start({ id: 'late', bundle: PARROT, boot: {} });
    for (let i = 0; i < 257; i++) keeper.deliver('late', i);
    await world.run(10);
    expect(keeper.status('late')).toMatchObject({ dropped: 1 });
  });

  it('that is gone gets no answers of its earlier life', async () => {
    await start(`hearthline.send('{"id":1,"do":"sleep","with":{"ms":50}}');`);
    keeper.start({ id: 'guest', bundle: PARROT, boot: {} });
    await world.run(100);
    expect(logs()).toEqual([]);
  });
});

describe('its life', () => {
  it('costs nothing for another’s fault, and strikes are forgotten after ten minutes', () => {
    const life = newLife(0);
    expect(afterEnd(life, 'host-lost', 'x', 5)).toMatchObject({ at: 'crashed', strikes: [], restartAt: 5 });
    let struck = afterEnd(life, 'deadline', 'x', 0);
    struck = afterEnd(struck, 'killed', 'x', 1);
    expect(struck).toMatchObject({ at: 'crashed', restartAt: 401 });
    expect(afterEnd(struck, 'memory', 'x', STRIKE_WINDOW).strikes).toHaveLength(2);
    expect(afterEnd(struck, 'memory', 'x', STRIKE_WINDOW - 1).at).toBe('quarantined');
  });

  it('earns its CPU evenly and never more than a minute’s', () => {
    const spent = afterTurn(newLife(0), CPU_PER_MINUTE, 0);
    expect(spent).toMatchObject({ at: 'throttled', resumeAt: 6000 });
    expect(afterRest(spent, 6000)).toMatchObject({ at: 'running', allowance: 100 });
    expect(afterTurn(newLife(0), 1, 600_000).allowance).toBe(CPU_PER_MINUTE - 1);
  });
});

it.each([
  ['{"id":1,"do":"x","with":{"a":1}}', { kind: 'call', number: 1, name: 'x', input: { a: 1 } }],
  [`{"id":1,"do":"${'x'.repeat(65)}"}`, undefined],
  ['{"done":3}', { kind: 'done', delivery: 3 }],
  [`{"log":"warn","text":"${'x'.repeat(LOG_TEXT + 9)}"}`, { kind: 'log', level: 'warn', text: 'x'.repeat(LOG_TEXT) }],
  ['{"__proto__":{"id":1,"do":"x"}}', undefined],
  ['nonsense', undefined],
])('reads %s', (text, expected) => {
  expect(readGuestMessage(text)).toEqual(expected);
});
