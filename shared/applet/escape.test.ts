/** Attempts to get out of the sandbox, or to take more than it gives. In this thread (fuel) and in the process (CPU time, watchdog). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processSandbox } from './adapter-process.ts';
import { localSandbox } from './local.ts';
import { MESSAGE_LIMIT, MESSAGES_PER_TURN, type Sandbox, type SandboxEvent } from './sandbox.ts';

type Outcome = readonly SandboxEvent[];

let guests = 0;

/** Starts a bundle and gives what came of it, up to the end of its first turn. */
async function run(sandbox: Sandbox, bundle: string): Promise<Outcome> {
  const id = `guest${++guests}`;
  const events: SandboxEvent[] = [];
  await new Promise<void>((resolve) => {
    sandbox.onEvent((event) => {
      events.push(event);
      if (event.on !== 'message') resolve();
    });
    sandbox.start({ id, bundle, boot: '{}' });
  });
  sandbox.stop(id);
  return events;
}

const said = (events: Outcome) => events.flatMap((event) => (event.on === 'message' ? [event.text] : []));
const end = (events: Outcome) => {
  const last = events.at(-1);
  return last?.on === 'ended' ? last.why : last?.on;
};

/** Name, bundle, and what must come of it: how it ended, or what it said. */
const attempts: readonly (readonly [string, string, (events: Outcome) => void])[] = [
  [
    'constructor chains reach no host',
    `const make = hearthline.send.constructor;
     const names = ['process', 'require', 'fetch', 'WebAssembly', 'setTimeout', 'Buffer', 'global', 'Deno', 'XMLHttpRequest', 'std', 'os'];
     const found = names.filter((name) => make('return typeof ' + name)() !== 'undefined');
     hearthline.send(JSON.stringify(found.concat(Object.getPrototypeOf(hearthline) === Object.prototype ? [] : ['prototype'])));`,
    (events) => expect(said(events)).toEqual(['[]']),
  ],
  [
    'import and dynamic import find nothing',
    `import('node:fs').then(() => hearthline.send('in'), () => hearthline.send('out')); try { eval("import fs from 'fs'") } catch { hearthline.send('no') }`,
    (events) => {
      expect(said(events)).not.toContain('in');
      expect(said(events)).toContain('no');
    },
  ],
  [
    'prototypes that are polluted are its own',
    `Object.prototype.polluted = 1; Array.prototype.map = () => { throw 1 }; Function.prototype.call = () => 2;
     JSON.stringify = () => 'x'; hearthline.send('{"__proto__":{"polluted":1}}');`,
    (events) => {
      expect(said(events)).toHaveLength(1);
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
      expect([1].map((x) => x)).toEqual([1]);
    },
  ],
  ['an endless loop ends', 'for (;;);', (events) => expect(end(events)).toBe('deadline')],
  [
    'an endless chain of promises ends',
    'const again = () => { Promise.resolve().then(again); }; again();',
    (events) => expect(end(events)).toBe('deadline'),
  ],
  [
    'an endless chain of promises that wait for each other ends, by its time or for want of memory, which breaks the chain',
    'const again = () => Promise.resolve().then(again); again();',
    (events) => expect(['deadline', 'memory', 'turn']).toContain(end(events)),
  ],
  [
    'a loop that catches everything ends',
    'for (;;) { try { for (;;); } catch {} finally { for (;;); } }',
    (events) => expect(end(events)).toBe('deadline'),
  ],
  [
    'an expression that backtracks for ever ends',
    `/^(a+)+$/.test('a'.repeat(60) + 'b')`,
    (events) => expect(['deadline', 'killed']).toContain(end(events)),
  ],
  [
    'recursion without end meets a limit',
    `const down = () => down() + 1; try { down() } catch (error) { hearthline.send(error.name) }`,
    (events) => expect(said(events)).toEqual(['InternalError']),
  ],
  [
    'native recursion without end breaks its own instance alone',
    `let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; try { JSON.stringify(deep) } catch {} deep.toString()`,
    (events) => expect(['memory', 'start', 'deadline']).toContain(end(events)),
  ],
  [
    'an oversized message is refused before it is copied',
    `try { hearthline.send('x'.repeat(${MESSAGE_LIMIT + 1})) } catch (error) { hearthline.send('refused') }
     hearthline.send('y'.repeat(${MESSAGE_LIMIT}))`,
    (events) => expect(said(events).map((text) => text.length)).toEqual([7, MESSAGE_LIMIT]),
  ],
  [
    'a flood of messages is cut',
    `for (let i = 0; i < 10000; i++) { try { hearthline.send('x') } catch {} }`,
    (events) => expect(said(events)).toHaveLength(MESSAGES_PER_TURN),
  ],
  [
    'proxies, getters and strings in disguise never reach the host',
    `const sly = new Proxy({}, { get() { for (;;); } }); const bad = [sly, { toString() { for (;;); } }, new String('x'), Symbol('x'), null, undefined, 7n, () => 1];
     for (const one of bad) { try { hearthline.send(one); hearthline.send('taken') } catch {} }`,
    (events) => expect([said(events), end(events)]).toEqual([[], 'turn']),
  ],
  [
    'an error whose getters never end is not asked for long',
    `throw { get name() { for (;;); }, get message() { for (;;); } }`,
    (events) => expect(['deadline', 'start']).toContain(end(events)),
  ],
];

describe.each([
  ['in this thread', localSandbox],
  ['in the process', processSandbox],
] as const)('%s', (_where, make) => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = make();
  });
  afterAll(() => sandbox.close());

  it.each(attempts)('%s', async (_name, bundle, judge) => judge(await run(sandbox, bundle)));

  it('what comes after in the same sandbox is not touched', async () => {
    expect(said(await run(sandbox, `hearthline.send(String(Object.prototype.polluted))`))).toEqual(['undefined']);
  });
});

describe('memory', () => {
  const bombs: readonly (readonly [string, string])[] = [
    ['arrays', 'const a = []; for (;;) a.push(new Array(1000).fill(7));'],
    ['strings', `const a = []; for (let i = 0; ; i++) a.push(String(i).repeat(10000));`],
    ['buffers', 'const a = []; for (;;) a.push(new ArrayBuffer(1 << 20));'],
    ['one buffer', 'new ArrayBuffer(1 << 30);'],
    ['objects', 'let a = {}; for (let i = 0; ; i++) a = { a, i, b: { i } };'],
    ['numbers', 'let a = 3n; for (;;) a = a * a;'],
  ];
  it.each(bombs)(
    '%s: it ends within 16 MiB of its own; this process grows by twice that at most',
    async (_name, bundle) => {
      const before = process.memoryUsage().rss;
      const events = await run(localSandbox(), bundle);
      expect(['start', 'memory', 'deadline']).toContain(end(events));
      expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(32);
    },
  );
});

describe('the watchdog', () => {
  it('ends a native operation that nothing interrupts, names the guilty one and spares the others', async () => {
    const sandbox = processSandbox();
    const events: SandboxEvent[] = [];
    const both = new Promise<void>((resolve) => {
      sandbox.onEvent((event) => {
        events.push(event);
        if (events.filter(({ on }) => on === 'ended').length === 2) resolve();
      });
    });
    sandbox.start({ id: 'good', bundle: 'hearthline.take = () => {}', boot: '{}' });
    sandbox.start({ id: 'bad', bundle: 'const a = new Uint8Array(8 << 20); for (;;) a.includes(1);', boot: '{}' });
    await both;
    const ends = events.flatMap((event) => (event.on === 'ended' ? [[event.id, event.why]] : []));
    expect(ends.sort()).toEqual([
      ['bad', 'killed'],
      ['good', 'host-lost'],
    ]);
    sandbox.start({ id: 'good', bundle: `hearthline.send('back')`, boot: '{}' });
    await new Promise<void>((resolve) => sandbox.onEvent((event) => event.on === 'turn' && resolve()));
    await sandbox.close();
  });
});
