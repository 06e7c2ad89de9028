/**
 * The messaging server dies at every commit of a message's life, before it is written and after, and starts again: nothing that was
 * accepted is lost, and no phone shows anything twice.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommitResult, Statement } from '#cloud/store/store.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Phone } from '#simulator/phone.ts';
import { TestCloud } from '../../../test/api/fixture.ts';

let cloud: TestCloud;
let phones: Record<'a' | 'b' | 'c', Phone>;
let bob: VerbReply<'line.create'>;
let commits = 0;
let dies: { readonly at: number; readonly when: 'before' | 'after' } | undefined;

beforeAll(async () => {
  cloud = await TestCloud.start();
  const home = (await cloud.call('home.create', { name: 'elm' })).id;
  const ada = await cloud.call('line.create', { home, class: 'unmetered' });
  bob = await cloud.call('line.create', { home, class: 'unmetered' });
  const b = await cloud.phone(bob, { instance: 'urn:uuid:b' });
  phones = {
    a: await cloud.phone(ada, { instance: 'urn:uuid:a' }),
    b,
    c: await cloud.phone(bob, { instance: 'urn:uuid:c' }),
  };
  await cloud.world.run(1_000);
  const { commit } = cloud.store;
  Object.assign(cloud.store, { commit: (statements: readonly Statement[]) => mortal(statements, commit) });
});
afterAll(() => cloud.stop());

/** The commits of messages are counted; from the fatal one on none is ever answered, and only one `after` which it dies is written. */
async function mortal(
  statements: readonly Statement[],
  commit: (statements: readonly Statement[]) => Promise<CommitResult>,
): Promise<CommitResult> {
  if (!statements.some(({ sql }) => /\bmessage/.test(sql))) return commit(statements);
  commits++;
  if (dies === undefined || commits < dies.at) return commit(statements);
  if (commits === dies.at && dies.when === 'after') await commit(statements);
  return new Promise(() => {});
}

/** A message with its receipts, read by both phones of the callee; true where the server died in it. */
async function life(name: string, at: number, when: 'before' | 'after'): Promise<boolean> {
  const { a, b, c } = phones;
  const { world } = cloud;
  commits = 0;
  dies = { at, when };
  const send = () => a.messages.send(bob.number, name, { id: name, receipts: ['positive-delivery', 'display'] });
  const sending = send();
  await world.run(3_000);
  const readOnce = async () => {
    for (const phone of [b, c]) {
      const shown = phone.messages.shown.find(({ text }) => text === name);
      if (shown !== undefined) void phone.messages.read(shown);
    }
    await world.run(3_000);
  };
  await readOnce();
  const died = commits >= at;
  dies = undefined;
  await world.settle(cloud.cloud.farm.stop('messaging'));
  await world.settle(cloud.cloud.farm.start('messaging'));
  // A phone that was not told 202 sends the same message again.
  if ((await world.settle(sending)) !== 202) expect(await world.settle(send())).toBe(202);
  await world.run(120_000);
  await readOnce();
  await world.run(60_000);
  return died;
}

test('at every commit, before and after it', async () => {
  let n = 0;
  for (const when of ['before', 'after'] as const) {
    for (let at = 1; ; at++) {
      const name = `${when}-${at}`;
      const died = await life(name, at, when);
      n++;
      const shown = [phones.b, phones.c].map(
        ({ messages }) => messages.shown.filter(({ text }) => text === name).length,
      );
      expect(shown, name).toEqual([1, 1]);
      const told = phones.a.messages.receipts.filter(({ id }) => id === name).map(({ status }) => status);
      expect(new Set(told), name).toEqual(new Set(['delivered', 'displayed']));
      const { items } = await cloud.call('message.list', { limit: 500 });
      const all = items.filter(({ text }) => text === name);
      expect(all, name).toMatchObject([{ state: 'read', recipients: [{ devices: 2 }] }]);
      if (!died) break;
      expect(at).toBeLessThan(30);
    }
  }
  expect(n).toBeGreaterThan(10);
}, 60_000);
