import { beforeEach, describe, expect, it } from 'vitest';
import type { LineFeatures } from '#shared/call/features/document.ts';
import type { Stamps } from '#shared/call/features/merge.ts';
import type { FeaturesDocument } from '#shared/protocol/documents.ts';
import { HousePolicy, toldOf } from './house-policy.ts';

const line = { id: 'line_1', number: '+15550100001' };
const told = (features: LineFeatures, stamps: Stamps = {}) =>
  ({ lines: [{ line: line.id, features, stamps }] }) as FeaturesDocument;

let policy: HousePolicy;
beforeEach(() => {
  policy = new HousePolicy();
});

describe('features in the house', () => {
  it('are the cloud’s, and over them what the house set, until the cloud’s document is as late', () => {
    policy.apply(told({ hunt: ['x1'], forward: { busy: '+15550100002' } }, { 'forward.busy': 50 }));
    const untold = policy.change(line, { forward: { busy: '+15550100003' } }, 20);
    expect(untold.stamps).toEqual({ 'forward.busy': 51 });
    expect(policy.of(line.id)).toEqual({ hunt: ['x1'], forward: { busy: '+15550100003' } });
    policy.apply(told({ forward: { busy: '+15550100002' } }, { 'forward.busy': 50 }));
    expect(policy.of(line.id).forward).toEqual({ busy: '+15550100003' });
    policy.apply(told({ forward: { busy: '+15550100004' } }, { 'forward.busy': 51 }));
    expect([policy.of(line.id).forward, policy.untold()]).toEqual([{ busy: '+15550100004' }, []]);
  });

  it('a code is a change even to what is set already, and numbers are kept in full', () => {
    policy.apply(told({ doNotDisturb: true }, { doNotDisturb: 5 }));
    expect(policy.change(line, { doNotDisturb: true }, 90).stamps).toEqual({ doNotDisturb: 90 });
    expect(policy.change(line, { forward: { always: '5550100007' } }, 91).features.forward?.always).toBe(
      '+15550100007',
    );
  });

  it('changes no list that it was not told', () => {
    const brief = { lines: [{ line: line.id, features: {}, stamps: {}, brief: true as const }] };
    policy.apply(brief);
    expect(policy.mayChange(line.id, { block: ['+15550100009'] })).toBe(false);
    expect(policy.mayChange(line.id, { doNotDisturb: true, hotLine: '+15550100009' })).toBe(true);
    policy.apply({ lines: [{ line: line.id, features: {}, stamps: {}, nameless: true as const }] });
    expect(policy.mayChange(line.id, { contacts: [] })).toBe(false);
    expect(policy.mayChange(line.id, { block: ['+15550100009'] })).toBe(true);
    policy.apply(told({}));
    expect(policy.mayChange(line.id, { block: ['+15550100009'], contacts: [] })).toBe(true);
  });

  it('tells what was set and nothing else', () => {
    policy.apply(told({ block: ['+15550100009'], hideNumber: true }, { hideNumber: 1 }));
    expect(toldOf(policy.change(line, { doNotDisturb: true }, 10))).toEqual({
      line: line.id,
      features: { doNotDisturb: true },
      stamps: { doNotDisturb: 10 },
    });
    expect(toldOf(policy.change(line, { doNotDisturb: false }, 11)).features).toEqual({});
  });

  it('outlives a restart, and goes with its line', () => {
    policy.change(line, { doNotDisturb: true }, 10);
    policy.change(line, { hideNumber: true }, 11);
    const next = new HousePolicy();
    next.restore(structuredClone(policy.untold()));
    expect(next.of(line.id)).toEqual({ doNotDisturb: true, hideNumber: true });
    next.keepOnly(() => false);
    expect([next.of(line.id), next.untold()]).toEqual([{}, []]);
  });
});
