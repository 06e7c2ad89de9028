import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Snapshots } from './snapshots.ts';

let world: VirtualWorld;
let store: Store;
let snapshots: Snapshots;
beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  const { random, crypto } = world.host('cloud', ['10.0.0.1']);
  store = openLocalStore(':memory:');
  snapshots = new Snapshots(store, new Endpoint({ random, hash: sipHash(crypto) }));
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
  call: {
    autonomous: false,
    caller: { number: '+1' },
    direct: true,
    dialled: '+2',
    callId: 'x',
    relay: false,
    owned: true,
  },
});
const write = (...sides: readonly ReturnType<typeof side>[]) =>
  store.commit(
    sides.map((one) =>
      sql(
        'INSERT INTO channel (session, leg, call, body) VALUES (?, ?, ?, ?)',
        ...['ses_1', one.leg, 'chn_1', JSON.stringify(one)],
      ),
    ),
  );

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
