/** What `hearthline sim run` refuses before anything runs. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { simRun } from './command.ts';

async function refused(words: string, values: Record<string, string>): Promise<string> {
  const said: string[] = [];
  const io = { out: (text: string) => void said.push(text), error: (text: string) => void said.push(text) };
  const given = { seed: '1', runs: '1', virtual: 'true', ...values };
  expect(await simRun({ words: words.split(' ').filter((word) => word !== ''), values: given }, io)).toBe(3);
  return said.join('\n');
}

it.each<[string, Record<string, string>, string]>([
  ['', {}, 'which scenario?'],
  ['nope', {}, 'there is no scenario "nope"'],
  ['lan-churn', { virtual: 'false' }, 'with --virtual only'],
  ['call', { homes: '1' }, 'at least 2 homes'],
  ['call', { homes: '5001' }, '--homes 5001: is from 0 to 5000'],
  ['fleet', { light: '100001' }, '--light 100001: is from 0 to 100000'],
  ['call', { runs: '0' }, '--runs 0: is from 1 to 10000'],
  ['call', { runs: '10001' }, '--runs 10001: is from 1 to 10000'],
  ['call', { faults: 'nope@1s' }, 'there is no fault "nope"'],
  ['call', { faults: 'loss=0.1:0@1s' }, 'homes count from 1'],
  ['call', { faults: 'loss=2@1s' }, 'between 0 and 1'],
  ['call', { faults: 'power-cut=3@1s' }, 'takes no value'],
  ['call', { 'max-p99': 'nope=3' }, 'is no gate'],
])('%s %o', async (words, values, reason) => {
  expect(await refused(words, values)).toContain(reason);
});

it('a report that cannot be written is known before the run, and an old one is not taken for a new one', async () => {
  const io = { out: () => {}, error: () => {} };
  const values = { seed: '1', runs: '1', virtual: 'true' };
  const started = (more: object) => simRun({ words: ['call'], values: { ...values, ...more } }, io);
  await expect(started({ junit: '/nowhere/sim.xml' })).rejects.toThrow('ENOENT');
  await expect(started({ lines: '/nowhere/sim.jsonl' })).rejects.toThrow('ENOENT');
  const file = join(mkdtempSync(join(tmpdir(), 'sim-')), 'sim.xml');
  await expect(started({ junit: file, lines: '/nowhere/sim.jsonl' })).rejects.toThrow();
  expect(() => readFileSync(file)).toThrow();
});
