import { describe, expect, it } from 'vitest';
import type { LineFeatures } from '#shared/call/features/document.ts';
import { type HouseView, nextLine, type Way, wayOf } from './house-route.ts';

const line = (n: number) => ({ id: `l${n}`, number: `+1555010000${n}` });
const [one, two, three, four] = [line(1), line(2), line(3), line(4)];
const OUT = '+15559990000';

interface Given {
  readonly cloud?: boolean;
  readonly features?: Readonly<Record<string, LineFeatures>>;
  readonly absent?: readonly string[];
  readonly talking?: Readonly<Record<string, number>>;
  readonly last?: string;
}

const view = ({ cloud = false, features = {}, absent = [], talking = {}, last }: Given): HouseView => ({
  cloud,
  line: (dialled) => [one, two, three].find(({ id, number }) => id === dialled || number === dialled),
  features: (id) => features[id] ?? {},
  hasPhone: (id) => !absent.includes(id),
  talking: (id) => talking[id] ?? 0,
  last: () => last,
});
const way = (dialled: string, given: Given, hidden = false): Way => wayOf(view(given), { from: one, dialled, hidden });
const rings = (to: typeof one, more: object = {}) => ({
  ...{ do: 'ring', to: to.number, line: to, along: [], hidden: false, again: false },
  ...more,
});
const no = (status: number, reason: string) => ({ do: 'refuse', status, reason });
const AWAY = no(503, 'server_unavailable');

describe('what a phone of the house dials', () => {
  it.each<[string, string, Given, object]>([
    ['a line of the house rings', two.number, {}, rings(two)],
    ['with the cloud too', two.number, { cloud: true }, rings(two)],
    ['a number outside is the cloud’s', OUT, { cloud: true }, { do: 'cloud', to: OUT }],
    ['and leads nowhere without it', OUT, {}, AWAY],
    ['a bar comes first', OUT, { features: { l1: { bar: ['local', 'national'] } } }, no(403, 'destination_barred')],
    [
      'past the bar with the PIN there is no way either',
      `*33*2468*${OUT}`,
      { features: { l1: { bar: ['local', 'national'], pin: '2468' } } },
      AWAY,
    ],
    ['inside nothing is barred', two.number, { features: { l1: { bar: ['local', 'national'] } } }, rings(two)],
    ['short dialling', '7', { features: { l1: { short: [{ code: '7', to: two.number }] } } }, rings(two)],
    ['a hot line', OUT, { features: { l1: { hotLine: two.number } } }, rings(two)],
    ['a withheld number', `#31#${two.number}`, {}, rings(two, { hidden: true })],
    ['a code is the cloud’s', '*26#', { cloud: true }, { do: 'cloud' }],
    ['without it, the house’s', '*26#', {}, { do: 'change', changes: { doNotDisturb: true } }],
    ['one that cannot be', '*21*1*2#', {}, { do: 'change' }],
    ['a service code leads nowhere', '*55', {}, AWAY],
    ['the last number', '*66', { last: two.number }, rings(two)],
    ['none', '*69', {}, no(404, 'callee_unknown')],
    ['the cloud knows it better', '*66', { cloud: true, last: two.number }, { do: 'cloud' }],
    ['two calls together', '*7', { cloud: true }, { do: 'together' }],
    ['without it too', '*7#', {}, { do: 'together' }],
    ['a call that rings anywhere', '*8', {}, { do: 'pickup' }],
    ['at one line', `*8*${two.number}#`, { cloud: true }, { do: 'pickup', at: 'l2' }],
    ['at no line of ours', `*8*${OUT}#`, {}, { do: 'pickup', at: '' }],
    ['the own number', one.number, { features: { l1: { doNotDisturb: true } } }, rings(one)],
  ])('%s', (_what, dialled, given, outcome) => expect(way(dialled, given)).toEqual(outcome));
});

describe('what the called line wants', () => {
  const with2 = (features: LineFeatures, more: Given = {}): Given => ({ features: { l2: features }, ...more });
  it.each<[string, Given, object]>([
    ['quiet', with2({ doNotDisturb: true }), no(486, 'callee_busy')],
    ['not this caller', with2({ block: [one.number] }), no(603, 'callee_declined')],
    ['no second call', with2({ noWaiting: true }, { talking: { l2: 1 } }), no(486, 'callee_busy')],
    [
      'it elsewhere in the house',
      with2({ forward: { always: three.number } }),
      { ...rings(two), line: three, diverted: [{ number: two.number, reason: 'unconditional' }] },
    ],
    ['it with the caller', with2({ forward: { always: one.number } }), no(486, 'callee_busy')],
    ['it outside', with2({ forward: { always: OUT } }), no(480, 'callee_offline')],
    ['it outside, by the cloud', with2({ forward: { always: OUT } }, { cloud: true }), { do: 'cloud', to: two.number }],
    ['it to go on', with2({ forward: { busy: three.number } }), rings(two, { again: true })],
    ['it to go on outside', with2({ forward: { busy: OUT } }, { cloud: true }), { do: 'cloud', to: two.number }],
    [
      'others to ring along, but not who called and who wants quiet',
      { features: { l2: { ringAlso: ['l3', 'l1', 'l3', OUT] } } },
      rings(two, { along: [three] }),
    ],
    ['quiet ones left alone', { features: { l2: { ringAlso: ['l3'] }, l3: { doNotDisturb: true } } }, rings(two)],
    ['time for an answer', with2({ hunt: ['l3'], noAnswerAfter: 7 }), rings(two, { again: true, ringFor: 7_000 })],
  ])('%s', (_what, given, outcome) => expect(way(two.number, given)).toEqual(outcome));

  it('no caller that withholds its number', () => {
    expect(way(two.number, with2({ rejectAnonymous: true }), true)).toEqual(no(433, 'caller_anonymous'));
  });

  it('a circle ends', () => {
    const features = { l2: { forward: { always: 'l3' } }, l3: { forward: { always: 'l2' } } };
    expect(way(two.number, { features })).toEqual(no(404, 'callee_unknown'));
  });

  it('whoever may be elsewhere is found by the cloud', () => {
    const cloud = { do: 'cloud', to: two.number };
    expect(way(two.number, { cloud: true, absent: ['l2'] })).toEqual(cloud);
    expect(way(two.number, { cloud: true, absent: ['l3'], features: { l2: { ringAlso: ['l3'] } } })).toEqual(cloud);
    expect(way(two.number, { absent: ['l2'] })).toEqual(rings(two));
  });
});

describe('nobody took it', () => {
  const next = (given: Given, reason = 'no_answer', { rung = ['l2'], from = four, hidden = false } = {}) =>
    nextLine(view(given), 'l2', reason, { from, hidden, rung: new Set(rung) })?.id;
  const hunt: LineFeatures = { hunt: ['l3', OUT], forward: { noAnswer: 'l1' } };
  const with3 = (l3: LineFeatures, more: Given = {}): Given => ({ features: { l2: hunt, l3 }, ...more });

  it('it goes on to the next that is there and has not rung', () => {
    expect(next(with3({}))).toBe('l3');
    expect(next(with3({}), 'no_answer', { rung: ['l2', 'l3'] })).toBe('l1');
    expect(next(with3({}, { absent: ['l3'] }))).toBe('l1');
    expect(next(with3({}), 'callee_busy', { rung: ['l2', 'l3'] })).toBeUndefined();
    expect(next(with3({}), 'cancelled')).toBeUndefined();
  });

  it.each<[string, LineFeatures, Given?, boolean?]>([
    ['wants quiet', { doNotDisturb: true }],
    ['wants no call of this caller', { block: [four.number] }],
    ['talks, and wants no second call', { noWaiting: true }, { talking: { l3: 1 } }],
    ['wants no caller without a number', { rejectAnonymous: true }, {}, true],
  ])('whoever %s is passed over', (_who, features, more, hidden = false) => {
    expect(next(with3(features, more), 'no_answer', { hidden })).toBe('l1');
  });

  it('the caller is not called', () => {
    expect(next(with3({}), 'no_answer', { from: three })).toBe('l1');
    expect(next(with3({}), 'callee_busy', { from: three })).toBeUndefined();
  });
});
