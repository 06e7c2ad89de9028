import { describe, expect, test } from 'vitest';
import { faults } from '#shared/protocol/fault.ts';
import { faultFacts, faultPage } from './error-page.ts';

describe('the page of a fault', () => {
  test.each(Object.keys(faults))('%s has cause, cure and example', (code) => {
    const facts = faultFacts(code);
    if (facts === undefined) throw new Error(code);
    const page = faultPage(facts);
    for (const part of ['Cause', 'Cure', 'Where', 'Example', code, String(facts.http)]) expect(page).toContain(part);
    expect(page).not.toMatch(/<script|undefined/);
    expect(facts.example).toMatchObject({ type: `/errors/${code}`, status: facts.http });
  });

  test('there is none for other words', () => {
    for (const word of ['', 'nothing', '__proto__', 'constructor']) expect(faultFacts(word)).toBeUndefined();
  });

  test('names the operations that may answer it, unless all may', () => {
    expect(faultFacts('number_taken')?.verbs).toEqual(['line.create']);
    expect(faultFacts('internal')?.verbs).toEqual([]);
  });
});
