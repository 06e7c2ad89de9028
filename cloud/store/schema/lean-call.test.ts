import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWriter } from '../adapter-sqlite.ts';
import { migrations } from '../migrations.ts';
import { type Statement, sql } from '../store.ts';
import { leanCallSchema } from './lean-call.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const cdr = (id: string, leg: string, end: number): Statement =>
  sql(
    'INSERT INTO cdr (id, session, leg, home, payer, party_from, party_to, start_at, answer_at, end_at, seconds, reason, price, verstat) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[id, 'ses_1', leg, 'home_1', null, '+1', '+2', 1, 2, end, 3, 'hangup', 4, 'TN-Validation-Passed'],
  );

test('keeps records, homes of sessions and snapshots that were written before', () => {
  const path = join(folder, 'data.db');
  const before = openWriter(path, migrations.slice(0, migrations.indexOf(leanCallSchema)));
  const channel = 'INSERT INTO channel (session, leg, call, body) VALUES (?, ?, ?, ?)';
  before.group([
    [
      cdr('cdr_b', 'leg_2', 9),
      cdr('cdr_a', 'leg_1', 8),
      sql("INSERT INTO session_home (home, session) VALUES ('home_1', 'ses_1')"),
      sql(channel, 'ses_1', 'leg_1', 'chn_1', '{"line":{"id":"line_1","ha1_md5":"x"},"call":{}}'),
      sql(channel, 'ses_1', 'leg_2', 'chn_1', '{"call":{}}'),
    ],
  ]);
  before.close();
  const after = openWriter(path);
  expect(after.all('SELECT * FROM cdr ORDER BY leg', [])).toMatchObject([
    { id: 'cdr_a', leg: 'leg_1', end_at: 8, price: 4, verstat: 'TN-Validation-Passed' },
    { id: 'cdr_b', leg: 'leg_2', end_at: 9 },
  ]);
  expect(after.all('SELECT * FROM session_home', [])).toEqual([{ home: 'home_1', session: 'ses_1' }]);
  expect(after.all('SELECT body FROM channel', [])).toEqual([{ body: '{"call":{},"sides":[{"line":"line_1"},{}]}' }]);
  expect(after.group([[cdr('cdr_c', 'leg_1', 9)]])).toEqual([{ ok: false, why: 'unique', statement: 0 }]);
  after.close();
});
