import { afterEach, describe, expect, it } from 'vitest';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { createFarm, type Farm, OPERATOR } from '#test/support/session-farm.ts';

let farm: Farm;
afterEach(() => farm.end());

const verbsAsked = () => farm.asked.map((one) => one.verb).filter((verb) => verb !== 'registration.list');

async function route(to: string) {
  const reply = await farm.get('session.route', {
    call: 'chn_1',
    callId: 'a@b',
    line: 'line_11',
    to,
    at: farm.host.clock.wall(),
    direct: false,
  });
  const legs = reply.do === 'ring' ? [reply.callerLeg, ...reply.targets.map((one) => one.leg)] : [reply.leg];
  for (const leg of legs) farm.hold(reply.session, leg);
  return reply;
}

describe('a phone calls a phone', () => {
  it('is routed, answered, ended and billed, in four rows', async () => {
    farm = await createFarm([billing, qos]);
    const routed = await route('+15550100021');
    if (routed.do !== 'ring') throw new Error('expected ring');
    const callee = routed.targets[0]!;
    expect(callee.line).toBe('line_21');
    await farm.report(routed.session, callee.leg, 'ringing');
    await farm.report(routed.session, callee.leg, 'answered');
    expect((await farm.session(routed.session)).state).toBe('active');
    await farm.world.run(61_000);
    await farm.report(routed.session, routed.callerLeg, 'ended', 'hangup');
    await farm.report(routed.session, callee.leg, 'ended', 'hangup');
    const session = await farm.session(routed.session);
    expect(session).toMatchObject({ state: 'ended', reason: 'hangup', kind: 'call' });
    expect(session.legs.map((leg) => [leg.role, leg.state, leg.reason])).toEqual([
      ['caller', 'ended', 'hangup'],
      ['callee', 'ended', 'hangup'],
    ]);
    const events = await farm.get('session.events', { session: routed.session });
    expect(events.items.map((row) => row.type)).toEqual(['created', 'ringing', 'answered', 'ended']);
    const cdrs = (await farm.get('cdr.list', { session: routed.session })).items;
    expect(cdrs).toHaveLength(2);
    expect(cdrs.find((cdr) => cdr.leg === callee.leg)).toMatchObject({ seconds: 62, price: 10_334, reason: 'hangup' });
    expect(cdrs.find((cdr) => cdr.leg === routed.callerLeg)?.price).toBe(0);
    await farm.world.run(100);
    expect((await farm.get('qos.list', {})).items).toEqual([]);
  });
});

describe('a clock that is set', () => {
  it.each([
    ['ahead in the talk', 3_600_000, 'talk'],
    ['back in the talk', -3_600_000, 'talk'],
    ['ahead while it rings', 3_600_000, 'ringing'],
    ['back while it rings', -3_600_000, 'ringing'],
  ])('%s makes a call neither longer nor dearer', async (_way, by, when) => {
    farm = await createFarm([billing, qos]);
    await farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 1_000_000 });
    const routed = await route('+15550100021');
    const callee = routed.do === 'ring' ? (routed.targets[0]?.leg ?? '') : '';
    await farm.report(routed.session, callee, 'ringing');
    if (when === 'ringing') farm.world.skew('cloud', by);
    await farm.report(routed.session, callee, 'answered');
    if (when === 'talk') farm.world.skew('cloud', by);
    await farm.world.run(400_000);
    expect((await farm.session(routed.session)).state).toBe('active');
    await farm.report(routed.session, callee, 'ended', 'hangup');
    const { items } = await farm.get('cdr.list', { session: routed.session });
    const { seconds = 0, price } = items.find((cdr) => cdr.leg === callee) ?? {};
    expect(Math.abs(seconds - 400)).toBeLessThanOrEqual(1);
    expect(price).toBe(Math.ceil((seconds * 10_000) / 60));
    expect(await farm.get('balance.get', { home: 'home_1' })).toMatchObject({
      balance: 1_000_000 - (price ?? 0),
      reserved: 0,
    });
  });
});

describe('call.create', () => {
  it('rings `from`, plays it ringback, rings `to` and joins both', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'sip:user21@example.test' });
    const [from, to] = (await farm.session(id)).legs;
    expect([from?.state, to?.state]).toEqual(['starting', 'reserved']);
    await farm.report(id, from!.id, 'ringing');
    await farm.report(id, from!.id, 'answered');
    expect((await farm.session(id)).legs[1]?.state).toBe('starting');
    await farm.report(id, to!.id, 'answered');
    expect(verbsAsked()).toEqual([
      'media.endpoint.offer',
      'media.endpoint.offer',
      'channel.open',
      'channel.open',
      'media.tone',
      'media.tone',
      'media.endpoint.connect',
      'media.endpoint.connect',
    ]);
    const session = await farm.session(id);
    expect(session.state).toBe('active');
    expect(session.instructions.map((one) => [one.verb, one.server, one.callId])).toEqual([
      ['channel.open', 'softswitch', `call-${from!.id}`],
      ['channel.open', 'softswitch', `call-${to!.id}`],
    ]);
    await farm.get('session.end', { session: id });
    await farm.world.run(10);
    expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'api' });
    expect([farm.channels.size, farm.media.size]).toEqual([0, 0]);
    // Undone in reverse: the leg made last goes first.
    expect(farm.asked.filter((one) => one.verb === 'channel.close').map((one) => one.request.leg)).toEqual([
      to!.id,
      from!.id,
    ]);
  });
});

describe('media on demand', () => {
  it('from a phone that dials the short code: waits, answers, plays, ends with the item', async () => {
    farm = await createFarm([billing, qos]);
    const routed = await route('700');
    if (routed.do !== 'wait') throw new Error('expected wait');
    await farm.world.run(10);
    expect(farm.asked.find((one) => one.verb === 'channel.open')?.request).toMatchObject({ waiting: 'chn_1' });
    await farm.report(routed.session, routed.leg, 'answered');
    expect(verbsAsked()).toEqual(['media.prepare', 'channel.open', 'media.start']);
    expect((await farm.session(routed.session)).legs[0]).toMatchObject({
      kind: 'media',
      orientation: 'non-voice',
      server: 'media',
      state: 'up',
      item: 'morning-birds',
    });
    await farm.report(routed.session, routed.leg, 'item-ended');
    await farm.world.run(10);
    expect(await farm.session(routed.session)).toMatchObject({ state: 'ended', reason: 'item-ended' });
    expect(verbsAsked().slice(3)).toEqual(['channel.close', 'media.stop', 'media.endpoint.release']);
  });

  it('ends as callee_offline when no phone is there', async () => {
    farm = await createFarm([billing, qos]);
    farm.refuse.set('channel.open', 'callee_offline');
    const { id } = await farm.get('media.play', { to: 'line_11', item: 'morning-birds' });
    await farm.world.run(10);
    expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'callee_offline' });
  });
});

describe('conferences', () => {
  it('with media to homes: one instruction, a channel and a joined media channel per home', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('conference.create', {
      participants: ['line_11', 'line_21'],
      media: { item: 'morning-birds', to: 'homes' },
    });
    const legs = (await farm.session(id)).legs;
    expect(legs.map((leg) => [leg.role, leg.home, leg.server])).toEqual([
      ['conference channel', 'home_1', 'conference'],
      ['conference channel', 'home_2', 'conference'],
      ['media channel', 'home_1', 'media'],
      ['media channel', 'home_2', 'media'],
    ]);
    const [c1, c2, m1, m2] = legs.map((leg) => leg.id) as [string, string, string, string];
    await farm.report(id, c1, 'answered');
    await farm.report(id, c2, 'answered');
    const opened = farm.asked.filter((one) => one.verb === 'channel.open').map((one) => one.request);
    expect(opened.map((one) => [one.leg, one.join])).toEqual([
      [c1, undefined],
      [c2, undefined],
      [m1, c1],
      [m2, c2],
    ]);
    await farm.report(id, m1, 'answered');
    await farm.report(id, m2, 'answered');
    await farm.get('leg.remove', { session: id, leg: m1 });
    await farm.world.run(10);
    const session = await farm.session(id);
    expect(session.legs.map((leg) => leg.state)).toEqual(['up', 'up', 'ended', 'up']);
    expect(session.state).toBe('active');
  });

  it('with a phone at the softswitch itself: the music goes into the room, and the plan says why', async () => {
    farm = await createFarm([billing, qos]);
    farm.direct.add('line_21');
    const { id } = await farm.get('conference.create', {
      participants: ['line_11', 'line_21'],
      media: 'morning-birds',
    });
    const media = (await farm.session(id)).legs.filter((leg) => leg.kind === 'media');
    expect(media).toHaveLength(1);
    expect(media[0]?.why).toContain('+15550100021 registered at the softswitch itself');
    await farm.report(id, (await farm.session(id)).legs[0]!.id, 'answered');
    expect(farm.asked.filter((one) => one.verb === 'conference.party.add').map((one) => one.request.kind)).toEqual([
      'voice',
      'media',
    ]);
  });

  it('ends when nobody has come for a minute', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('conference.create', { participants: ['line_11', 'line_21'] }, OPERATOR);
    await farm.world.run(61_000);
    expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'no_answer' });
  });
});
