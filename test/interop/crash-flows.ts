/** The five flows of the main job on a house of real processes, each from its request to its end. */
import { expect } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { PhoneCall } from '#simulator/phone.ts';
import { isLong } from '../peers.ts';
import { eventually, type House, isDead, type Line } from './crash-house.ts';

export type Session = VerbReply<'session.get'>;
/** `begun` is called, and waited for, where a flow begins that which no other flow does before it. */
export type Flow = (house: House, begun?: () => Promise<void>) => Promise<void>;

/** Thrown by a flow whose cloud died under it. */
export class Died extends Error {}

/** As `eventually`, and at once over when the cloud dies; a request that its death cut off is no news. */
async function until(house: House, condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  await eventually(
    async () => {
      if (isDead(house.cloud)) throw new Died(what);
      try {
        return await condition();
      } catch (error) {
        // A killed process takes a moment to be seen as dead.
        if (error instanceof TypeError || isDead(house.cloud)) return false;
        throw error;
      }
    },
    what,
    15_000,
  );
}

const numbers = (house: House) => house.homes.map((home) => home.line.number);
const phoneOf = (house: House, index: number) => {
  const phone = house.homes[index]?.phone;
  if (phone === undefined) throw new Error(`there is no home ${index}`);
  return phone;
};

/** Asks for a session; `Died` where no answer came. */
async function asked(house: House, path: string, body: unknown): Promise<string> {
  const session = await house.ask(path, body);
  if (session === undefined) throw new Died(path);
  return session;
}

const session = (house: House, id: string) => house.get<Session>(`/v1/sessions/${id}`);

async function legsUp(house: House, id: string, count: number): Promise<void> {
  const up = async () => (await session(house, id)).legs.filter((leg) => leg.state === 'up').length === count;
  await until(house, up, `${count} legs of ${id} to be up`);
}

/** Ends a session and waits for its end and its records. */
async function ended(house: House, id: string): Promise<void> {
  await until(house, async () => (await house.request('DELETE', `/v1/sessions/${id}`)).status < 300, 'the end');
  await until(house, async () => (await session(house, id)).state === 'ended', `${id} to end`);
  const count = (await session(house, id)).legs.length;
  await until(house, async () => (await records(house, id)) === count, `${count} records of ${id}`);
}

async function records(house: House, id: string): Promise<number> {
  return (await house.get<{ items: unknown[] }>(`/v1/cdrs?session=${id}`)).items.length;
}

/** Phones are idle: no call of an earlier flow is left. */
export async function idle(house: House, limit: number): Promise<void> {
  const left = () =>
    house.phones.flatMap(({ calls }, phone) =>
      calls
        .filter((call) => call.state !== 'ended')
        .map(({ state, outgoing, callId, from }) => ({ phone, state, outgoing, callId, from })),
    );
  await eventually(() => left().length === 0, 'every phone to be idle', limit).catch(() => undefined);
  expect(left(), 'calls that a phone is left in').toEqual([]);
}

export async function dialled(
  house: House,
  from = phoneOf(house, 0),
  number = numbers(house)[1] ?? '',
): Promise<PhoneCall> {
  const call = await from.dial(number);
  await until(house, () => call.state === 'up' || call.state === 'ended', 'the call to be answered');
  if (call.state !== 'up') throw new Error(`the call was refused: ${call.status}`);
  return call;
}

const call: Flow = async (house, begun) => {
  await begun?.();
  await callEnds(house, () => dialled(house));
};

/** A call, its end by the caller, and its records. */
async function callEnds(house: House, dial: () => Promise<PhoneCall>): Promise<void> {
  const live = async () => (await house.all<Session>('/v1/sessions?live=true')).map(({ id }) => id);
  const before = new Set(await live());
  const made = await dial();
  let id: string | undefined;
  const shown = async () => {
    id = (await live()).find((one) => !before.has(one));
    return id !== undefined;
  };
  await until(house, shown, 'the session to be seen');
  made.hangup();
  const over = async () => (await session(house, id ?? '')).state === 'ended';
  await until(house, over, 'the session to end');
  await until(house, async () => (await records(house, id ?? '')) === 2, 'both records');
}

/** Phones straight at the cloud, over UDP: no gateway notices for them that their server died. */
const direct: Flow = async (house, begun) => {
  if (house.others.length === 0) {
    const home = (await house.request('POST', '/v1/homes', { name: 'direct' })).body as { id: string };
    const line = async () => (await house.request('POST', `/v1/homes/${home.id}/lines`, UNMETERED)).body as Line;
    for (const one of [await line(), await line()]) {
      house.others.push(await house.phone(one, house.cloud.ready.sip.udp, { answerAfter: 150 }));
      directNumbers.set(house, one.number);
    }
  }
  await begun?.();
  const [from] = house.others;
  await callEnds(house, () => dialled(house, from, directNumbers.get(house)));
};

const UNMETERED = { class: 'unmetered' };
/** Whom they call. */
const directNumbers = new WeakMap<House, string>();

const media: Flow = async (house, begun) => {
  await begun?.();
  const id = await asked(house, '/v1/media-sessions', { to: numbers(house)[0], item: 'rain' });
  await legsUp(house, id, 1);
  await ended(house, id);
};

const conference: Flow = async (house, begun) => {
  await begun?.();
  const id = await asked(house, '/v1/conferences', { participants: numbers(house) });
  await legsUp(house, id, 2);
  await ended(house, id);
};

const conferenceWithMedia: Flow = async (house, begun) => {
  await begun?.();
  const id = await asked(house, '/v1/conferences', { participants: numbers(house), media: 'rain' });
  await legsUp(house, id, 4);
  await ended(house, id);
};

/** Non-voice services reach both homes while a conference with media runs; how that comes about is the flow before. */
const deviceLegs: Flow = async (house, begun) => {
  const id = await asked(house, '/v1/conferences', { participants: numbers(house), media: 'rain' });
  await legsUp(house, id, 4);
  await begun?.();
  for (const home of house.homes) {
    const body = { kind: 'device', home: home.id, action: 'list' };
    await until(
      house,
      async () => (await house.request('POST', `/v1/sessions/${id}/legs`, body)).status === 202,
      'a device leg',
    );
  }
  const mediaLeg = (await session(house, id)).legs.find((leg) => leg.kind === 'media');
  await house.request('DELETE', `/v1/sessions/${id}/legs/${mediaLeg?.id}`).catch(() => undefined);
  await ended(house, id);
};

export const flows: Readonly<Record<string, Flow>> = {
  call,
  // Its phones ask again by their own timers, so that a slow machine makes it long.
  ...(isLong ? { 'call of direct phones': direct } : {}),
  'media on demand': media,
  conference,
  'conference with media': conferenceWithMedia,
  'device legs in it': deviceLegs,
};

/** What people do with the calls that a death left them: hang up, have the session ended, or stay (ask any three, in turn). */
export async function leftovers(house: House, turn: number): Promise<void> {
  if (turn % 3 === 0) {
    for (const { calls } of house.phones) for (const one of calls) one.hangup();
  } else if (turn % 3 === 1) {
    const { items } = await house.get<{ items: Session[] }>('/v1/sessions?live=true');
    for (const { id } of items) await house.request('DELETE', `/v1/sessions/${id}`);
  }
}
