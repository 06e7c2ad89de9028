/** Recordings at the media server: whose they are, how they are read, and what a crash leaves. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { PartContext, RunningPart } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import { fromBase64 } from '#shared/kernel/base64.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { readWav, wavHeader, writeWav } from '#shared/rtp/wav.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { threadEngine } from './engines.ts';
import { AUDIO_PART, RECORDINGS_PER_HOME } from './recordings.ts';
import { createMediaServer } from './server.ts';

const AS_PART: Context = { principal: { kind: 'part', part: 'session-manager' } };
const as = (...homes: string[]): Context => ({
  principal: { kind: 'account', account: 'acc_1', role: 'subscriber', homes, scopes: 'all' },
});

let world: VirtualWorld;
let bus: InProcessBus;
let context: PartContext;
let part: RunningPart;
let reports: string[];

beforeEach(async () => {
  world = new VirtualWorld({ seed: 5 });
  const host = world.host('cloud', ['10.0.0.1']);
  bus = createBus(host);
  const media = { host: '10.0.0.1', low: 20_000, high: 20_099 };
  const config = { data: '/data', media, publicHost: '10.0.0.1' } as PartContext['config'];
  context = { world: host, bus, store: openLocalStore(':memory:'), config };
  reports = [];
  bus.serve('session-manager', {
    'sound.report': async ({ sound, event }: { sound: string; event: string }) => {
      reports.push(`${sound} ${event}`);
      return ok({});
    },
  } as never);
  part = await createMediaServer(threadEngine).start(context);
});
afterEach(async () => {
  await part.stop();
  await context.store.close();
  world[Symbol.dispose]();
});

const row = (id: string, home: string | null, state: string) =>
  sql(
    "INSERT INTO recording (id, session, sound, home, state, started_at) VALUES (?, 'ses_1', 'cmd_1', ?, ?, 0)",
    id,
    home,
    state,
  );
const start = (recording: string, sound = 'cmd_1') =>
  world.settle(
    bus.request(
      'media.record.start',
      { session: 'ses_1', sound, recording, home: 'home_1', legs: ['leg_1'], limit: 2000 },
      AS_PART,
    ),
  );
const get = (recording: string, who: Context) => world.settle(bus.request('recording.get', { recording }, who));

async function leg(): Promise<void> {
  await world.settle(bus.request('media.endpoint.offer', { session: 'ses_1', leg: 'leg_1' }, AS_PART));
}

it('one that runs to its limit is ready, told once, and seen by its home alone', async () => {
  await leg();
  expect(await start('rec_1')).toEqual({ ok: true, value: {} });
  expect(await start('rec_1')).toEqual({ ok: true, value: {} });
  expect(await get('rec_1', as('home_1'))).toMatchObject({ value: { state: 'recording' } });
  await world.run(3000);
  expect(reports).toEqual(['cmd_1 ended']);
  expect(await get('rec_1', as('home_1'))).toMatchObject({ value: { state: 'ready', seconds: 2, octets: 16_044 } });
  for (const who of [as('home_2'), as()]) {
    expect(await get('rec_1', who)).toMatchObject({ fault: { code: 'not_found' } });
    for (const verb of ['recording.audio', 'recording.delete'] as const) {
      expect(await world.settle(bus.request(verb, { recording: 'rec_1' }, who))).toMatchObject({
        fault: { code: 'not_found' },
      });
    }
    expect(await world.settle(bus.request('recording.list', { home: 'home_1' }, who))).toMatchObject({
      value: { items: [] },
    });
  }
});

it('whose end a full disk does not take ends all the same, and is closed by the next start', async () => {
  await leg();
  expect(await start('rec_1')).toEqual({ ok: true, value: {} });
  const { commit } = context.store;
  Object.assign(context.store, { commit: () => Promise.reject(new Error('database or disk is full')) });
  await world.run(3000);
  expect(reports).toEqual(['cmd_1 ended']);
  Object.assign(context.store, { commit });
  await part.stop();
  part = await createMediaServer(threadEngine).start(context);
  expect(await get('rec_1', as('home_1'))).toMatchObject({ value: { state: 'ready', seconds: 2 } });
});

it('is read in parts that make the file again', async () => {
  await context.store.commit([row('rec_1', 'home_1', 'ready')]);
  const file = writeWav(
    Int16Array.from({ length: 2 * AUDIO_PART }, (_, i) => (i % 200) * 100),
    'PCMU',
  );
  await world.settle(context.world.disk.write('/data/media/recordings/rec_1.wav', file));
  const octets: number[] = [];
  for (let offset: number | undefined = 0; offset !== undefined; ) {
    const asked = { recording: 'rec_1', offset };
    const reply = (await world.settle(bus.request('recording.audio', asked, as('home_1')))) as {
      ok: true;
      value: VerbReply<'recording.audio'>;
    };
    const part = fromBase64(reply.value.data) ?? new Uint8Array();
    expect(part.length).toBeLessThanOrEqual(AUDIO_PART);
    for (const octet of part) octets.push(octet);
    offset = reply.value.next;
  }
  expect(Uint8Array.from(octets)).toEqual(file);
});

it('what a crash left is closed with what there is', async () => {
  const cut = new Uint8Array(44 + 8000);
  cut.set(wavHeader(0, 'PCMU'));
  await world.settle(context.world.disk.write('/data/media/recordings/rec_1.wav', cut));
  await context.store.commit([row('rec_1', 'home_1', 'recording'), row('rec_2', null, 'recording')]);
  await world.settle(part.stop());
  part = await world.settle(createMediaServer(threadEngine).start(context));
  expect(await get('rec_1', as('home_1'))).toMatchObject({ value: { state: 'ready', seconds: 1 } });
  const read = readWav(
    (await world.settle(context.world.disk.read('/data/media/recordings/rec_1.wav'))) ?? new Uint8Array(),
  );
  expect(read.ok && read.value.length).toBe(8000);
  expect(await get('rec_2', AS_PART)).toMatchObject({ value: { state: 'failed' } });
  expect(await get('rec_2', as('home_1'))).toMatchObject({ fault: { code: 'not_found' } });
});

it('a home keeps so many; one more is refused, and one less makes room', async () => {
  await leg();
  await context.store.commit(
    Array.from({ length: RECORDINGS_PER_HOME }, (_, i) => row(`rec_x${i}`, 'home_1', 'ready')),
  );
  expect(await start('rec_1')).toMatchObject({ fault: { code: 'limit_reached' } });
  await world.settle(bus.request('recording.delete', { recording: 'rec_x1' }, as('home_1')));
  expect(await start('rec_1')).toMatchObject({ ok: true });
  expect(await world.settle(bus.request('recording.delete', { recording: 'rec_1' }, as('home_1')))).toMatchObject({
    fault: { code: 'conflict' },
  });
});
