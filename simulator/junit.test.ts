import { describe, expect, it } from 'vitest';
import { junit } from './junit.ts';
import type { Report } from './run.ts';

const report: Report = {
  scenario: 'call',
  world: 'virtual',
  homes: 2,
  light: 0,
  seed: 7,
  state: 'failed',
  steps: [
    { name: 'first', state: 'passed', ms: 1234 },
    { name: 'a <b> & "c"', state: 'failed', ms: 5, failure: 'expected 1 < 2 & "so" on\u0000\u0007\nline two \ud800' },
    { name: 'last', state: 'skipped', ms: 0 },
  ],
  warnings: ['mind the <gap>'],
  measures: { 'call-setup': { count: 1, p50: 20, p90: 20, p99: 20, max: 20 } },
  ms: 2000,
  realMs: 1500,
  hash: 'abc',
  replay: 'hearthline sim run call --seed 7 --virtual --homes 2',
};

/** A reader of XML that takes nothing but what it knows: elements, attributes, text; throws on anything else. */
function read(xml: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: string[] = [];
  let rest = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  while (rest.trim() !== '') {
    const tag = /^([^<>]*)<(\/?)([a-z-]+)((?: [a-z]+="[^"<>]*")*)(\/?)>/.exec(rest);
    if (tag === null) throw new Error(`not XML: ${rest.slice(0, 80)}`);
    const [whole, text = '', closing, name = '', attributes = '', empty] = tag;
    if (/&(?!(?:amp|lt|gt|quot|#10);)/.test(whole)) throw new Error(`an entity that XML does not know: ${whole}`);
    const inside = found.at(-1);
    if (text.trim() !== '' && inside !== undefined) inside.text += text;
    if (closing === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes another`);
    } else {
      const pairs = [...attributes.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]);
      found.push({ name, attributes: Object.fromEntries(pairs) as Record<string, string>, text: '' });
      if (empty !== '/') open.push(name);
    }
    rest = rest.slice(whole.length);
  }
  if (open.length > 0) throw new Error(`<${open.at(-1)}> is not closed`);
  return found;
}

describe('junit', () => {
  const xml = junit(
    [report, { ...report, state: 'passed', steps: report.steps.slice(0, 1), warnings: [] }],
    1_767_225_600_000,
  );
  const elements = read(xml);

  it('is well-formed, and says what passed, failed and was not reached', () => {
    expect(elements[0]).toMatchObject({
      name: 'testsuites',
      attributes: { tests: '4', failures: '1', skipped: '1', errors: '0', time: '3.000' },
    });
    expect(elements.filter(({ name }) => name === 'testsuite').map(({ attributes }) => attributes)).toMatchObject([
      { name: 'call (virtual, seed 7)', tests: '3', failures: '1', skipped: '1', timestamp: '2026-01-01T00:00:00' },
      { tests: '1', failures: '0', skipped: '0' },
    ]);
    expect(elements.filter(({ name }) => name === 'testcase').map(({ attributes }) => attributes.time)).toEqual([
      '1.234',
      '0.005',
      '0.000',
      '1.234',
    ]);
  });

  it('carries the failure and the command that replays it, and no character that XML forbids', () => {
    const failure = elements.find(({ name }) => name === 'failure');
    expect(failure?.attributes.message).toBe('expected 1 &lt; 2 &amp; &quot;so&quot; on&#10;line two \ufffd');
    expect(failure?.text).toContain('replay: hearthline sim run call --seed 7 --virtual --homes 2');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 forbids
    expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/);
  });

  it('has seed, world, hash and percentiles as properties', () => {
    const properties = elements.filter(({ name }) => name === 'property').map(({ attributes }) => attributes);
    expect(properties).toEqual(
      expect.arrayContaining([
        { name: 'seed', value: '7' },
        { name: 'hash', value: 'abc' },
        { name: 'call-setup.p99', value: '20.0' },
      ]),
    );
  });
});
