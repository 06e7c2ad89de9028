import { describe, expect, it } from 'vitest';
import { frozen } from './frozen.ts';

describe('frozen data', () => {
  it('is the same, and none of it can be changed', () => {
    const data = { list: [{ deep: { n: 1 } }], bare: Object.assign(Object.create(null), { x: [1] }), none: null };
    expect(frozen(data)).toBe(data);
    for (const part of [data, data.list, data.list[0], data.list[0]?.deep, data.bare, data.bare.x]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('may hold octets and maps, which stay as they are', () => {
    const data = { octets: new Uint8Array([1, 2]), map: new Map([[1, { n: 1 }]]) };
    frozen(data);
    data.octets[0] = 9;
    expect(data.octets[0]).toBe(9);
    expect(Object.isFrozen(data.map.get(1))).toBe(false);
  });

  it('is nothing that cannot be data', () => {
    expect(() => frozen({ run: () => 1 })).toThrow(TypeError);
    expect(() => frozen([Symbol('s')])).toThrow(TypeError);
    expect([undefined, null, 1, 'text', true].map(frozen)).toEqual([undefined, null, 1, 'text', true]);
  });
});
