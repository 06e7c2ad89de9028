import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { rangCall } from '#shared/call/call-restored.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Callee, type Live, newLive } from './live.ts';
import { GONE_AT_ONCE, RINGS_AFTER, Snapshots } from './snapshots.ts';

let world: VirtualWorld;
let store: Store;
let snapshots: Snapshots;
beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  const host = world.host('cloud', ['10.0.0.1']);
  const { random, crypto } = host;
  store = openLocalStore(':memory:');
  snapshots = new Snapshots(store, new Endpoint({ random, hash: sipHash(crypto) }), host);
  const line =
    "INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, 'home_1', ?, ?, NULL, 'standard', 'phone', '', '', 0)";
  await store.commit([sql(line, 'line_1', '+1', 'a'), sql(line, 'line_2', '+2', 'b')]);
});
afterEach(async () => {
  await store.close();
  world[Symbol.dispose]();
});

const side = (party: string, leg: string, line: string) => ({
  ...{ party, leg, line, version: 1 },
  dialog: { callId: leg, remoteTarget: `sip:${leg}@10.0.0.2` },
  flow: { id: 'udp0:10.0.0.2:5060', protocol: 'udp', remote: { host: '10.0.0.2', port: 5060 }, peer: { kind: 'none' } },
});
const call = { autonomous: false, caller: { number: '+1' }, direct: true, dialled: '+2', callId: 'x' };
const write = (...sides: readonly ReturnType<typeof side>[]) => {
  const body = JSON.stringify({ call: { ...call, relay: false, owned: true }, sides });
  return store.commit([sql("INSERT INTO channel (call, session, body) VALUES ('chn_1', 'ses_1', ?)", body)]);
};

it('comes back with its lines as they are now', async () => {
  await write(side('caller', 'leg_1', 'line_1'), side('b1', 'leg_2', 'line_2'));
  await store.commit([sql("UPDATE line SET name = 'Hall' WHERE id = 'line_1'")]);
  const [found] = await snapshots.load();
  expect(found?.live.line).toMatchObject({ id: 'line_1', name: 'Hall' });
  expect(found?.live.state.branches.get('b1')?.to.line).toMatchObject({ id: 'line_2', number: '+2' });
});

it('comes back without a line that exists no more', async () => {
  await write(side('caller', 'leg_1', 'line_1'), side('b1', 'leg_2', 'line_9'));
  const [found] = await snapshots.load();
  expect(found?.live.state.branches.get('b1')?.to).toMatchObject({ contact: { uri: 'sip:leg_2@10.0.0.2' } });
  expect(found?.live.state.branches.get('b1')?.to.line).toBeUndefined();
});

it.each([
  ['no JSON', '{"call":'],
  ['nothing of a call', '{}'],
  ['sides that are none', '{"call":{},"sides":7}'],
])('a row of another making does not keep the others from coming back, and goes: %s', async (_what, body) => {
  await write(side('caller', 'leg_1', 'line_1'), side('b1', 'leg_2', 'line_2'));
  await store.commit([sql("INSERT INTO channel (call, session, body) VALUES ('chn_0', 'ses_0', ?)", body)]);
  expect((await snapshots.load()).map(({ live }) => live.id)).toEqual(['chn_1']);
  expect(await rows()).toEqual([{ call: 'chn_1' }]);
});

it('rows that the disk kept go with those of the next calls', async () => {
  const ids = Array.from({ length: 2 * GONE_AT_ONCE + 1 }, (_none, n) => `c${n}`);
  for (const id of ids) await insert(id);
  const commit = store.commit.bind(store);
  store.commit = () => Promise.reject(new Error('disk full'));
  for (const id of ids.slice(1)) snapshots.remove(ended(id));
  await world.run(200);
  store.commit = commit;
  expect(await rows()).toHaveLength(ids.length);
  snapshots.remove(ended('c0'));
  await world.run(200);
  expect(await rows()).toEqual([]);
});

const rows = () => store.all<{ call: string }>('SELECT call FROM channel ORDER BY call');
const ended = (id: string, saving?: Promise<void>) => ({ id, saving }) as Live;
const insert = (id: string) =>
  store.commit([sql("INSERT INTO channel (call, session, body) VALUES (?, ?, '{}')", id, id)]);

it('goes with its rows a moment after its end, together with others, and never before it was written', async () => {
  await insert('a');
  const saving = Promise.withResolvers<void>();
  snapshots.remove(ended('a'));
  snapshots.remove(ended('b', saving.promise));
  await world.run(99);
  expect(await rows()).toEqual([{ call: 'a' }]);
  await world.run(1);
  await insert('b');
  expect(await rows()).toEqual([{ call: 'a' }, { call: 'b' }]);
  saving.resolve();
  await world.run(1);
  expect(await rows()).toEqual([]);
});

it('is written while it rings where somebody rings for long, over UDP, and waits for an answer', async () => {
  const { random, crypto } = world.host('phones', ['10.0.0.2']);
  const endpoint = new Endpoint({ random, hash: sipHash(crypto) });
  const clock = world.host('cloud-2', ['10.0.0.3']);
  snapshots = new Snapshots(store, endpoint, clock);
  const rings = (id: string, protocol: 'udp' | 'tls') => {
    const remote = { host: '10.0.0.2', port: 5060 };
    const flow = { id: `${protocol}0`, protocol, local: remote, remote, peer: { kind: 'none' as const } };
    const who = { uri: 'sip:b@x', from: '<sip:a@x>', to: '<sip:b@x>', contact: 'sip:a@x', sdp: 'v=0' };
    const handle = endpoint.invite({ ...who, flow }, clock.clock.mono(), []);
    const contact = { uri: who.uri, flow, path: [], open: false };
    const branches = [{ branch: 'b1', leg: 'leg_2', to: { contact } }];
    const of = { callerLeg: 'leg_1', asked: false, relay: true, owned: true, deadline: 30_000 };
    const live = newLive({
      ...{ id, caller: { number: '+1' }, direct: true, open: false },
      dialled: '+2',
      callId: 'x',
      startedAt: 0,
    });
    Object.assign(live, {
      session: 'ses_1',
      state: rangCall<Callee>({ ...of, branches }),
      handles: new Map([['b1', handle]]),
    });
    snapshots.rings(live);
    return live;
  };
  rings('udp', 'udp');
  rings('tls', 'tls');
  const quick = rings('quick', 'udp');
  await world.run(RINGS_AFTER - 1);
  quick.state.at = 'answering';
  expect(await rows()).toEqual([]);
  // No journal knows this one yet.
  const late = rings('late', 'udp');
  await world.run(1);
  expect(await rows()).toEqual([{ call: 'udp' }]);
  await world.run(RINGS_AFTER - 2);
  expect(await rows()).toEqual([{ call: 'udp' }]);
  await world.run(RINGS_AFTER);
  expect(await rows()).toEqual([{ call: 'late' }, { call: 'udp' }]);
  snapshots.remove(late);
  await world.run(5_000);
  const [found] = await snapshots.load();
  expect([found?.live.state.at, found?.live.answeredAt, found?.sides]).toEqual(['ringing', undefined, []]);
  expect(found?.live.state.deadline).toBe(30_000);
  expect(found?.live.state.branches.get('b1')?.to.contact.uri).toBe('sip:b@x');
  expect(found?.pending.map(({ party, pending }) => [party, pending.outgoing])).toEqual([['b1', true]]);
});

it('goes at once where many end, at a stop, and where its writing failed', async () => {
  for (let i = 0; i < GONE_AT_ONCE; i++) {
    await insert(`c${i}`);
    snapshots.remove(ended(`c${i}`, i === 0 ? Promise.reject(new Error('not written')) : undefined));
    if (i === GONE_AT_ONCE - 2) expect(await rows()).toHaveLength(GONE_AT_ONCE - 1);
  }
  await world.run(1);
  expect(await rows()).toEqual([]);
  await insert('d');
  snapshots.remove(ended('d'));
  await snapshots.flush();
  expect(await rows()).toEqual([]);
});
