import { describe, expect, it } from 'vitest';
import type { FarmServerName } from '#shared/protocol/servers.ts';
import { farmServers } from '#shared/protocol/servers.ts';
import type { Facts, PartyFacts, ServerFacts } from './choice.ts';
import { type Plan, planCall, planMedia, planRoute } from './plan.ts';
import { planAdded, planConference } from './plan-conference.ts';
import { apply, type SessionState } from './session.ts';

function facts(more: Partial<Record<FarmServerName, Partial<ServerFacts>>> = {}): Facts {
  let n = 0;
  const servers = new Map(
    farmServers.map((name): [FarmServerName, ServerFacts] => [name, { running: true, load: 0.1, ...more[name] }]),
  );
  return { servers, legId: () => `leg_${++n}` };
}

const party = (n: number, more: Partial<PartyFacts> = {}, line: object = {}): PartyFacts => ({
  asked: `line_${n}`,
  line: { id: `line_${n}`, home: `home_${n}`, number: `+1555010000${n}`, metered: true, ...line },
  contacts: 1,
  direct: false,
  gateway: `gw_${n}`,
  ...more,
});
const nobody: PartyFacts = { asked: '+15550109999', direct: false };
const [one, two, three] = [party(1), party(2), party(3)];

function planOf(outcome: ReturnType<typeof planCall>): Plan {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
  return outcome.value;
}

/** Leg by leg: role, server, reservations in order, and who pays. */
const shape = (plan: Plan) =>
  plan.legs.map((leg) => [leg.role, leg.server, leg.reserve.join(' '), leg.payer ?? 'nobody']);

describe('what each request gets', () => {
  it.each([
    [
      'a phone’s call',
      planRoute(one, two, facts()),
      [
        ['caller', 'softswitch', 'qos', 'nobody'],
        ['callee', 'softswitch', 'billing qos', 'home_1'],
      ],
    ],
    [
      'a call by the API',
      planCall(one, two, facts()),
      [
        ['caller', 'softswitch', 'qos endpoint', 'nobody'],
        ['callee', 'softswitch', 'billing qos endpoint', 'home_1'],
      ],
    ],
    ['media on demand', planMedia(one, 'rain', facts()), [['media channel', 'media', 'billing qos player', 'home_1']]],
    [
      'a conference',
      planConference([one, two], undefined, facts()),
      [
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
      ],
    ],
    [
      'a conference with media in homes',
      planConference([one, two], { item: 'rain', to: 'homes', sinks: [] }, facts()),
      [
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
        ['media channel', 'media', 'billing qos player', 'home_1'],
        ['media channel', 'media', 'billing qos player', 'home_2'],
      ],
    ],
    [
      'a conference with media in the room',
      planConference([one, two], { item: 'rain', to: 'room', sinks: [] }, facts()),
      [
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
        ['conference channel', 'conference', 'billing qos endpoint', 'home_1'],
        ['media channel into the room', 'media', 'player', 'home_1'],
      ],
    ],
  ])('%s', (_name, outcome, expected) => {
    expect(shape(planOf(outcome))).toEqual(expected);
  });

  it('voice goes to a voice server and names the others, and so does non-voice', () => {
    const voice = planOf(planCall(one, two, facts())).legs[0];
    const media = planOf(planMedia(one, 'rain', facts())).legs[0];
    expect([voice?.orientation, media?.orientation]).toEqual(['voice', 'non-voice']);
    expect(voice?.why).toContain('conference is for a room; media, home-networking, messaging are non-voice-oriented');
    expect(media?.why).toContain('softswitch, conference are voice-oriented');
  });
});

describe('who a record says called whom', () => {
  const parties = (outcome: ReturnType<typeof planCall>) =>
    planOf(outcome).legs.map(({ from, to }) => `${from} > ${to}`);
  const [a, b] = [one.line?.number, two.line?.number];
  it.each([
    ['a call', planCall(one, two, facts()), [`${a} > ${b}`, `${a} > ${b}`]],
    ['an item that was asked for', planMedia(one, 'rain', facts()), [`media:rain > ${a}`]],
    ['an item that was dialled', planMedia(one, 'rain', facts(), 'call'), [`${a} > media:rain`]],
    ['a conference', planConference([one, two], undefined, facts()), [`conference > ${a}`, `${a} > ${b}`]],
  ])('%s', (_name, outcome, expected) => {
    expect(parties(outcome)).toEqual(expected);
  });
});

describe('servers that are stopped', () => {
  const call = (f: Facts) => planCall(one, two, f);
  const media = (f: Facts) => planMedia(one, 'rain', f);
  const conference = (f: Facts) => planConference([one, two], undefined, f);
  const route = (f: Facts) => planRoute(one, two, f);

  it.each([
    ['softswitch', { call: true, media: true, conference: true, route: true }],
    ['media', { call: true, media: true, conference: true, route: false }],
    ['conference', { call: false, media: false, conference: true, route: false }],
    ['billing', { call: true, media: true, conference: true, route: false }],
    ['qos', { call: false, media: false, conference: false, route: false }],
    ['oamp', { call: false, media: false, conference: false, route: false }],
    ['home-networking', { call: false, media: false, conference: false, route: false }],
  ] as const)('without %s', (server, needs) => {
    const without = facts({ [server]: { running: false } });
    for (const [name, plan] of Object.entries({ call, media, conference, route })) {
      const outcome = plan(without);
      const expected = needs[name as keyof typeof needs]
        ? { ok: false, fault: { code: 'server_unavailable', server } }
        : { ok: true };
      expect(outcome, name).toMatchObject(expected);
    }
  });

  it('without qos a leg goes unmarked and says so', () => {
    const leg = planOf(planMedia(one, 'rain', facts({ qos: { running: false } }))).legs[0];
    expect([leg?.reserve, leg?.dscp]).toEqual([['billing', 'player'], 'not marked: the qos server is not running']);
  });
});

describe('what changes a plan', () => {
  const withMedia = (parties: PartyFacts[], f = facts()) =>
    planOf(planConference(parties, { item: 'rain', to: 'homes', sinks: [] }, f)).legs.filter(
      (leg) => leg.kind === 'media',
    );

  it('a phone at the softswitch itself: one stream into the room, never both', () => {
    const legs = withMedia([one, party(2, { direct: true }), three]);
    expect(legs.map((leg) => [leg.channel, leg.join])).toEqual([['room', undefined]]);
    expect(legs[0]?.why).toContain('+15550100002 registered at the softswitch itself');
  });

  it('a media server that is nearly full: one stream into the room, with its load', () => {
    const legs = withMedia([one, two], facts({ media: { load: 0.93 } }));
    expect(legs[0]?.why).toContain('the media server is at 93 %');
    expect(withMedia([one, two], facts({ media: { load: 0.5 } }))).toHaveLength(2);
  });

  it('a degraded server is named as such', () => {
    const legs = withMedia([one], facts({ media: { advice: 'Nearly all RTP ports are in use.' } }));
    expect(legs[0]?.why).toContain('degraded: Nearly all RTP ports are in use.');
  });

  it('two phones of one home: one media channel for it, joined to the first', () => {
    const legs = withMedia([one, party(4, {}, { home: 'home_1' }), two]);
    expect(legs.map((leg) => [leg.home, leg.join])).toEqual([
      ['home_1', 'leg_1'],
      ['home_2', 'leg_3'],
    ]);
  });

  it('a sink: the media channel ends there and joins nothing', () => {
    const sink = party(5, {}, { home: 'home_1' });
    const outcome = planConference([one, two], { item: 'rain', to: 'homes', sinks: [sink] }, facts());
    const legs = planOf(outcome).legs.filter((leg) => leg.kind === 'media');
    expect(legs.map((leg) => [leg.line, leg.join, leg.after])).toEqual([
      ['line_5', undefined, 'leg_1'],
      ['line_2', 'leg_2', 'leg_2'],
    ]);
  });

  it.each([
    ['unmetered', party(1, {}, { metered: false }), 'not marked: the line is unmetered'],
    ['direct', party(1, { direct: true }), 'not marked: the phone is registered at the softswitch itself'],
    ['no gateway', { ...one, gateway: undefined } as unknown as PartyFacts, 'not marked: no gateway of the home'],
  ])('quality of service: %s', (_name, who, why) => {
    const leg = planOf(planMedia(who, 'rain', facts())).legs[0];
    expect(leg?.reserve).toEqual(['billing', 'player']);
    expect(leg?.dscp).toContain(why);
  });

  it('an emergency call is free and beyond the budget', () => {
    const legs = planOf(planRoute(one, two, facts(), true)).legs;
    expect(legs.map((leg) => [leg.reserve, leg.payer, leg.emergency])).toEqual([
      [['qos'], undefined, true],
      [['qos'], undefined, true],
    ]);
  });

  it('an unmetered caller reserves nothing: load tests have no caps', () => {
    const caller = party(1, {}, { metered: false });
    expect(planOf(planRoute(caller, party(2, {}, { metered: false }), facts())).legs.map((leg) => leg.reserve)).toEqual(
      [[], []],
    );
  });
});

describe('refusals', () => {
  it.each([
    ['callee_unknown', planRoute(one, nobody, facts())],
    ['callee_unknown', planCall(one, nobody, facts())],
    ['callee_unknown', planCall(nobody, one, facts())],
    ['callee_unknown', planMedia(nobody, 'rain', facts())],
    ['callee_unknown', planConference([one, nobody], undefined, facts())],
    ['callee_unknown', planConference([one], { item: 'rain', to: 'homes', sinks: [nobody] }, facts())],
    ['bad_request', planConference([one, one], undefined, facts())],
    ['bad_request', planCall(one, one, facts())],
    ['bad_request', planConference([one], { item: 'rain', to: 'homes', sinks: [two] }, facts())],
  ])('%s', (code, outcome) => {
    expect(outcome).toMatchObject({ ok: false, fault: { code } });
  });
});

describe('a leg for a living session', () => {
  const session = (outcome: ReturnType<typeof planCall>): SessionState => {
    const { kind, homes, legs, roomSize } = planOf(outcome);
    const data = { kind, homes, legs, request: {}, ...(roomSize === undefined ? {} : { roomSize }) };
    return apply(undefined, { session: 'ses_1', seq: 1, at: 1, type: 'created', data }) as SessionState;
  };
  const room = session(planConference([one, two], undefined, facts()));
  const call = session(planCall(one, two, facts()));
  const add = (state: SessionState, request: object, who?: PartyFacts, f = facts()) =>
    planAdded(state, { session: 'ses_1', ...request } as never, who, f);

  it.each([
    ['a voice leg into the room', room, { kind: 'voice' }, three, { role: 'conference channel', payer: 'home_1' }],
    ['music into the room', room, { kind: 'media', item: 'rain' }, undefined, { channel: 'room', kind: 'media' }],
    ['music for a third home', room, { kind: 'media', item: 'rain' }, three, { channel: 'instructed', home: 'home_3' }],
    ['a third party into a call', call, { kind: 'voice' }, three, { role: 'conference channel', payer: 'home_1' }],
    ['the devices', call, { kind: 'device', home: 'home_1' }, undefined, { server: 'home-networking', kind: 'device' }],
    [
      'waking a device',
      call,
      { kind: 'device', home: 'home_1', device: 'dev_1' },
      undefined,
      { role: 'wake a device', to: 'device:dev_1' },
    ],
  ])('%s', (_name, state, request, who, expected) => {
    expect(add(state, request, who)).toMatchObject({ ok: true, value: expected });
  });

  it('music for a home in the room is mixed with its voice leg', () => {
    const state = structuredClone(room);
    state.legs[1]!.state = 'up';
    expect(add(state, { kind: 'media', item: 'rain' }, two)).toMatchObject({
      value: { join: 'leg_2', after: 'leg_2' },
    });
    const direct = add(state, { kind: 'media', item: 'rain' }, party(2, { direct: true }));
    expect(direct).toMatchObject({ value: { channel: 'room' } });
  });

  it.each([
    ['conflict', room, { kind: 'voice' }, two],
    ['conflict', call, { kind: 'media', item: 'rain' }, undefined],
    ['bad_request', room, { kind: 'voice' }, undefined],
    ['bad_request', room, { kind: 'media' }, two],
    ['bad_request', room, { kind: 'device' }, undefined],
    ['bad_request', room, { kind: 'device', home: 'home_1', action: 'wake' }, undefined],
    ['callee_unknown', room, { kind: 'voice' }, nobody],
  ])('%s', (code, state, request, who) => {
    expect(add(state, request, who)).toMatchObject({ ok: false, fault: { code } });
  });

  it('names home networking when it is away', () => {
    const away = facts({ 'home-networking': { running: false } });
    expect(add(call, { kind: 'device', home: 'home_1' }, undefined, away)).toMatchObject({
      fault: { code: 'server_unavailable', server: 'home-networking' },
    });
  });
});
