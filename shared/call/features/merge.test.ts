import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LineFeatures } from './document.ts';
import {
  fieldValue,
  later,
  merged,
  only,
  overruled,
  restamped,
  SETTABLE,
  type Settable,
  type Stamped,
} from './merge.ts';

const none: Stamped = { features: {}, stamps: {} };
const set = (before: Stamped, features: LineFeatures, wall: number) => restamped(before, features, wall);

describe('stamps', () => {
  it('only fields that change get one', () => {
    const contacts = [{ number: '+15550100002', name: 'Bob' }];
    const on = set(none, { doNotDisturb: true, contacts }, 100);
    expect(on.stamps).toEqual({ doNotDisturb: 100, contacts: 100 });
    expect(set(on, { doNotDisturb: true, contacts, forward: { busy: '+15550100002' } }, 200).stamps).toEqual({
      ...{ doNotDisturb: 100, contacts: 100 },
      'forward.busy': 200,
    });
  });

  it('what replaces a value is later than it, whatever the clock says', () => {
    const on = set(none, { hideNumber: true }, 5_000);
    expect(set(on, {}, 17).stamps).toEqual({ hideNumber: 5_001 });
  });
});

describe('merging', () => {
  it('takes the later change of each field, and leaves alone what has no stamp', () => {
    const cloud = set(none, { doNotDisturb: true, forward: { always: '+15550100001' }, pin: '2468' }, 300);
    const house = set(none, { forward: { always: '+15550100002', busy: '+15550100003' } }, 400);
    expect(merged(cloud, house).features).toEqual({
      doNotDisturb: true,
      forward: { always: '+15550100002', busy: '+15550100003' },
      pin: '2468',
    });
    const early = set(none, { forward: { always: '+15550100002' } }, 200);
    expect(merged(cloud, early)).toEqual(cloud);
  });

  it('takes a list as a whole, and an empty one is a value too', () => {
    const both = set(none, { block: ['+15550100001'], hunt: ['+15550100002'] }, 100);
    const house = set(both, { block: ['+15550100001', '+15550100003'] }, 200);
    expect(house.stamps).toEqual({ block: 200, hunt: 200 });
    expect(merged(both, house).features).toEqual({ block: ['+15550100001', '+15550100003'] });
    expect(set(both, { ...both.features }, 300).stamps).toEqual(both.stamps);
  });

  it('off is a value: it wins when it is later', () => {
    const on = set(none, { doNotDisturb: true }, 100);
    expect(merged(on, set(on, {}, 50)).features).toEqual({});
  });

  it('of equal stamps the one that merges stands', () => {
    const [cloud, house] = [set(none, { forward: { busy: 'a1' } }, 100), set(none, { forward: { busy: 'b2' } }, 100)];
    expect(merged(cloud, house)).toEqual(cloud);
  });

  it('what cannot be is overruled: its maker sees a later stamp with the old value', () => {
    const cloud = set(none, { doNotDisturb: true }, 100);
    const house = set(none, { forward: { always: '+15559999999' } }, 900);
    const answer = overruled(cloud, house.stamps);
    expect(answer).toEqual({ features: cloud.features, stamps: { doNotDisturb: 100, 'forward.always': 901 } });
    expect(merged(house, answer).features.forward).toBeUndefined();
  });

  it('names the stamps of some fields', () => {
    expect(only({ hideNumber: 3, noWaiting: 4 }, ['noWaiting', 'doNotDisturb'])).toEqual({ noWaiting: 4 });
  });
});

const number = fc.constantFrom('+15550100001', '+15550100002', undefined);
const features = fc
  .record({ doNotDisturb: fc.boolean(), hideNumber: fc.boolean(), always: number, busy: number, blocked: number })
  .map(({ always, busy, ...flags }): LineFeatures => {
    const forward = { ...(always && { always }), ...(busy && { busy }) };
    return {
      ...(flags.doNotDisturb && { doNotDisturb: true }),
      ...(flags.hideNumber && { hideNumber: true }),
      ...(Object.keys(forward).length > 0 && { forward }),
      ...(flags.blocked && { block: [flags.blocked] }),
    };
  });
const steps = fc.array(fc.tuple(features, fc.integer({ min: 0, max: 50 })), { maxLength: 6 });
const history = (from: Stamped, made: readonly (readonly [LineFeatures, number])[]) =>
  made.reduce((now, [next, wall]) => set(now, next, wall), from);
const values = (one: Stamped, fields: readonly Settable[] = SETTABLE) =>
  fields.map((field) => fieldValue(one.features, field));

describe('properties', () => {
  it('merging twice, or in pieces, is merging once', () => {
    fc.assert(
      fc.property(steps, steps, steps, (common, here, there) => {
        const base = history(none, common);
        const [cloud, house] = [history(base, here), history(base, there)];
        const once = merged(cloud, house);
        expect(merged(once, house)).toEqual(once);
        const pieces = SETTABLE.reduce(
          (now, field) => merged(now, { ...house, stamps: only(house.stamps, [field]) }),
          cloud,
        );
        expect(values(pieces)).toEqual(values(once));
        expect(pieces.stamps).toEqual(once.stamps);
        expect(later(once.stamps, house.stamps)).toEqual([]);
      }),
    );
  });

  it('whoever knew a value and changed it wins, with any clock', () => {
    fc.assert(
      fc.property(steps, features, fc.integer({ min: 0, max: 5 }), (common, next, wall) => {
        const cloud = history(none, common);
        expect(values(merged(cloud, set(cloud, next, wall)))).toEqual(values({ features: next, stamps: {} }));
      }),
    );
  });
});
