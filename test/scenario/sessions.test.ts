import { afterEach, describe, expect, test } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Line, Operator } from './operator.ts';

type Session = VerbReply<'session.get'>;

const TONES = [600, 1000, 1700] as const;
const LOUD = -15;
const QUIET = -40;

let operator: Operator;
afterEach(() => operator?.stop());

/** Three homes with a phone each, registered at the softswitch; each speaks a tone of its own. */
async function threePhones() {
  operator = await Operator.start(7);
  const lines: Line[] = [];
  const phones: Phone[] = [];
  for (const [i, tone] of TONES.entries()) {
    const line = await operator.line(await operator.home(`home_${i}`), i + 1);
    lines.push(line);
    phones.push(await operator.ready(line, { voice: sine(tone, -10, 8000), answerAfter: 300 }));
  }
  return { lines: lines as [Line, Line, Line], phones: phones as [Phone, Phone, Phone], world: operator.world };
}

const get = (id: string): Promise<Session> => operator.ask('session.get', { session: id });

async function until(id: string, condition: (session: Session) => boolean, what: string, limit = 10_000) {
  for (let waited = 0; waited < limit; waited += 100) {
    const session = await get(id);
    if (condition(session)) return session;
    await operator.world.run(100);
  }
  throw new Error(`${what} did not come: ${JSON.stringify(await get(id))}`);
}

const allUp = (n: number) => (session: Session) => session.legs.filter((leg) => leg.state === 'up').length === n;

/** Which tones a phone hears in the second that comes. */
async function hears(...calls: (PhoneCall | undefined)[]): Promise<number[][]> {
  const before = calls.map((call) => call?.heard().length ?? 0);
  await operator.world.run(1_200);
  return calls.map((call, i) => {
    const sound = (call?.heard() ?? new Int16Array(0)).slice(before[i]).slice(-8000);
    return TONES.filter((tone) => {
      const level = levelOf(sound, tone);
      if (level > QUIET && level < LOUD) throw new Error(`${tone} Hz is neither there nor away: ${level} dB`);
      return level >= LOUD;
    });
  });
}

async function nothingLeft(): Promise<void> {
  await operator.world.run(35_000);
  for (const verb of [
    'channel.list',
    'media.endpoint.list',
    'conference.room.list',
    'billing.reservation.list',
  ] as const) {
    expect((await operator.ask(verb, {})).items, verb).toEqual([]);
  }
  expect(await operator.store.all('SELECT * FROM outbox')).toEqual([]);
}

describe('a session', () => {
  test('grows from a call into a conference while it lives, and shrinks again', async () => {
    const { lines, phones, world } = await threePhones();
    const { id } = await operator.ask('call.create', { from: lines[0].id, to: lines[1].number });
    await until(id, allUp(2), 'the call');
    await world.run(500);
    const [one, two] = [phones[0].calls[0], phones[1].calls[0]];
    expect(await hears(one, two)).toEqual([[1000], [600]]);

    const { leg } = await operator.ask('leg.add', { session: id, kind: 'voice', party: lines[2].id });
    expect(leg).toMatchObject({ orientation: 'voice', server: 'conference' });
    await until(id, allUp(3), 'the third party');
    await world.run(500);
    const three = phones[2].calls[0];
    expect(await hears(one, two, three)).toEqual([
      [1000, 1700],
      [600, 1700],
      [600, 1000],
    ]);

    one?.hangup();
    await until(id, allUp(2), 'the first to leave');
    await world.run(500);
    expect(await hears(two, three)).toEqual([[1700], [1000]]);
    three?.hangup();
    two?.hangup();
    const ended = await until(id, (session) => session.state === 'ended', 'the end');
    expect(ended.reason).toBe('hangup');
    const cdrs = (await operator.ask('cdr.list', { session: id })).items;
    expect(cdrs.map((cdr) => cdr.leg).toSorted()).toEqual(ended.legs.map((one) => one.id).toSorted());
    await nothingLeft();
  });

  test('of a prepaid home ends when its money is used up, and not before', async () => {
    const { lines, phones, world } = await threePhones();
    // 10,000 micro-units a minute: half a minute.
    await operator.ask('balance.set', { home: 'home_0', mode: 'prepaid', add: 5_000 });
    const call = await phones[0].dial(lines[1].number);
    await world.until(() => call.state === 'up', 5_000, 'the answer');
    await world.run(28_000);
    expect(call.state).toBe('up');
    await world.run(4_000);
    expect(call.state).toBe('ended');
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(cdrs.map((cdr) => cdr.reason)).toEqual(['insufficient_credit', 'insufficient_credit']);
    const { balance, reserved } = await operator.ask('balance.get', { home: 'home_0' });
    expect([balance >= 0, reserved]).toEqual([true, 0]);
    const again = await phones[0].dial(lines[1].number);
    await world.until(() => again.state === 'ended', 5_000, 'the refusal');
    await nothingLeft();
  });

  test('outlives the session manager, which finds its conference again', async () => {
    const { lines, phones, world } = await threePhones();
    const participants = lines.map((line) => line.id);
    const { id } = await operator.ask('conference.create', { participants });
    await until(id, allUp(3), 'the conference');
    await operator.stopPart('session-manager');
    await world.run(5_000);
    const calls = phones.map((phone) => phone.calls[0]);
    expect(await hears(...calls)).toEqual([
      [1000, 1700],
      [600, 1700],
      [600, 1000],
    ]);
    calls[2]?.hangup();
    await world.run(1_000);
    await operator.startPart('session-manager');
    const session = await until(id, allUp(2), 'what happened meanwhile', 40_000);
    expect(session.state).toBe('active');
    await world.run(65_000);
    expect(await hears(calls[0], calls[1])).toEqual([[1000], [600]]);
    await operator.ask('session.end', { session: id });
    await world.run(1_000);
    expect(calls.map((call) => call?.state)).toEqual(['ended', 'ended', 'ended']);
    await nothingLeft();
  });

  test('with music in the room: the music leg leaves, the talk stays', async () => {
    const { lines, phones, world } = await threePhones();
    const { id } = await operator.ask('conference.create', {
      participants: [lines[0].id, lines[1].id],
      media: { item: 'music-box', to: 'homes' },
    });
    const session = await until(id, allUp(3), 'the conference with its music');
    const music = session.legs.find((leg) => leg.kind === 'media');
    // Both phones are registered at the softswitch itself, so the music goes into the room.
    expect(music?.why).toMatch(/registered at the softswitch itself/);
    await operator.ask('leg.remove', { session: id, leg: music?.id ?? '' });
    await world.run(500);
    expect(await hears(phones[0].calls[0], phones[1].calls[0])).toEqual([[1000], [600]]);
    expect((await get(id)).legs.map((leg) => leg.state)).toEqual(['up', 'up', 'ended']);
    await operator.ask('session.end', { session: id });
    await world.run(100);
    await nothingLeft();
  });

  test('ends with a reason when nobody answers, and leaves nothing', async () => {
    operator = await Operator.start(8);
    const line = await operator.line(await operator.home('home_0'), 1);
    await operator.ready(line, { manner: 'ring' });
    const { id } = await operator.ask('media.play', { to: line.id, item: 'rain' });
    const ended = await until(id, (session) => session.state === 'ended', 'the end', 40_000);
    expect(ended.reason).toBe('no_answer');
    await nothingLeft();
  });
});
