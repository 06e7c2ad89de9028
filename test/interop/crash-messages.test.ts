/**
 * The cloud dies while messages are on their way, at every crash point of a message's life and at random instants. What a phone or a
 * client was told is kept: every message is shown once by the other phone, read once, and its sender hears of both.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Phone } from '#simulator/phone.ts';
import { isLong } from '../peers.ts';
import { seed } from '../support/seed.ts';
import { instants, Matrix } from './crash-cases.ts';
import { Died, type Flow } from './crash-flows.ts';
import { eventually, House, isDead } from './crash-house.ts';

type Message = VerbReply<'message.get'>;

const KILLS = isLong ? 200 : 10;
/** Milliseconds that a message takes from phone to phone and back, about. */
const WITHIN = 800;

interface Sent {
  /** Its text, and the name that its phone gave it or the key of its request. */
  readonly text: string;
  readonly by: 'phone' | 'api';
}

describe(`kill -9 while messages are on their way (HEARTHLINE_SEED=${seed})`, { timeout: 1_800_000 }, () => {
  const sent: Sent[] = [];
  let house: House;
  beforeAll(async () => {
    house = await House.open(23_000);
    await house.killCloud();
  }, 120_000);
  afterAll(() => house?.[Symbol.asyncDispose](), 60_000);

  const phone = (index: number): Phone => {
    const found = house.homes[index]?.phone;
    if (found === undefined) throw new Error(`there is no home ${index}`);
    return found;
  };
  const number = (index: number) => house.homes[index]?.line.number ?? '';
  const shown = (text: string) => phone(1).messages.shown.filter((one) => one.text === text);
  const told = (id: string) =>
    new Set(
      phone(0)
        .messages.receipts.filter((one) => one.id === id)
        .map((one) => one.status),
    );

  async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const living = async () => {
      if (isDead(house.cloud)) throw new Died(what);
      return condition();
    };
    await eventually(living, what, 45_000);
  }

  /** From a phone of one home to that of the other, with receipts, read there. */
  const bySip: Flow = async (_house, begun) => {
    const text = `sip-${sent.length}`;
    await begun?.();
    sent.push({ text, by: 'phone' });
    const receipts = ['positive-delivery', 'display'] as const;
    // The gateway keeps what the cloud does not take: the phone always has its 202.
    expect(await phone(0).messages.send(number(1), text, { id: text, receipts })).toBe(202);
    await until(() => shown(text).length > 0, `${text} to be shown`);
    for (const one of shown(text)) void phone(1).messages.read(one);
    await until(() => told(text).size === 2, `the receipts of ${text}`);
  };

  const byApi: Flow = async (_house, begun) => {
    const text = `api-${sent.length}`;
    await begun?.();
    sent.push({ text, by: 'api' });
    if (!(await posted(text))) throw new Died(text);
    await until(() => shown(text).length > 0, `${text} to be shown`);
  };

  /** The same key for the same text: asked again, it is the same message. */
  async function posted(text: string): Promise<boolean> {
    const body = { from: number(0), to: number(1), text };
    const reply = await house.request('POST', '/v1/messages', body, text).catch(() => undefined);
    if (reply !== undefined) expect(reply.status, JSON.stringify(reply.body)).toBe(201);
    return reply !== undefined;
  }

  const flows = { 'a message by SIP': bySip, 'a message by the API': byApi };

  it(`at its crash points, and at ${KILLS} random instants`, async () => {
    const matrix = new Matrix(flows, instants(flows, KILLS, WITHIN, seed));
    await matrix.run(house);
    console.info(`last crash points: ${JSON.stringify(matrix.points)}`);
    for (const [name, points] of Object.entries(matrix.points)) expect(points, name).toBeGreaterThan(2);
  });

  it('after all of these: nothing is lost, nothing is shown twice, and every sender knows', async () => {
    await house.startCloud();
    await house.reachable();
    for (const { text } of sent.filter(({ by }) => by === 'api')) expect(await posted(text)).toBe(true);
    await until(() => sent.every(({ text }) => shown(text).length > 0), 'every text');
    for (const { text, by } of sent)
      if (by === 'phone') for (const one of shown(text)) await phone(1).messages.read(one);
    await until(() => sent.every(({ text, by }) => by === 'api' || told(text).size === 2), 'every receipt');
    expect(sent.filter(({ text }) => shown(text).length !== 1)).toEqual([]);
    const all = await house.all<Message>('/v1/messages');
    expect(all.map(({ text }) => text).toSorted()).toEqual(sent.map(({ text }) => text).toSorted());
    expect(all.filter(({ state }) => state !== 'read' && state !== 'delivered')).toEqual([]);
    expect(house.rows("SELECT * FROM message_copy WHERE state = 'waiting'")).toEqual([]);
    console.info(`messages ${sent.length}, on the wire ${phone(1).messages.heard}`);
  });
});
