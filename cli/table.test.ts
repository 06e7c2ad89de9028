import { describe, expect, it } from 'vitest';
import { table } from './table.ts';

const session = 'ses_06ajh4x0m4y1q8w2e7r5t9u3i6';
const cdr = (n: number) => ({
  id: `cdr_${'0'.repeat(26)}`,
  session,
  leg: `leg_06ajh4x0m4y1q8w2e7r5t9u3i${n}`,
  home: 'home_06ajh4x0m4y1q8w2e7r5t9u3i6',
  from: '+15550100001',
  to: 'media:morning-birds',
  start: 1_700_000_000_000,
  end: 1_700_000_003_000,
  seconds: 3,
  reason: 'hangup',
  price: 0,
});
const first = ['start', 'from', 'to', 'seconds', 'reason', 'price', 'session'];

describe('a list', () => {
  it('fits 120 characters, the columns asked for first, and says what it leaves out', () => {
    const lines = table({ items: [cdr(1), cdr(2)] }, first).split('\n');
    expect(lines[0]?.split(/ +/)).toEqual(first);
    expect(lines[1]).toContain('2023-11-14 22:13:20  +15550100001  media:morning-birds  3');
    expect(lines[1]?.endsWith(session)).toBe(true);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(lines.at(-1)).toBe('(--json shows also: id, leg, home, end)');
  });

  it('leaves nothing out where all fits, keeps names whole and cuts texts', () => {
    const gateway = `gw_${'a'.repeat(52)}`;
    expect(table({ items: [{ id: gateway, text: 'x'.repeat(60) }] })).toBe(
      `${'id'.padEnd(55)}  text\n${gateway}  ${'x'.repeat(39)}…`,
    );
  });

  it('shows one column however wide it is, and an empty list as none', () => {
    expect(table({ items: [{ id: `gw_${'a'.repeat(200)}`, more: 1 }] })).toContain('(--json shows also: more)');
    expect(table({ items: [] })).toBe('(none)');
  });

  it('does not show a column that no item has', () => {
    expect(table({ items: [{ id: 'a' }] }, ['seenAt', 'id'])).toBe('id\na');
  });
});

it('a thing is shown whole, with the things inside it below', () => {
  const shown = table({ id: session, createdAt: 0, legs: [{ id: 'leg_1' }], none: [] });
  expect(shown).toBe(`id         ${session}\ncreatedAt  1970-01-01T00:00:00.000Z\nnone\n\nlegs\n  id  leg_1`);
});
