import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Handlers } from '#cloud/bus/bus.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { command } from './commands.ts';
import { type Journal, type OutboxEntry, openJournal, readOutbox } from './journal.ts';
import type { Purpose } from './live.ts';
import { createOutbox, type Outbox } from './outbox.ts';

let world: VirtualWorld;
let host: World;
let bus: InProcessBus;
let store: Store;
let journal: Journal;
let outbox: Outbox;
let done: string[];
let begun: string[];
/** Milliseconds that releasing a leg takes. */
let takes: Record<string, number>;

beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  host = world.host('cloud', ['10.0.0.1']);
  bus = createBus({ log: host.log, clock: host.clock });
  store = openLocalStore(':memory:');
  journal = await openJournal(store);
  [done, begun, takes] = [[], [], {}];
  outbox = open();
});
afterEach(async () => {
  await outbox.stop();
  await store.close();
  world[Symbol.dispose]();
});

const open = () =>
  createOutbox({
    bus,
    store,
    clock: host.clock,
    log: host.log,
    onOutcome: (entry, outcome) => done.push(`${entry.leg} ${outcome.ok ? 'ok' : outcome.fault.code}`),
  });
const serve = () =>
  bus.serve('qos', {
    // The session manager asks for nothing else of it.
    'qos.release': async ({ leg }) => {
      begun.push(leg);
      await sleep(host.clock, takes[leg] ?? 0);
      return leg === 'bad' ? err(fault('conflict')) : ok({});
    },
    'qos.reserve': async () => err(fault('uplink_full')),
    'qos.list': async () => ok({ items: [] }),
    'qos.mark': async () => ok({ marked: false }),
  } as Partial<Handlers<'qos'>> as Handlers<'qos'>);

/** Puts commands into the store, as a step's commit does, and hands them over. */
async function send(purpose: Purpose, ...legs: string[]): Promise<OutboxEntry[]> {
  const sends = legs.map((leg) => ({ leg, purpose, command: command('qos.release', { session: 'ses_1', leg }) }));
  const [entries, statements] = journal.outbox('ses_1', sends);
  await store.commit(statements);
  outbox.run(entries);
  return entries;
}

describe('the outbox', () => {
  it('carries out a leg’s commands in order, and lets no leg wait for another', async () => {
    serve();
    takes = { slow: 500 };
    await send('other', 'slow', 'quick', 'slow', 'quick');
    await world.run(400);
    expect([begun, done]).toEqual([
      ['slow', 'quick', 'quick'],
      ['quick ok', 'quick ok'],
    ]);
    await world.run(1_000);
    expect(begun).toEqual(['slow', 'quick', 'quick', 'slow']);
    expect(outbox.pending('ses_1')).toBe(0);
  });

  it('forgets what is done, refused or not, soon and in the store', async () => {
    serve();
    await send('release', 'good', 'bad');
    await world.run(10);
    expect(done).toEqual(['good ok', 'bad conflict']);
    await world.run(200);
    expect(await readOutbox(store)).toEqual([]);
  });

  it('keeps a release whose server is away, and carries it out once, when it is back', async () => {
    await send('release', 'a');
    await world.run(10);
    outbox.retry();
    await world.run(10);
    outbox.retry();
    await world.run(10);
    expect([done, outbox.pending('ses_1'), (await readOutbox(store)).length]).toEqual([[], 1, 1]);
    serve();
    outbox.retry();
    outbox.retry();
    await world.run(1_000);
    expect([begun, done, outbox.pending('ses_1')]).toEqual([['a'], ['a ok'], 0]);
    expect(await readOutbox(store)).toEqual([]);
  });

  it('tries anything else once', async () => {
    await send('open', 'a');
    await world.run(200);
    expect(done).toEqual(['a server_unavailable']);
    expect(await readOutbox(store)).toEqual([]);
  });

  it('hands what is left to the next process, with all its fields', async () => {
    const entries = await send('release', 'a', 'b');
    await world.run(10);
    await outbox.stop();
    const left = await readOutbox(store);
    expect(left).toEqual(entries);
    serve();
    outbox = open();
    outbox.adopt(left);
    await world.run(10);
    expect([outbox.pending('ses_1'), begun]).toEqual([2, []]);
    outbox.retry();
    await world.run(200);
    expect(done).toEqual(['a ok', 'b ok']);
    expect((await openJournal(store)).outbox('ses_1', [])[0]).toEqual([]);
  });

  it('notes nothing after its stop: the command in flight is carried out again', async () => {
    serve();
    takes = { a: 500 };
    await send('release', 'a');
    await world.run(10);
    await outbox.stop();
    await world.run(1_000);
    expect([begun, done, (await readOutbox(store)).length]).toEqual([['a'], [], 1]);
  });
});
