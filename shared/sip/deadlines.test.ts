import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { NEVER } from '../kernel/machine.ts';
import { Deadlines, type Timed } from './deadlines.ts';

class Item implements Timed {
  planned: Timed['planned'];
  at = NEVER;
  readonly name: number;
  readonly heard: string[];

  constructor(name: number, heard: string[]) {
    this.name = name;
    this.heard = heard;
  }

  due(): number {
    return this.at;
  }

  tick(now: number): void {
    this.heard.push(`${this.name} at ${now}`);
    this.at = NEVER;
  }
}

/** What a step does: sets the deadline of an item so far ahead (or takes it away), or lets time pass. */
const step = fc.oneof(
  fc.record({ item: fc.nat(9), ahead: fc.oneof(fc.nat(200), fc.nat(40_000), fc.constant(NEVER)) }),
  fc.record({ pass: fc.oneof(fc.nat(60), fc.nat(50_000)) }),
);

describe('deadlines', () => {
  it('are met in order, each once, and the next one is always known', () => {
    void fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const heard: string[] = [];
        const items = Array.from({ length: 10 }, (_none, i) => new Item(i, heard));
        const deadlines = new Deadlines();
        let now = 1000.5;
        for (const one of steps) {
          if ('item' in one) {
            const item = items[one.item]!;
            item.at = now + one.ahead + 1;
            deadlines.plan(item);
          } else {
            now += one.pass;
            const due = items.filter((item) => item.at <= now).map((item) => `${item.name} at ${now}`);
            heard.length = 0;
            deadlines.run(now, []);
            expect([...heard].sort()).toEqual(due.sort());
          }
          expect(deadlines.next()).toBe(Math.min(...items.map((item) => item.at)));
        }
      }),
      { seed },
    );
  });

  it('of one moment come in the order of their entering', () => {
    const heard: string[] = [];
    const deadlines = new Deadlines();
    const at = (name: number, deadline: number) => {
      const item = new Item(name, heard);
      item.at = deadline;
      deadlines.plan(item);
    };
    at(1, 110);
    at(2, 105);
    at(3, 110);
    at(4, 700);
    deadlines.run(200, []);
    expect(heard).toEqual(['2 at 200', '1 at 200', '3 at 200']);
    expect(deadlines.next()).toBe(700);
  });

  it('of one slot are met though others of it are let go', () => {
    void fc.assert(
      fc.property(fc.array(fc.nat(15), { minLength: 12, maxLength: 12 }), fc.array(fc.nat(11)), (ats, gone) => {
        const heard: string[] = [];
        const deadlines = new Deadlines();
        const items = ats.map((at, i) => {
          const item = new Item(i, heard);
          item.at = 1000 + at;
          deadlines.plan(item);
          return item;
        });
        for (const i of gone) {
          const item = items[i]!;
          item.at = NEVER;
          deadlines.plan(item);
        }
        const left = items.filter((item) => item.at !== NEVER);
        expect(deadlines.size).toBe(left.length);
        const due = left.toSorted((a, b) => a.at - b.at || a.name - b.name).map(({ name }) => `${name} at 2000`);
        deadlines.run(2000, []);
        expect(heard).toEqual(due);
        expect(deadlines.size).toBe(0);
      }),
      { seed },
    );
  });

  it('that are let go leave nothing behind', () => {
    const deadlines = new Deadlines();
    for (let i = 0; i < 100_000; i++) {
      const item = new Item(i, []);
      item.at = 600_000 + i;
      deadlines.plan(item);
      item.at = NEVER;
      deadlines.plan(item);
    }
    expect(deadlines.next()).toBe(NEVER);
    expect(deadlines.size).toBeLessThan(10_000);
  });
});
