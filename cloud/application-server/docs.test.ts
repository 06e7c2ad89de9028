import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { apiPage, faultsOf, openApiDocument } from './docs.ts';

test('docs/api/README.md is what the verb table says (write it with `hearthline docs`)', () => {
  expect(readFileSync(new URL('../../docs/api/README.md', import.meta.url), 'utf8')).toBe(apiPage());
});

test('the document has every verb once, tagged by family, and its references resolve', () => {
  const text = JSON.stringify(openApiDocument());
  const { paths } = JSON.parse(text) as {
    paths: Record<string, Record<string, { operationId: string; tags: string[] }>>;
  };
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const names = (Object.keys(verbs) as VerbName[]).filter((name) => verbEntry(name)?.http !== undefined);
  expect(operations.map((one) => one.operationId).sort()).toEqual([...names].sort());
  for (const one of operations) expect(one.tags).toEqual([verbEntry(one.operationId)?.family]);
  expect([...text.matchAll(/"\$ref":"([^"]+)"/g)].every(([, ref]) => ref === '#/components/schemas/Problem')).toBe(
    true,
  );
});

test('every fault that a verb names is among its responses, by status', () => {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, { responses: object }>> };
  for (const name of Object.keys(verbs)) {
    const entry = verbEntry(name);
    if (entry?.http === undefined) continue;
    const responses = paths[entry.http.path]?.[entry.http.method.toLowerCase()]?.responses ?? {};
    for (const code of faultsOf(entry) as FaultCode[])
      expect(Object.keys(responses)).toContain(String(faults[code].http));
  }
});
