import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { faults } from '#shared/protocol/fault.ts';
import { fieldRows, fieldWords } from '#shared/protocol/field-words.ts';
import type { VerbEntry } from '#shared/protocol/verb.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';

const table: Readonly<Record<string, VerbEntry>> = verbs;

const fieldsOf = (verb: VerbEntry) => (verb.request as { properties?: Record<string, object> }).properties ?? {};

/** What is incomplete or contradictory in a verb's entry. */
function verbFaults(name: string, verb: VerbEntry): string[] {
  const found: string[] = [];
  const say = (text: string) => found.push(`${name}: ${text}`);
  if (!/^[a-z-]+(\.[a-z-]+)+$/.test(name)) say('the name is not of the form resource.action');
  if (!Compile(verb.request).Check(verb.example)) say('the example is no valid request');
  if (!verb.about.endsWith('.')) say('`about` is no sentence');
  for (const code of verb.faults) if (!Object.hasOwn(faults, code)) say(`unknown fault ${code}`);
  if (verb.http !== undefined) {
    if (verb.scope === undefined && verb.http.open !== true) say('has a route but no scope');
    const fields = Object.keys(fieldsOf(verb));
    for (const [field, schema] of Object.entries(fieldsOf(verb)))
      if (fieldWords(name, field, schema) === undefined) say(`nothing says what the field "${field}" means`);
    for (const [, field] of verb.http.path.matchAll(/\{([^}]+)\}/g))
      if (!fields.includes(field ?? '')) say(`the path names {${field}}, the request has no such field`);
    if (verb.http.method === 'GET' && verb.scope?.endsWith(':write')) say('a GET with a write scope');
    if (verb.http.method !== 'GET' && verb.scope?.endsWith(':read')) say(`a ${verb.http.method} with a read scope`);
  } else if (verb.cli !== undefined) say('has a command but no route');
  return found;
}

describe('the verb table', () => {
  it('is complete', () => {
    expect(Object.entries(table).flatMap(([name, verb]) => verbFaults(name, verb))).toEqual([]);
  });

  it('has no words for a field that needs none', () => {
    const needed = Object.entries(table).flatMap(([name, verb]) =>
      verb.http === undefined ? [] : Object.keys(fieldsOf(verb)).flatMap((field) => [field, `${name}.${field}`]),
    );
    expect(fieldRows.filter((row) => !needed.includes(row))).toEqual([]);
  });

  it('names every route and command once', () => {
    const routes = Object.values(table).flatMap((verb) =>
      verb.http === undefined ? [] : [`${verb.http.method} ${verb.http.path.replace(/\{[^}]+\}/g, '{}')}`],
    );
    const commands = Object.values(table).flatMap((verb) => (verb.cli === undefined ? [] : [verb.cli]));
    expect(new Set(routes).size).toBe(routes.length);
    expect(new Set(commands).size).toBe(commands.length);
  });

  const good = table['line.create'] as VerbEntry;
  const planted: readonly (readonly [string, Partial<VerbEntry>, RegExp])[] = [
    ['a wrong example', { example: { home: 7 } }, /example/],
    ['a field without a word', { request: Type.Object({ ...fieldsOf(good), frob: Type.String() }) }, /"frob" means/],
    ['an unknown fault', { faults: ['nonsense' as never] }, /unknown fault/],
    [
      'a path field that the request lacks',
      { http: { method: 'POST', path: '/v1/homes/{house}/lines', status: 201 } },
      /\{house\}/,
    ],
    [
      'a write that GET does',
      { http: { method: 'GET', path: '/v1/homes/{home}/lines', status: 200 } },
      /a GET with a write scope/,
    ],
  ];
  it.each(planted)('goes red on %s', (_name, change, expected) => {
    expect(verbFaults('line.create', { ...good, ...change }).join()).toMatch(expected);
  });

  it('goes red on a route without a scope', () => {
    const { scope: _, ...open } = good;
    expect(verbFaults('line.create', open).join()).toMatch(/no scope/);
  });
});

describe('the fault table', () => {
  it.each(Object.entries(faults))('%s says what happened and what to do, with possible statuses', (code, entry) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(entry.title).not.toMatch(/\.$/);
    expect(entry.next).toMatch(/\.$/);
    expect(entry.http).toBeGreaterThanOrEqual(400);
    expect(entry.http).toBeLessThan(600);
    expect(entry.sip).toBeGreaterThanOrEqual(400);
    expect(entry.sip).toBeLessThan(700);
  });
});
