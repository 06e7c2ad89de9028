/** Two sources, one order: nothing is skipped or given twice, whatever grows in between. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import { cloudEventText, sessionData, wantsType } from './cloud-event.ts';
import { eventRow } from './event-log.ts';
import { type EventCursor, newestCursor, ROWS_AT_ONCE, readCursor, readEvents, writeCursor } from './event-reader.ts';
import { openLocalStore } from './local.ts';
import { sql } from './store.ts';

const START: EventCursor = { journal: 0, log: 0 };

/** A store, and how facts come into it. */
function source() {
  const virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  let position = 0;
  const log = (subject: string, home = 'home_1') =>
    store.commit([eventRow(world, { type: 'home.thing.v1.happened', home, subject, data: {} })]);
  const journal = (session: string, seq: number, at: number) =>
    store.commit([
      sql(
        "INSERT INTO journal (session, seq, position, at, type, data) VALUES (?, ?, ?, ?, 'ringing', '{}')",
        session,
        seq,
        ++position,
        at,
      ),
      sql('INSERT INTO session_home (home, session) VALUES (?, ?) ON CONFLICT DO NOTHING', 'home_1', session),
    ]);
  return { virtual, world, store, log, journal };
}

describe('reading', () => {
  test('gives every fact of both sources once, each source in its order, in whatever portions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -1, max: 50 }), { maxLength: 60 }), async (steps) => {
        const { virtual, world, store, log, journal } = source();
        const got: string[] = [];
        const sent: string[] = [];
        let cursor = START;
        let seq = 0;
        for (const step of steps) {
          if (step < 0) {
            const page = await readEvents(store, cursor, { homes: 'all' });
            got.push(...page.items.map(({ fact }) => fact.subject));
            expect(readCursor(writeCursor(page.cursor))).toEqual(page.cursor);
            cursor = page.items.at(-1)?.cursor ?? page.cursor;
          } else if (step % 2 === 0) {
            await log(`thing_${step}_${sent.length}`);
            sent.push(`thing_${step}_${sent.length}`);
          } else {
            // The clocks of both need not agree.
            await journal(`ses_${step}`, ++seq, world.clock.wall() + step * 100 - 2500);
            sent.push(`ses_${step}`);
          }
        }
        const rest = await readEvents(store, cursor, { homes: 'all' });
        got.push(...rest.items.map(({ fact }) => fact.subject));
        for (const kind of ['thing', 'ses'])
          expect(got.filter((one) => one.startsWith(kind))).toEqual(sent.filter((one) => one.startsWith(kind)));
        expect(rest.cursor).toEqual(await newestCursor(store));
        virtual[Symbol.dispose]();
      }),
      { numRuns: 40 },
    );
  });

  test('a full page of one source does not let the other run ahead in time', async () => {
    const { virtual, world, store, log, journal } = source();
    for (let n = 0; n < ROWS_AT_ONCE + 10; n++) await journal('ses_1', n + 1, world.clock.wall() + n);
    await virtual.run(ROWS_AT_ONCE + 5);
    await log('late');
    const first = await readEvents(store, START, { homes: ['home_1'] });
    expect([first.more, first.items.length, first.items.some(({ fact }) => fact.subject === 'late')]).toEqual([
      true,
      ROWS_AT_ONCE,
      false,
    ]);
    const second = await readEvents(store, first.cursor, { homes: ['home_1'] });
    expect(second.items.map(({ fact }) => fact.subject).indexOf('late')).toBe(5);
    virtual[Symbol.dispose]();
  });

  test('is confined to homes, types and a session', async () => {
    const { virtual, store, log, journal } = source();
    await log('a');
    await log('b', 'home_2');
    await journal('ses_1', 1, 0);
    const subjects = async (filter: Parameters<typeof readEvents>[2]) =>
      (await readEvents(store, START, filter)).items.map(({ fact }) => fact.subject).sort();
    expect(await subjects({ homes: 'all' })).toEqual(['a', 'b', 'ses_1']);
    expect(await subjects({ homes: [] })).toEqual([]);
    expect(await subjects({ homes: ['home_2'] })).toEqual(['b']);
    expect(await subjects({ homes: ['home_1'], types: ['home.session.*'] })).toEqual(['ses_1']);
    expect(await subjects({ homes: 'all', session: 'ses_1' })).toEqual(['ses_1']);
    virtual[Symbol.dispose]();
  });
});

test.each(['', '1', '1-', '-1', '1-1-1', 'A-1', '1.5-1', `${'1'.repeat(11)}-1`])('%s is no cursor', (text) =>
  expect(readCursor(text)).toBeUndefined(),
);

test.each([
  [undefined, true],
  [[], true],
  [['home.thing.v1.happened'], true],
  [['home.thing.*'], true],
  [['*'], true],
  [['home.thing'], false],
  [['home.other.*', 'x'], false],
] as const)('types %o want an event: %s', (types, wants) =>
  expect(wantsType(types, 'home.thing.v1.happened')).toBe(wants),
);

describe('facts as CloudEvents', () => {
  test('a session’s names no home, and tells nothing that only servers need', () => {
    const data = sessionData({
      leg: 'leg_1',
      cause: 'hangup',
      data: {
        homes: ['home_1'],
        request: { secret: 1 },
        legs: [{ id: 'leg_1', kind: 'voice', role: 'caller', home: 'home_1', payer: 'home_1', why: 'x' }],
        carried: {},
        callId: 'a@b',
      },
    });
    expect(data).toEqual({
      leg: 'leg_1',
      cause: 'hangup',
      callId: 'a@b',
      legs: [{ id: 'leg_1', kind: 'voice', role: 'caller' }],
    });
    const fact = {
      id: 'ses_1.2',
      type: 'home.session.v1.ended',
      homes: ['home_1'],
      session: 'ses_1',
      seq: 2,
      subject: 'leg_1',
      at: 0,
      data,
    };
    expect(JSON.parse(cloudEventText(fact))).toEqual({
      specversion: '1.0',
      id: 'ses_1.2',
      source: '/v1',
      type: 'home.session.v1.ended',
      subject: 'leg_1',
      time: '1970-01-01T00:00:00.000Z',
      datacontenttype: 'application/json',
      session: 'ses_1',
      sequence: '2',
      data,
    });
  });
});
