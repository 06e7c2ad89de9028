/** The list of events is what the cloud says, and what the page of events tells. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { EventType } from '#cloud/session-manager/events.ts';
import { eventTypes } from '#shared/protocol/event-types.ts';

const root = `${import.meta.dirname}/../..`;
/** Of a session's journal; the compiler sees that none is missing, and none too many. */
const journal: Readonly<Record<EventType, true>> = {
  ...{ created: true, added: true, reserved: true, instructed: true, opened: true, ringing: true, answered: true },
  ...{ taken: true, flagged: true, commanded: true, 'command-started': true, prompted: true, 'command-ended': true },
  ...{ digit: true, noted: true, 'leg-ended': true, ending: true, ended: true },
};

test('all that a journal says are types', () => {
  const of = eventTypes.filter((type) => type.startsWith('home.session.'));
  expect(of.toSorted()).toEqual(
    Object.keys(journal)
      .map((type) => `home.session.v1.${type}`)
      .toSorted(),
  );
});

test('all that the cloud writes down are types, and the page of events names just these', () => {
  const files = readdirSync(`${root}/cloud`, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => /(?<!\.test)\.ts$/.test(file) && !file.includes('portal'));
  const named = sources.flatMap((file) => [
    ...readFileSync(`${root}/cloud/${file}`, 'utf8').matchAll(/['`]home\.([a-z]+)\.v1\.([a-z-]+|\$)/g),
  ]);
  expect(named.length).toBeGreaterThan(20);
  for (const [, resource, what = ''] of named) {
    const type = `home.${resource}.v1.${what === '$' ? '' : what}`;
    expect(eventTypes.filter((one) => (what === '$' ? one.startsWith(type) : one === type))).not.toEqual([]);
  }
  const rows = readFileSync(`${root}/docs/api/events.md`, 'utf8').matchAll(/^\| (`[a-z]+\.v1\..*?) \|/gm);
  const paged = [...rows].flatMap(([, cell = '']) => {
    const [first = '', ...others] = [...cell.matchAll(/`([a-z.-]*[0-9]*\.?[a-z0-9.-]+)`/g)].map(
      ([, text = '']) => text,
    );
    const stem = first.slice(0, first.lastIndexOf('.'));
    return [first, ...others.map((one) => (one.startsWith('.') ? `${stem}${one}` : one))].map((one) => `home.${one}`);
  });
  expect(paged.toSorted()).toEqual([...eventTypes].toSorted());
});
