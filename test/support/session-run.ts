/** For tests of sessions: plans of every kind of session, and a driver of the session machine with a clock of its own. */
import type { JournalRow, LegPlan } from '#cloud/session-manager/events.ts';
import { type Input, type Live, newLive, type Output } from '#cloud/session-manager/live.ts';
import { sessionMachine } from '#cloud/session-manager/machine.ts';
import { apply, type SessionState } from '#cloud/session-manager/session.ts';

export const plan = (id: string, more: Partial<LegPlan> = {}): LegPlan => ({
  id,
  kind: 'voice',
  orientation: 'voice',
  server: 'softswitch',
  why: 'test',
  role: 'party',
  channel: 'instructed',
  from: '+15550100001',
  to: '+15550100002',
  reserve: ['billing', 'qos', 'endpoint'],
  ...more,
});

const media = (id: string, more: Partial<LegPlan> = {}) =>
  plan(id, { kind: 'media', orientation: 'non-voice', server: 'media', item: 'rain', reserve: ['player'], ...more });

/** Sessions of every kind, as their first row. */
export const KINDS: Record<string, Extract<JournalRow, { type: 'created' }>['data']> = {
  'phone call': {
    kind: 'call',
    request: {},
    homes: ['h1', 'h2'],
    legs: [
      plan('a', { channel: 'switched', role: 'caller', home: 'h1', reserve: ['qos'], gateway: 'gw_1' }),
      plan('b', { channel: 'switched', home: 'h2', reserve: ['billing', 'qos'], payer: 'h1' }),
    ],
  },
  'API call': { kind: 'call', request: {}, homes: ['h1'], legs: [plan('a'), plan('b', { after: 'a', payer: 'h1' })] },
  media: { kind: 'media', request: {}, homes: ['h1'], legs: [media('a')] },
  conference: { kind: 'conference', request: {}, homes: ['h1'], legs: [plan('a'), plan('b'), plan('c')], roomSize: 8 },
  'conference with media in homes': {
    kind: 'conference-with-media',
    request: {},
    homes: ['h1', 'h2'],
    legs: [plan('a'), plan('b'), media('c', { join: 'a', after: 'a' }), media('d', { join: 'b', after: 'b' })],
    roomSize: 8,
  },
  'conference with media in the room': {
    kind: 'conference-with-media',
    request: {},
    homes: ['h1'],
    legs: [plan('a'), plan('b'), media('c', { channel: 'room' })],
    roomSize: 8,
  },
};

export const first = (data: (typeof KINDS)[string]): JournalRow => ({
  session: 'ses_1',
  seq: 1,
  at: 1000,
  type: 'created',
  data,
});
const begin = (kind: string): SessionState => apply(undefined, first(KINDS[kind] as never)) as SessionState;
export const reserved = (state: SessionState, metered = false): Input => ({
  on: 'reserved',
  legs: Object.fromEntries(
    state.legs.map((leg) => [
      leg.id,
      { endpoint: `ep_${leg.id}`, player: `pl_${leg.id}`, metered, ...(metered ? { until: 60_000 } : {}) },
    ]),
  ),
  ...(state.roomSize === undefined ? {} : { room: 'room_1' }),
});

export class Run {
  readonly live: Live;
  readonly rows: JournalRow[];
  readonly out: Output[] = [];
  now = 0;

  constructor(kind: string) {
    this.live = newLive(begin(kind));
    this.live.offset = 1000;
    this.rows = [first(KINDS[kind] as never)];
  }

  /** One step; the journal's rows are copied as the store would, by way of JSON. */
  step(one: Input | { on: 'tick' }): Output[] {
    const out: Output[] = [];
    sessionMachine.step(this.live, one, this.now, out);
    for (const entry of out) if (entry.do === 'append') this.rows.push(JSON.parse(JSON.stringify(entry.row)));
    this.out.push(...out);
    return out;
  }

  /** Lets time pass, ticking at every deadline. */
  wait(ms: number): void {
    const end = this.now + ms;
    for (let n = 0; n < 1000; n++) {
      const due = sessionMachine.due(this.live);
      if (due > end) break;
      this.now = Math.max(this.now, due);
      this.step({ on: 'tick' });
    }
    this.now = end;
  }
}
