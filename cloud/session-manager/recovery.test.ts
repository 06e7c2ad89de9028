import { describe, expect, it } from 'vitest';
import type { LegPlan } from './events.ts';
import { type Existing, reconcile } from './recovery.ts';
import { apply, type LegState, type SessionState } from './session.ts';

const plan = (id: string, more: Partial<LegPlan> = {}): LegPlan => ({
  id,
  kind: 'voice',
  orientation: 'voice',
  server: 'softswitch',
  why: 'test',
  role: 'party',
  channel: 'instructed',
  home: 'home_1',
  from: 'a',
  to: 'b',
  reserve: ['qos', 'endpoint'],
  ...more,
});

function session(leg: Partial<LegPlan>, state: LegState['state'], more: Partial<LegState> = {}, room = false) {
  const legs = [plan('leg_1', leg)];
  const data = { kind: 'conference' as const, request: {}, homes: [], legs, ...(room ? { roomSize: 8 } : {}) };
  const made = apply(undefined, { session: 'ses_1', seq: 1, at: 1, type: 'created', data }) as SessionState;
  if (room) made.room = 'room_1';
  Object.assign(made.legs[0] as LegState, { state, ...more });
  return made;
}

const owner = { session: 'ses_1', leg: 'leg_1' };
const channel = (more: object = {}) => ({
  ...owner,
  callId: 'c@x',
  state: 'up' as const,
  autonomous: false,
  since: 0,
  ...more,
});
const endpoint = (more: object = {}) => ({ id: 'ep_1', kind: 'endpoint' as const, ...owner, ...more });
const dscp = { value: 46, name: 'EF' };
const close = { do: 'send', command: { verb: 'channel.close', request: { ...owner, reason: 'lost' } } };
const send = (verb: string) => ({ do: 'send', command: expect.objectContaining({ verb }) });
const missing = { do: 'missing', ...owner };
const seen = { do: 'seen', ...owner, up: true, callId: 'c@x' };

describe('wanted', () => {
  it.each<[string, SessionState, Existing, unknown[]]>([
    ['and there: goes on', session({}, 'up'), { channels: [channel()] }, [seen]],
    [
      'and ringing there',
      session({}, 'ringing'),
      { channels: [channel({ state: 'ringing' })] },
      [{ ...seen, up: false }],
    ],
    ['and not there: missing', session({}, 'up'), { channels: [] }, [missing]],
    ['and its server away: nothing', session({}, 'up'), {}, []],
    ['a phone’s own call not there', session({ channel: 'switched' }, 'starting'), { channels: [] }, [missing]],
    ['not begun: nothing', session({}, 'reserved'), { channels: [], media: [] }, []],
    [
      'its sound not there',
      session({}, 'up', { reserved: { endpoint: 'ep_1' } }),
      { channels: [channel()], media: [] },
      [missing],
    ],
    [
      'its sound there',
      session({}, 'up', { reserved: { endpoint: 'ep_1' } }),
      { channels: [channel()], media: [endpoint()] },
      [seen],
    ],
    ['its room not there', session({}, 'up', {}, true), { channels: [channel()], rooms: [] }, [missing]],
    [
      'music into the room, there',
      session({ channel: 'room', kind: 'media' }, 'up', { reserved: { player: 'pl_1' } }),
      { channels: [], media: [endpoint({ kind: 'player' })] },
      [{ do: 'seen', ...owner, up: false }],
    ],
    [
      'music into the room, gone',
      session({ channel: 'room', kind: 'media' }, 'up', { reserved: { player: 'pl_1' } }),
      { media: [] },
      [missing],
    ],
    [
      'its bit rate forgotten: reserved again',
      session({}, 'up', { reserved: { dscp } }),
      { channels: [channel()], qos: [] },
      [seen, send('qos.reserve')],
    ],
    [
      'its bit rate kept',
      session({}, 'up', { reserved: { dscp } }),
      { channels: [channel()], qos: [{ ...owner, home: 'home_1', kbits: 100 }] },
      [seen],
    ],
    ['its money forgotten: nothing, the journal bills it', session({}, 'up'), { billing: [] }, []],
  ])('%s', (_name, state, existing, expected) => {
    expect(reconcile([state], existing)).toEqual(expected);
  });
});

describe('not wanted', () => {
  it.each<[string, SessionState[], Existing, unknown[]]>([
    ['a channel: hung up', [], { channels: [channel()] }, [close]],
    ['a channel of an ended leg: hung up', [session({}, 'ended')], { channels: [channel()] }, [close]],
    ['a call made without us: adopted', [], { channels: [channel({ autonomous: true })] }, []],
    ['and its sound too', [], { channels: [channel({ autonomous: true })], media: [endpoint()] }, []],
    ['sound of nobody', [], { channels: [], media: [endpoint()] }, [send('media.endpoint.release')]],
    [
      'a player of nobody',
      [],
      { channels: [], media: [endpoint({ kind: 'player' })] },
      [send('media.stop'), send('media.endpoint.release')],
    ],
    ['sound, while nobody knows the channels: nothing', [], { media: [endpoint()] }, []],
    ['a room’s node: the room’s own matter', [], { channels: [], media: [endpoint({ kind: 'room' })] }, []],
    ['a room', [], { rooms: [{ session: 'ses_1', room: 'r', parties: 1 }] }, [send('conference.room.close')]],
    ['bit rate', [], { qos: [{ ...owner, home: 'h', kbits: 1 }] }, [send('qos.release')]],
    ['money', [], { billing: [{ ...owner, home: 'h', amount: 1 }] }, [send('billing.release')]],
  ])('%s', (_name, states, existing, expected) => {
    expect(reconcile(states, existing)).toEqual(expected);
  });
});

describe('a busy switch', () => {
  it('is looked through once, however many calls it has', () => {
    const many = Array.from({ length: 20_000 }, (_none, i) => ({ ...session({}, 'up'), id: `ses_${i}` }));
    const channels = many.map(({ id }) => channel({ session: id }));
    const decisions = reconcile(many, { channels, media: [], qos: [] });
    expect(decisions.filter((one) => one.do === 'seen')).toHaveLength(many.length);
    expect(decisions).toHaveLength(many.length);
  });
});
