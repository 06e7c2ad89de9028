import { describe, expect, test } from 'vitest';
import { jsonLog } from './log.ts';

function written(fields: Readonly<Record<string, string>>): string {
  const lines: string[] = [];
  jsonLog(
    (line) => lines.push(line),
    'debug',
    () => 0,
  ).warn('edge.credentials-refused', fields);
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}

describe('what strangers can put into the log', () => {
  test.each([
    ['a line end', 'a\r\n{"level":"info","event":"all.well"}'],
    ['line ends of Unicode', 'a\u2028b\u2029c\u0085d'],
    ['what a terminal obeys', '\u001b[2J\u009b2J\u0007\u007f\u0000'],
    ['quotes', '","event":"all.well","x":"'],
  ])('%s forges nothing', (_what, text) => {
    const line = written({ username: text });
    const codes = [...line].map((c) => c.charCodeAt(0));
    expect(codes.filter((c) => c < 32 || (c > 126 && c < 160) || c === 0x2028 || c === 0x2029)).toEqual([]);
    const read = JSON.parse(line) as Record<string, unknown>;
    expect([read.event, read.level, read.username]).toEqual(['edge.credentials-refused', 'warn', text]);
  });

  test('is never more than a field: it cannot be the time, the level or the event', () => {
    const read = JSON.parse(written({ time: 'x', level: 'x', event: 'x' })) as Record<string, unknown>;
    expect([read.time, read.level, read.event]).toEqual([
      '1970-01-01T00:00:00.000Z',
      'warn',
      'edge.credentials-refused',
    ]);
  });

  test('less than the level that is wanted is not written', () => {
    const lines: string[] = [];
    const log = jsonLog(
      (line) => lines.push(line),
      'warn',
      () => 0,
    );
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log.child({ part: 'sip' })[level]('x');
    expect(lines.map((line) => (JSON.parse(line) as { level: string; part: string }).level)).toEqual(['warn', 'error']);
  });
});
