import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import type { LinkMessage } from '#cloud/bus/fleet-words.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Member, Pool, SESSIONS_KEPT } from './pool.ts';

const SELF: Context = { principal: { kind: 'part', part: 'session-manager' } };
const [A, A2, B] = ['0-aaaaaaaa', '0-a2a2a2a2', '1-bbbbbbbb'];

let world: VirtualWorld;
let store: Store;
let pool: Pool;
let asked: string[];
let answer: (owner: string, verb: string) => Result<unknown, Fault>;
let sent: Map<string, LinkMessage[]>;
let changes: number;

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  store = openLocalStore(':memory:');
  asked = [];
  sent = new Map();
  changes = 0;
  answer = () => ok({});
  const { clock } = world.host('cloud', ['10.0.0.1']);
  pool = new Pool({ store, clock, count: 2, changed: () => changes++ });
});
afterEach(() => world[Symbol.dispose]());

function member(owner: string): Member {
  const made: Member = {
    owner,
    pid: 1,
    door: {
      request: async (verb) => {
        asked.push(`${owner} ${verb}`);
        return answer(owner, verb);
      },
    },
    send: (message) => {
      sent.set(owner, [...(sent.get(owner) ?? []), message]);
      // What it is given it takes up at once.
      if (message.on === 'given') pool.taken(message.n);
    },
    health: { state: 'running', load: 0.25, legs: 3 },
    bound: { sipUdp: { host: '127.0.0.1', port: 5060 } },
  };
  pool.add(made);
  return made;
}

/** An established call of a session, with its two legs. */
async function call(id: string, owner: string): Promise<void> {
  const about = { callId: `${id}-a`, autonomous: false, answeredAt: 7 };
  const body = JSON.stringify({ call: about, sides: [{ leg: 'a' }, { leg: 'b' }] });
  const insert = 'INSERT INTO channel (call, session, body, owner, call_id, other_id) VALUES (?, ?, ?, ?, ?, ?)';
  await store.commit([sql(insert, id, `ses_${id}`, body, owner, `${id}-a`, `${id}-b`)]);
}
const ownersOf = async (id: string) =>
  (await store.all<{ owner: string }>('SELECT owner FROM channel WHERE call = ?', [id])).map((row) => row.owner);
const ask = (verb: keyof ReturnType<Pool['handlers']>, request: unknown) => {
  const handler = pool.handlers()[verb] as (request: unknown, context: Context) => Promise<Result<unknown, Fault>>;
  return handler(request, SELF);
};
const open = (session: string) => ask('channel.open', { session, leg: 'c' });

describe('who answers', () => {
  it('nobody, while no process serves', async () => {
    expect(await ask('registration.list', {})).toMatchObject({ ok: false, fault: { code: 'server_unavailable' } });
  });

  it('the process that routed a session, and by turns where there is none yet', async () => {
    member(A);
    member(B);
    pool.seen(B, 'session.route', {}, ok({ do: 'connect', session: 'ses_1' }));
    pool.seen(A, 'session.route', {}, ok({ do: 'take', session: 'ses_1' }));
    await open('ses_1');
    await open('ses_2');
    await open('ses_3');
    await open('ses_2');
    expect(asked.map((one) => one.split(' ')[0])).toEqual([B, A, B, A]);
  });

  it('the process of its row for a session of which nothing else is known', async () => {
    member(A);
    member(B);
    await call('x', B);
    await open('ses_x');
    pool.seen(A, 'leg.report', { session: 'ses_x' }, ok({ over: true }));
    await open('ses_x');
    expect(asked).toEqual([`${B} channel.open`, `${B} channel.open`]);
  });

  it('all, where a leg may be anywhere; what they have together, where several may have channels', async () => {
    member(A);
    member(B);
    await ask('channel.close', { session: 'ses_1', leg: 'a', reason: 'hangup' });
    expect(asked).toEqual([`${A} channel.close`, `${B} channel.close`]);
    const part = () => ask('channel.part', { session: 'ses_1' });
    answer = (owner) => (owner === B ? ok({ legs: [B] }) : err(fault('not_found')));
    expect(await part()).toEqual(ok({ legs: [B] }));
    answer = (owner) => ok({ legs: [owner] });
    expect(await part()).toEqual(ok({ legs: [A, B] }));
    answer = (owner) => (owner === B ? err(fault('conflict')) : ok({ legs: [A] }));
    expect(await part()).toMatchObject({ ok: false, fault: { code: 'conflict' } });
    answer = () => err(fault('not_found'));
    expect(await part()).toMatchObject({ ok: false, fault: { code: 'not_found' } });
  });

  it('whoever holds a call that waits', async () => {
    member(A);
    member(B);
    pool.seen(A, 'session.route', {}, ok({ do: 'ring', session: 'ses_1' }));
    answer = (owner) => (owner === B ? ok({ channel: 'x' }) : err(fault('callee_offline')));
    const waiting = { session: 'ses_1', leg: 'c', waiting: 'x' };
    expect((await ask('channel.open', waiting)).ok).toBe(true);
    expect((await open('ses_1')).ok).toBe(false);
    expect(asked).toEqual([`${A} channel.open`, `${B} channel.open`, `${A} channel.open`]);
  });

  it('the first, for settings; the others are told to read them', async () => {
    member(B);
    member(A);
    await ask('trunk.list', {});
    expect([asked, changes]).toEqual([[`${A} trunk.list`], 0]);
    await ask('barring.lift', { home: 'home_1' });
    expect(changes).toBe(1);
  });

  it('the list of channels holds those of every process, or is no list', async () => {
    member(A);
    member(B);
    await call('x', B);
    answer = (owner) => ok({ items: [{ session: owner, leg: 'a' }] });
    const both = await ask('channel.list', {});
    expect(both).toMatchObject({ value: { items: [{ session: A }, { session: B }] } });
    pool.remove(B);
    const left = await ask('channel.list', {});
    const up = { session: 'ses_x', callId: 'x-a', state: 'up', autonomous: false, since: 7 };
    expect(left).toMatchObject({ value: { items: [{ session: A }, { ...up, leg: 'a' }, { ...up, leg: 'b' }] } });
    member(B);
    answer = (owner) => (owner === B ? err(fault('timeout')) : ok({ items: [] }));
    expect(await ask('channel.list', {})).toMatchObject({ ok: false });
  });
});

describe('whose an established call is', () => {
  it('is its process’s while that lives, and then whoever’s asks first', async () => {
    member(A);
    member(B);
    await call('x', B);
    expect(await pool.claim(A, 'x-b')).toEqual({ owner: B });
    expect(await pool.claim(B, 'x-b')).toEqual({ mine: ['x'] });
    expect(await pool.claim(A, 'unknown')).toEqual({});
    pool.remove(B);
    member('2-cccccccc');
    const both = await Promise.all([pool.claim(A, 'x-a'), pool.claim('2-cccccccc', 'x-b')]);
    expect(both).toEqual([{ mine: ['x'] }, { owner: A }]);
    expect(await ownersOf('x')).toEqual([A]);
  });

  it('goes to the process that is started again at its place, once it listens, and to no other', async () => {
    const b = member(B);
    await call('x', A);
    await call('y', '');
    await pool.inherit(b);
    expect([await ownersOf('x'), await ownersOf('y')]).toEqual([[A], ['']]);
    const again = member(A2);
    expect(await ownersOf('x')).toEqual([A]);
    await pool.inherit(again);
    expect([await ownersOf('x'), await ownersOf('y')]).toEqual([[A2], [A2]]);
  });

  it('is given away where nobody came again', async () => {
    member(A);
    member(B);
    await call('x', B);
    await pool.giveAway(B);
    expect(await ownersOf('x')).toEqual([B]);
    pool.remove(B);
    await pool.giveAway(B);
    expect(await ownersOf('x')).toEqual([A]);
    expect(sent.get(A)?.at(-1)).toMatchObject({ on: 'given', calls: ['x'] });
  });

  it('is taken up by another process when the session is to be ended', async () => {
    member(A);
    await call('x', B);
    member(B);
    pool.remove(B);
    await ask('channel.close', { session: 'ses_x', leg: 'a', reason: 'hangup' });
    expect(sent.get(A)?.at(-1)).toMatchObject({ on: 'given', calls: ['x'] });
    expect([await ownersOf('x'), asked]).toEqual([[A], [`${A} channel.close`]]);
  });

  it('is left alone while a process of an earlier main process may come back', async () => {
    member(A);
    await call('x', B);
    expect(await pool.claim(A, 'x-a')).toEqual({ owner: B });
    await world.run(6_000);
    expect(await pool.claim(A, 'x-a')).toEqual({ mine: ['x'] });
  });
});

it('forgets the oldest of too many sessions', async () => {
  member(A);
  member(B);
  for (let i = 0; i <= SESSIONS_KEPT; i++) pool.seen(B, 'session.route', {}, ok({ session: `ses_${i}` }));
  await open('ses_1');
  await open('ses_0');
  expect(asked.map((one) => one.split(' ')[0])).toEqual([B, A]);
});

it('says how it is', () => {
  const b = member(B);
  expect(pool.health()).toMatchObject({ state: 'degraded', legs: 3 });
  member(A);
  b.health = { state: 'running', load: 0.5, legs: 4 };
  expect(pool.health()).toEqual({ state: 'running', load: 0.5, legs: 7 });
});
