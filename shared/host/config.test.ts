/** Flags, environment and file: what is taken, and what is refused with a word on what to do. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { helpText, type Options, readConfig } from './config.ts';

const options = {
  name: { kind: 'text', about: 'the name', required: true },
  json: { kind: 'flag', about: 'as JSON' },
  count: { kind: 'number', about: 'how many' },
  at: { kind: 'address', about: 'where' },
  media: { kind: 'ports', about: 'RTP ports' },
  domain: { kind: 'host', about: 'domain' },
  log: { kind: 'text', about: 'how much', choices: ['debug', 'info', 'warn'], fallback: 'warn' },
  state: { kind: 'text', about: 'a filter', environment: false },
} as const satisfies Options;

const read = (line: string, environment: Record<string, string> = {}) =>
  readConfig(line.split(' '), options, { HEARTHLINE_NAME: 'n', ...environment });

describe('a command line', () => {
  it.each([
    ['--name a b --json c', { name: 'a', json: 'true' }, ['b', 'c']],
    ['--name=--json', { name: '--json' }, []],
    ['--name -----BEGIN', { name: '-----BEGIN' }, []],
    ['--name -1 -5', { name: '-1' }, ['-5']],
    ['--json=false', { name: 'n', json: 'false' }, []],
    ['--domain sip.example --at [::1]:5', { domain: 'sip.example', at: '[::1]:5' }, []],
    ['--domain 2001:db8::1', { domain: '2001:db8::1' }, []],
  ])('%s', (line, values, words) => {
    expect(read(line)).toEqual({ ok: true, value: { values: { name: 'n', log: 'warn', ...values }, words } });
  });

  it.each([
    ['--nope', '--nope is no option'],
    ['-j', '-j is no option'],
    ['--__proto__ x', '--__proto__ is no option'],
    ['--name', '--name needs a value: the name'],
    ['--name --json', 'written --name=--json'],
    ['--name --json=true', 'written --name=--json=true'],
    ['--json=maybe', 'is true or false'],
    ['--count x', 'not a whole number'],
    ['--count -1', 'not a whole number'],
    ['--at 127.0.0.1', 'not HOST:PORT'],
    ['--at 127.0.0.1:65536', 'not HOST:PORT'],
    ['--media 127.0.0.1:3000', 'not HOST:LOW-HIGH'],
    ['--media 127.0.0.1:80-90', 'not HOST:LOW-HIGH'],
    ['--domain a/b', 'not a host name'],
    ['--domain -a', 'not a host name'],
    ['--log loud', 'is debug, info or warn'],
  ])('%s is refused', (line, words) => {
    expect(read(line)).toEqual({ ok: false, fault: expect.stringContaining(words) });
  });

  it('any words are settings or one line of what is wrong', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 12 }), { maxLength: 6 }), (argv) => {
        const found = readConfig(argv, options, {});
        if (!found.ok) expect(found.fault).not.toBe('');
        else expect(found.value.words.length).toBeLessThanOrEqual(argv.length);
      }),
    );
  });
});

describe('the environment', () => {
  it('gives way to flags, and is judged as they are', () => {
    expect(read('--count 2', { HEARTHLINE_COUNT: '1' })).toMatchObject({ value: { values: { count: '2' } } });
    expect(read('--json', { HEARTHLINE_COUNT: 'x' })).toMatchObject({ fault: expect.stringContaining('--count x') });
  });

  it('is not asked for what means something else there', () => {
    const found = read('--json', { HEARTHLINE_STATE: '/var/lib' });
    expect(found.ok && found.value.values.state).toBeUndefined();
  });
});

it('a file gives way to both, and its unknown names are errors', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'config-')), 'c.json');
  writeFileSync(file, '{"count": 3, "domain": "a.example"}');
  expect(read(`--config ${file}`, { HEARTHLINE_COUNT: '1' })).toMatchObject({
    value: { values: { count: '1', domain: 'a.example' } },
  });
  for (const [text, words] of [
    ['{"cuont": 3}', '"cuont" is no setting'],
    ['[]', 'not a JSON object'],
    ['{', file],
  ] as const) {
    writeFileSync(file, text);
    expect(read(`--config ${file}`)).toMatchObject({ fault: expect.stringContaining(words) });
  }
});

it('help names every option, its default and whether it must be there', () => {
  const text = helpText('x [options]', 'Does x.', options);
  expect(text).toContain('--name VALUE');
  expect(text).toMatch(/the name \(required\)/);
  expect(text).toMatch(/how much \(default warn\)/);
});
