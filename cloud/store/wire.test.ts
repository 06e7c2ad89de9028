import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import type { Statement } from './store.ts';
import { Packer, Unpacker } from './wire.ts';

const value = fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true }), fc.constant(null), fc.uint8Array());
const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ sql: fc.constantFrom('A', 'B ?', 'C ?, ?'), params: fc.array(value) }, { noNullPrototype: true }),
  fc.record({ sql: fc.string(), params: fc.array(value), changes: fc.nat() }, { noNullPrototype: true }),
);

describe('commits on their way to the writer', () => {
  it('come out as they went in, group after group', () => {
    void fc.assert(
      fc.property(fc.array(fc.array(fc.array(statement))), (groups) => {
        const [packer, unpacker] = [new Packer(), new Unpacker()];
        for (const group of groups) expect(unpacker.commits(packer.pack(group))).toStrictEqual(group);
      }),
      { seed },
    );
  });

  it('carry every text once', () => {
    const packer = new Packer();
    const one = [
      [
        { sql: 'INSERT', params: [1] },
        { sql: 'INSERT', params: [2] },
      ],
    ];
    expect(packer.pack(one).texts).toEqual(['INSERT']);
    expect(packer.pack(one).texts).toEqual([]);
  });
});
