/** What has to hold after any number of deaths of the cloud, once it has had its time. */
import { expect } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { idle, type Session } from './crash-flows.ts';
import { eventually, type House, pause } from './crash-house.ts';

type Cdr = VerbReply<'cdr.list'>['items'][number];
type FarmServer = VerbReply<'farm.list'>['items'][number];

/**
 * Milliseconds after the last start by which every session that lost something has ended: the lease of 30 s or a SIP
 * transaction's 32 s, and what a busy machine adds.
 */
const LEASE = 36_000;

/** Sessions that have not ended. */
const live = (house: House): Promise<Session[]> => house.all<Session>('/v1/sessions?live=true');

/**
 * Every acknowledged session is there; every session has ended, with one reason, and has exactly one record per leg; the same
 * key gives the same session; nobody holds anything any more.
 */
export async function judge(house: House): Promise<void> {
  // What lost a part of itself ends by its lease; what goes on is whole, and ends when it is told to.
  const quiet = async () => house.busyPhones() === 0 && (await live(house)).length === 0;
  for (const end = Date.now() + LEASE; Date.now() < end && !(await quiet()); ) await pause(250);
  for (const { id, legs } of await live(house)) {
    expect([id, ...legs.map((leg) => leg.state)]).toEqual([
      id,
      ...legs.map(({ state }) => (state === 'ended' ? state : 'up')),
    ]);
    await house.request('DELETE', `/v1/sessions/${id}`);
  }
  await eventually(async () => (await live(house)).length === 0, 'every session to end', 15_000);
  await idle(house, 5_000);

  const sessions = new Map((await house.all<Session>('/v1/sessions')).map((one) => [one.id, one]));
  for (const { session, path, key, body } of house.acknowledged) {
    expect(sessions.has(session), `acknowledged ${session}`).toBe(true);
    const again = await house.request('POST', path, body, key);
    expect((again.body as { id?: string }).id, `${path} again with ${key}`).toBe(session);
  }
  await judgeRecords(house, [...sessions.values()]);
  await judgeNothingHeld(house);
}

async function judgeRecords(house: House, sessions: readonly Session[]): Promise<void> {
  for (const { id, state, reason, legs } of sessions) {
    expect([id, state, typeof reason]).toEqual([id, 'ended', 'string']);
    for (const leg of legs) expect([id, leg.id, leg.state, typeof leg.reason]).toEqual([id, leg.id, 'ended', 'string']);
  }
  const wanted = sessions.flatMap(({ id, legs }) => legs.map((leg) => `${id} ${leg.id}`)).toSorted();
  const written = async () =>
    (await house.all<Cdr>('/v1/cdrs')).map(({ session, leg }) => `${session} ${leg}`).toSorted();
  await eventually(async () => (await written()).length >= wanted.length, 'a record of every leg', 10_000);
  expect(await written(), 'one record per leg').toEqual(wanted);
  const calls = sessions.filter(({ kind }) => kind === 'call');
  const answered = calls.filter(({ legs }) => legs.every((leg) => leg.answeredAt !== undefined)).length;
  expect(answered, 'calls with an answer on record').toBeGreaterThanOrEqual(house.callsHeardUp());
}

async function judgeNothingHeld(house: House): Promise<void> {
  const held = async () =>
    (await house.get<{ items: FarmServer[] }>('/v1/farm')).items
      .filter(({ legs }) => legs > 0)
      .map(({ name, legs }) => `${name}: ${legs}`);
  await eventually(async () => (await held()).length === 0, 'the farm to hold nothing', 40_000).catch(() => undefined);
  expect(await held(), 'what the farm still holds').toEqual([]);
  for (const table of ['outbox', 'channel', 'spool', 'reservation', 'conference_room', 'conference_party']) {
    const empty = () => house.rows<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n === 0;
    await eventually(empty, `${table} to be empty`, 10_000);
  }
}
