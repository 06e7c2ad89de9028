import { afterEach, describe, expect, it } from 'vitest';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { createFarm, type Farm } from '#test/support/session-farm.ts';
import { KNOWN_LIMIT, Known } from './known.ts';

it('reads once, until it is told to forget; what is not there is read each time', async () => {
  const known = new Known<string>();
  let reads = 0;
  const read = (value: string | undefined) => async () => {
    reads++;
    return value;
  };
  for (const value of ['a', 'b']) expect(await known.get('x', read(value))).toBe('a');
  expect(reads).toBe(1);
  for (let i = 0; i < 2; i++) expect(await known.get('y', read(undefined))).toBeUndefined();
  expect(reads).toBe(3);
  known.forget();
  expect(await known.get('x', read('b'))).toBe('b');
});

it('keeps nothing that was read while something changed', async () => {
  const known = new Known<string>();
  const old = known.get('x', async () => {
    known.forget();
    return 'old';
  });
  expect(await old).toBe('old');
  expect(await known.get('x', async () => 'new')).toBe('new');
});

it('keeps so many; one more sends the oldest away', async () => {
  const known = new Known<number>();
  for (let i = 0; i <= KNOWN_LIMIT; i++) await known.get(String(i), async () => i);
  expect(await known.get('1', async () => -1)).toBe(1);
  expect(await known.get('0', async () => -1)).toBe(-1);
});

describe('a look into the store that fails', () => {
  let farm: Farm;
  afterEach(() => farm.end());
  /** The next look at this table fails. */
  function failOnce(table: string): void {
    const { all } = farm.store;
    const one: typeof farm.store.one = async (text, params) => (await farm.store.all(text, params))[0] as never;
    const once: typeof all = (text, params) => {
      if (!text.includes(table)) return all(text, params);
      Object.assign(farm.store, { all });
      return Promise.reject(new Error('the disk is slow'));
    };
    Object.assign(farm.store, { all: once, one });
  }
  const route = { call: 'chn_1', callId: 'a@b', line: 'line_11', at: 0, direct: false };

  it.each([
    ['FROM line_feature', '+15550100021'],
    ['FROM trunk', '+442071838750'],
    ["name = 'enum'", '+442071838750'],
  ])('%s is done again for the next call', async (table, to) => {
    farm = await createFarm([billing, qos]);
    const usual = await farm.ask('session.route', { ...route, to });
    await farm.end();
    farm = await createFarm([billing, qos]);
    failOnce(table);
    expect(await farm.ask('session.route', { ...route, to })).toMatchObject({ fault: { code: 'internal' } });
    const next = await farm.ask('session.route', { ...route, to });
    expect(next.ok ? next.value.do : next.fault.code).toBe(usual.ok ? usual.value.do : usual.fault.code);
  });
});
