import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Disk, World } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { KeptPhone } from './house.ts';
import { Kept } from './kept.ts';
import { restoreCall, type SavedCall } from './saved-call.ts';

const flow: Flow = {
  id: 'udp0:10.0.0.9:5060',
  protocol: 'udp',
  local: { host: '10.0.0.1', port: 5060 },
  remote: { host: '10.0.0.9', port: 5060 },
  peer: { kind: 'none' },
};
const phone = (cseq: number, uri = 'sip:u1@10.0.0.9'): KeptPhone => ({
  line: 'line_1',
  binding: { uri, params: [['q', null]], callId: 'c', cseq, flow: flow.id, path: [] },
  flow,
  granted: 600_000,
});
const dialog = {
  callId: 'x',
  localTag: 'a',
  remoteTag: 'b',
  localUri: 'sip:a@h',
  remoteUri: 'sip:b@h',
  remoteTarget: 'sip:b@10.0.0.9',
  routeSet: [],
  localSeq: 1,
  remoteSeq: 1,
  secure: false,
  initiator: false,
  contact: '',
};
const side = (party: string) => ({ party, leg: party, dialog, flow, version: 1, origin: 7 });
const call = (id: string): SavedCall => ({
  v: 1,
  ...{ id, shown: 'x', dialled: '1', callId: 'x', startedAt: 1 },
  sides: [side('caller'), side('p0')],
  channels: [],
});

const NONE = { features: { untold: [], past: [], pins: [] }, watches: { subscriptions: [], summaries: [] } };

let virtual: VirtualWorld;
let host: World;
let writes: string[];
let disk: Disk;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 9 });
  host = virtual.host('gateway', ['10.0.0.1']);
  writes = [];
  disk = host.disk;
  const write = disk.write.bind(disk);
  Object.assign(disk, {
    write: (path: string, data: Uint8Array) => {
      writes.push(path);
      return write(path, data);
    },
  });
});
afterEach(() => virtual[Symbol.dispose]());

const kept = () => new Kept(disk, host.log, '/state/sip');

test('what was kept is there for the next process', async () => {
  const before = kept();
  before.call(call('c1'));
  before.call(call('c2'));
  before.phones([phone(1)]);
  before.over('c1');
  await virtual.settle(before.settled());
  expect(await virtual.settle(kept().load())).toEqual({
    phones: [phone(1)],
    calls: [call('c2')],
    facts: [],
    ...NONE,
  });
});

test('what star codes set and who called last, written when it changes', async () => {
  const one = kept();
  await virtual.settle(one.load());
  const features = {
    untold: [{ line: 'line_1', features: { doNotDisturb: true }, stamps: { doNotDisturb: 5 } }],
    past: [{ line: 'line_1', to: '+15550100002', rung: [{ from: '+15550100001' }] }],
    pins: [{ line: 'line_1', since: 1, wrong: 2, until: 0, lock: 600_000 }],
  };
  one.features(features);
  one.features(structuredClone(features));
  await virtual.settle(one.settled());
  expect(writes).toEqual(['/state/sip/features.json']);
  expect((await virtual.settle(kept().load())).features).toEqual(features);
  // As an earlier release wrote it.
  const { pins: _, ...before } = features;
  await virtual.settle(disk.write('/state/sip/features.json', utf8(JSON.stringify({ v: 1, ...before }))));
  expect((await virtual.settle(kept().load())).features).toEqual({ ...before, pins: [] });
});

test('who watches what, and the messages that waited', async () => {
  const one = kept();
  await virtual.settle(one.load());
  const watches = { subscriptions: [], summaries: [{ line: 'line_1', body: 'Messages-Waiting: yes' }] };
  one.watches(watches);
  await virtual.settle(one.settled());
  expect((await virtual.settle(kept().load())).watches).toMatchObject(watches);
});

test('the facts of a call that is over take its place, until they are told', async () => {
  const report = { callId: 'x', from: '1', to: '2', startedAt: 1, endedAt: 2, reason: 'hangup' };
  const before = kept();
  before.call(call('c1'));
  before.over('c1');
  before.facts({ v: 1, id: 'c1', report });
  await virtual.settle(before.settled());
  const next = kept();
  expect(await virtual.settle(next.load())).toEqual({
    phones: [],
    calls: [],
    facts: [{ v: 1, id: 'c1', report }],
    ...NONE,
  });
  next.over('c1');
  await virtual.settle(next.settled());
  expect((await virtual.settle(kept().load())).facts).toEqual([]);
});

test('the last word counts, also while it is being written', async () => {
  const before = kept();
  before.call(call('c1'));
  await Promise.resolve();
  before.over('c1');
  before.call(call('c1'));
  before.over('c1');
  await virtual.settle(before.settled());
  expect((await virtual.settle(kept().load())).calls).toEqual([]);
});

test('a phone that merely registers again, or a call that goes on, costs no write', async () => {
  const one = kept();
  for (let n = 1; n < 10; n++) one.phones([phone(n)]);
  await virtual.settle(one.settled());
  const next = kept();
  await virtual.settle(next.load());
  next.phones([phone(20)]);
  expect(writes).toEqual(['/state/sip/phones.json']);
  next.phones([phone(21), phone(1, 'sip:u1@10.0.0.8')]);
  next.phones([]);
  await virtual.settle(next.settled());
  expect((await virtual.settle(kept().load())).phones).toEqual([]);
});

test.each([
  ...['', '{', 'null', '[]', '{"v":1,"id":"x"}', '{"v":2,"id":"x","sides":[1,2],"channels":[]}'],
  // One side alone is kept of a talk of three, two of any other call.
  '{"v":1,"id":"x","sides":[1],"channels":[]}',
  '{"v":1,"id":"x","talk":"y","sides":[1,2],"channels":[]}',
  // Of one that rings two sides wait, or nobody could go on with it.
  '{"v":1,"id":"x","sides":[],"pending":[1],"ringsUntil":5,"channels":[]}',
  '{"v":1,"id":"x","sides":[],"pending":[1,2],"channels":[]}',
  '{"v":1,"id":"x","sides":[1,2],"pending":{},"channels":[]}',
])('a damaged file counts as none and goes: %s', async (content) => {
  await virtual.settle(host.disk.write('/state/sip/calls/x.json', utf8(content)));
  await virtual.settle(host.disk.write('/state/sip/phones.json', utf8(content)));
  const one = kept();
  expect(await virtual.settle(one.load())).toEqual({ phones: [], calls: [], facts: [], ...NONE });
  await virtual.settle(one.settled());
  expect(await virtual.settle(host.disk.list('/state/sip/calls'))).toEqual([]);
});

test('a phone that is granted another time is written: by it its time to come again is measured', async () => {
  const one = kept();
  one.phones([phone(1)]);
  await virtual.settle(one.settled());
  one.phones([{ ...phone(2), granted: 3_600_000 }]);
  await virtual.settle(one.settled());
  expect((await virtual.settle(kept().load())).phones).toEqual([{ ...phone(2), granted: 3_600_000 }]);
});

test('what a full disk did not take is written once it can be, unless something newer was', async () => {
  const { write, remove } = disk;
  const full = () => Promise.reject(new Error('full'));
  const one = kept();
  one.call(call('gone'));
  await virtual.settle(one.settled());
  Object.assign(disk, { write: full, remove: full });
  const features = { untold: [], past: [{ to: '+1', rung: [] }], pins: [] };
  one.call(call('c1'));
  one.call({ ...call('c2'), dialled: 'old' });
  one.features(features);
  one.over('gone');
  await virtual.settle(one.settled());
  one.retry();
  await virtual.settle(one.settled());
  Object.assign(disk, { write, remove });
  one.call(call('c2'));
  one.retry();
  await virtual.settle(one.settled());
  const { calls, features: now } = await virtual.settle(kept().load());
  expect([calls, now]).toEqual([[call('c1'), call('c2')], features]);
  writes.length = 0;
  one.retry();
  await virtual.settle(one.settled());
  expect(writes).toEqual([]);
});

test('a disk that fails is told to the log, and later changes are written', async () => {
  const { write } = disk;
  Object.assign(disk, { write: () => Promise.reject(new Error('full')) });
  const one = kept();
  one.call(call('c1'));
  await virtual.settle(one.settled());
  Object.assign(disk, { write });
  one.call(call('c2'));
  await virtual.settle(one.settled());
  expect((await virtual.settle(kept().load())).calls).toEqual([call('c2')]);
});

test('what somebody waits for is written before the rest, and who waits hears of it also where the disk refuses', async () => {
  const one = kept();
  let before = 0;
  one.phones([phone(1)]);
  one.call(call('c1'));
  const waits = one.callNow(call('c2')).then(() => {
    before = writes.length;
  });
  await virtual.settle(waits);
  await virtual.settle(one.settled());
  expect(writes.map((path) => path.split('/').at(-1))).toEqual(['c2.json', 'phones.json', 'c1.json']);
  expect(before).toBeLessThan(3);
  // Told by the write of its own words, not by one that was under way.
  const first = one.callNow(call('c3'));
  await Promise.resolve();
  const second = one.callNow({ ...call('c3'), dialled: '2' }).then(async () => (await kept().load()).calls);
  await virtual.settle(first);
  expect((await virtual.settle(second)).find(({ id }) => id === 'c3')?.dialled).toBe('2');
  Object.assign(disk, { write: () => Promise.reject(new Error('EROFS: read-only file system')) });
  await virtual.settle(one.callNow(call('c4')));
  // Over before it was written: nobody waits for ever.
  const gone = one.callNow(call('c5'));
  one.over('c5');
  await virtual.settle(gone);
});

test('a call that rang rings on until its time is over, and never for more than three minutes, whatever the clock says', () => {
  const invite = 'INVITE sip:u2@10.0.0.9 SIP/2.0\r\n\r\n';
  const end = (party: string, outgoing: boolean) => ({
    ...{ party, leg: party, flow, version: 1, origin: 7 },
    pending: { outgoing, tag: 'a', contact: '', invite },
  });
  const pending = [end('caller', false), { ...end('p0', true), line: { id: 'line_2', number: '+2' } }];
  const rang = (ringsUntil: number) =>
    restoreCall({ ...call('c1'), sides: [], pending, ringsUntil }, { now: 500, wall: 1_000_000 }).state;
  expect([rang(1_020_000), rang(1_180_001), rang(7)].map(({ at, deadline }) => [at, deadline])).toEqual([
    ['ringing', 20_500],
    ['ringing', 180_500],
    ['ringing', 500],
  ]);
  const to = rang(1_020_000).branches.get('p0')?.to;
  expect(to).toMatchObject({ kind: 'phone', line: { id: 'line_2' }, phone: { uri: 'sip:u2@10.0.0.9' } });
});
