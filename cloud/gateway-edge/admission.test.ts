import { describe, expect, test } from 'vitest';
import {
  Admission,
  APPLICANTS_BURST,
  APPLICANTS_LIMIT,
  APPLICANTS_PER_SECOND,
  APPLICANTS_PER_SOURCE,
  CONNECTIONS_LIMIT,
} from './admission.ts';

/** Lets applicants of one source in as fast as the rate allows; the monotonic time afterwards. */
function fill(admission: Admission, source: string, count: number): number {
  let now = 0;
  for (let i = 0; i < count; i++) {
    now += 1000 / APPLICANTS_PER_SECOND;
    expect(admission.enter('applicant', source, now)).toBeUndefined();
  }
  return now;
}

describe('applicants', () => {
  test('come in a burst, then at a rate', () => {
    const admission = new Admission();
    for (let i = 0; i < APPLICANTS_BURST; i++) expect(admission.enter('applicant', 'a', 0)).toBeUndefined();
    expect(admission.enter('applicant', 'a', 0)).toMatch(/too fast/);
    expect(admission.enter('applicant', 'b', 0)).toBeUndefined();
    expect(admission.enter('applicant', 'a', 1000 / APPLICANTS_PER_SECOND)).toBeUndefined();
    expect(admission.enter('applicant', 'a', 1000 / APPLICANTS_PER_SECOND)).toMatch(/too fast/);
  });

  test('of one source are at most 200; one that leaves makes room for one', () => {
    const admission = new Admission();
    const now = fill(admission, 'a', APPLICANTS_PER_SOURCE) + 10_000;
    expect(admission.enter('applicant', 'a', now)).toMatch(/from this address/);
    admission.leave('applicant', 'a', now);
    expect(admission.enter('applicant', 'a', now)).toBeUndefined();
    expect(admission.enter('applicant', 'a', now)).toMatch(/from this address/);
  });

  test('of all sources together are bounded; gateways come in all the same', () => {
    const admission = new Admission();
    for (let i = 0; i < APPLICANTS_LIMIT; i++) expect(admission.enter('applicant', `s${i}`, 0)).toBeUndefined();
    expect(admission.enter('applicant', 'new', 0)).toMatch(/too many unpaired/);
    expect(admission.enter('gateway', 'new', 0)).toBeUndefined();
  });

  test('that leave fast get no fresh burst by it', () => {
    const admission = new Admission();
    for (let i = 0; i < APPLICANTS_BURST; i++) admission.enter('applicant', 'a', 5000);
    for (let i = 0; i < APPLICANTS_BURST; i++) admission.leave('applicant', 'a', 5000);
    expect(admission.open).toBe(0);
    expect(admission.enter('applicant', 'a', 5000)).toMatch(/too fast/);
  });
});

test('gateways have no bound by source, the edge has one for all', () => {
  const admission = new Admission();
  for (let i = 0; i < CONNECTIONS_LIMIT; i++) expect(admission.enter('gateway', 'nat', 0)).toBeUndefined();
  expect(admission.enter('gateway', 'other', 0)).toBe('the edge is full');
  admission.leave('gateway', 'nat', 0);
  expect(admission.enter('gateway', 'other', 0)).toBeUndefined();
});
