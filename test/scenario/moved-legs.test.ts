/** Legs of conferences, of media on demand and of transfers whose phones send them elsewhere (302): followed as calls of whoever owns the phone. */
import { afterEach, describe, expect, test } from 'vitest';
import type { Stage } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import { carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';
import { last, level, likeness, number, wordsOf } from './words.ts';

const far = '+12125550100';
const sending = (to: string, host = 'operator.test') => ({
  refuses: 302,
  refusalHeaders: [['Contact', `<sip:${to}@${host}>`]] as const,
});

describe('straight at the softswitch', () => {
  let operator: Operator;
  let lines: [Line, Line, Line, Line];
  afterEach(() => operator.stop());

  async function begin(seed: number) {
    operator = await Operator.start(seed);
    const home = await operator.home('home_2');
    const far = await operator.home('home_3');
    lines = [
      await operator.line(await operator.home('home_1'), 1),
      await operator.line(home, 2),
      await operator.line(home, 3),
      await operator.line(far, 4),
    ];
  }
  const [a, b, c, d] = [1, 2, 3, 4].map((n) => `+1555010${1000 + n}`);

  async function legsOf(id: string) {
    const { legs, state } = await operator.ask('session.get', { session: id });
    return [state, ...legs.map(({ party, state, reason }) => `${party} ${reason ?? state}`)];
  }
  const nothingLeft = async () => {
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  };
  const payers = () => operator.store.all('SELECT party_to, payer, reason FROM cdr ORDER BY party_to, reason');

  test('a conference: who is called instead takes the seat, at the cost of the phone’s home', async () => {
    await begin(61);
    const alice = await operator.ready(lines[0], { voice: tone(600, 1) });
    await operator.ready(lines[1], sending(lines[2].number));
    const carol = await operator.ready(lines[2], { voice: tone(900, 1) });
    const dave = await operator.ready(lines[3]);
    const participants = [lines[0], lines[1], lines[3]].map(({ number }) => number);
    const { id } = await operator.ask('conference.create', { participants });
    await operator.world.run(6_000);
    expect(await legsOf(id)).toEqual(['active', `${a} up`, `${b} moved`, `${d} up`, `${c} up`]);
    expect(level(last(dave), 900)).toBeGreaterThan(-30);
    expect(level(last(carol), 600)).toBeGreaterThan(-30);
    expect(alice.calls).toHaveLength(1);
    await operator.ask('session.end', { session: id });
    await operator.world.run(12_000);
    expect(await payers()).toContainEqual({ party_to: c, payer: 'home_2', reason: 'api' });
    await nothingLeft();
  });

  test('a conference: to who is in it already, or to nobody, that leg ends alone', async () => {
    await begin(62);
    await operator.ready(lines[0]);
    await operator.ready(lines[1], sending(lines[0].number));
    await operator.ready(lines[3], sending('+15559999999'));
    const participants = [lines[0], lines[1], lines[3]].map(({ number }) => number);
    const { id } = await operator.ask('conference.create', { participants });
    await operator.world.run(6_000);
    expect(await legsOf(id)).toEqual(['active', `${a} up`, `${b} callee_offline`, `${d} callee_offline`]);
    await operator.ask('session.end', { session: id });
    await operator.world.run(12_000);
    await nothingLeft();
  });

  test('a conference: outside, the number of the phone’s line answers for the call', async () => {
    await begin(63);
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await operator.ready(lines[0], { voice: tone(600, 1) });
    await operator.ready(lines[1], sending(far));
    const { id } = await operator.ask('conference.create', { participants: [lines[0].number, lines[1].number] });
    await operator.world.run(6_000);
    expect(await legsOf(id)).toEqual(['active', `${a} up`, `${b} moved`, `${far} up`]);
    const invite = requestOf(outside, 'INVITE');
    expect([headerIn(invite, 'From'), headerIn(invite, 'P-Asserted-Identity')].join()).not.toContain('800');
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(b);
    expect(level(last(outside.phone), 600)).toBeGreaterThan(-30);
    await operator.ask('session.end', { session: id });
    await operator.world.run(12_000);
    expect(await payers()).toContainEqual({ party_to: far, payer: 'home_2', reason: 'api' });
  });

  test.each([
    ['to another line', () => lines[2].number, 'home_2'],
    ['outside', () => far, 'home_2'],
  ])('media on demand goes %s, and the phone’s home pays', async (_where, to, payer) => {
    await begin(64);
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await operator.ready(lines[1], sending(to()));
    const carol = await operator.ready(lines[2]);
    const { id } = await operator.ask('media.play', { to: lines[1].number, item: 'music-box' });
    await operator.world.run(4_000);
    expect(await legsOf(id)).toEqual(['active', `${b} moved`, `${to()} up`]);
    const heard = last(to() === far ? outside.phone : carol);
    expect(likeness(heard.heard(), 'music-box')).toBeGreaterThan(0.6);
    if (to() === far) expect(headerIn(requestOf(outside, 'INVITE'), 'P-Asserted-Identity')).toContain(b);
    await operator.ask('session.end', { session: id });
    await operator.world.run(12_000);
    expect(await payers()).toContainEqual({ party_to: to(), payer, reason: 'api' });
    await nothingLeft();
  });

  test.each([
    ['where its owner may not call', '+442071838750', 1],
    ['in a circle', b ?? '', 1],
  ])('media on demand sent %s ends', async (_where, to) => {
    await begin(65);
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    const features = { bar: ['international' as const] };
    await operator.ask('line.features.set', { home: lines[1].home, line: lines[1].id, features });
    await operator.ready(lines[1], sending(to === b ? lines[2].number : to));
    await operator.ready(lines[2], sending(lines[1].number));
    const { id } = await operator.ask('media.play', { to: lines[1].number, item: 'music-box' });
    await operator.world.run(8_000);
    expect((await legsOf(id))[0]).toBe('ended');
    expect(outside.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
    await nothingLeft();
  });

  test('a transfer whose target sends it on: the transferring phone hears that it came to pass, and is out', async () => {
    await begin(66);
    const notes: string[] = [];
    const trace = (direction: 'in' | 'out', text: string) => {
      if (direction === 'in' && text.startsWith('NOTIFY')) notes.push(text.slice(text.indexOf('\r\n\r\n') + 4).trim());
    };
    const alice = await operator.ready(lines[0], { voice: tone(600, 1) });
    const dave = await operator.ready(lines[3], { trace });
    await operator.ready(lines[1], sending(lines[2].number));
    const carol = await operator.ready(lines[2]);
    const call = await alice.dial(lines[3].number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    const [coming] = dave.calls;
    if (coming === undefined) throw new Error('no call');
    expect(await operator.world.settle(dave.refer(coming, lines[1].number))).toBe(202);
    await operator.world.run(6_000);
    expect([call.state, coming.state, carol.calls[0]?.state]).toEqual(['up', 'ended', 'up']);
    expect(notes.at(-1)).toContain('200');
    expect(notes.join()).not.toContain('480');
    expect(level(last(carol), 600)).toBeGreaterThan(-30);
    call.hangup();
    await operator.world.run(12_000);
    await nothingLeft();
  });

  test('a transfer whose target sends it to who does not answer leaves both as they were', async () => {
    await begin(67);
    const alice = await operator.ready(lines[0]);
    const dave = await operator.ready(lines[3]);
    await operator.ready(lines[1], sending(lines[2].number));
    await operator.ready(lines[2], { manner: 'busy' });
    const call = await alice.dial(lines[3].number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    const [coming] = dave.calls;
    if (coming === undefined) throw new Error('no call');
    await operator.world.settle(dave.refer(coming, lines[1].number));
    await operator.world.run(6_000);
    expect([call.state, coming.state]).toEqual(['up', 'up']);
    call.hangup();
    await operator.world.run(12_000);
    await nothingLeft();
  });
});

describe('behind gateways', () => {
  let stage: Stage;
  const { until } = wordsOf(() => stage);
  afterEach(() => stage[Symbol.asyncDispose]());

  test('a conference with media: the music follows to the home that is called instead', async () => {
    ({ stage } = await virtualStage({ seed: 68 }));
    const [elm, oak, ash] = [await stage.home('elm'), await stage.home('oak'), await stage.home('ash')];
    await elm.phone({ voice: tone(600, 1) });
    const third = await ash.phone({});
    await oak.phone(sending(number(ash), ash.lines[0]?.sip.domain));
    const { id } = await stage.api('conference.create', { participants: [number(elm), number(oak)], media: 'rain' });
    const session = () => stage.api('session.get', { session: id });
    await until(async () => (await session()).legs.filter(({ state }) => state === 'up').length === 4, 'four legs');
    const { legs } = await session();
    expect(legs.map(({ kind, party, state, reason }) => `${kind} ${party} ${reason ?? state}`).sort()).toEqual(
      [
        `voice ${number(elm)} up`,
        `voice ${number(oak)} moved`,
        `voice ${number(ash)} up`,
        `media ${number(elm)} up`,
        `media ${number(oak)} moved`,
        `media ${number(ash)} up`,
      ].sort(),
    );
    await stage.ground.pass(2_000);
    expect(third.calls).toHaveLength(1);
    expect(level(last(third), 600)).toBeGreaterThan(-30);
    await stage.api('session.end', { session: id });
    await until(async () => (await stage.api('cdr.list', { session: id })).items.length === 6, 'six records');
    expect((await session()).state).toBe('ended');
  });
});
