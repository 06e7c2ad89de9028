import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { lastCall, type Run, type Scenario } from '../scenario.ts';
import { expectHears, pairHomes, pairsOf, recordsAre, registerPhones, toneOf } from './steps.ts';

const legsUp = (run: Run, session: string, count: number) =>
  run.until(
    async () => (await run.api('session.get', { session })).legs.filter((leg) => leg.state === 'up').length === count,
    20_000,
    `${count} legs to be up`,
  );

export const conference: Scenario = {
  name: 'conference',
  about:
    'Two homes are in a conference with music: a conference and a media channel for each, one of which is taken away again',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 2 },
  steps: (run) => {
    let sessions: VerbReply<'conference.create'>[] = [];
    return [
      pairHomes(run),
      registerPhones(run),
      {
        name: 'each pair of homes gets a conference with media: four channels',
        run: async () => {
          sessions = await run.each(pairsOf(run.homes), 4, async ([a, b]) => {
            const made = await run.api('conference.create', {
              participants: [run.number(a), run.number(b)],
              media: 'rain',
            });
            await run.timed('call-setup', () => legsUp(run, made.id, 4));
            return made;
          });
        },
      },
      {
        name: 'the music of one home is taken away; the conference goes on',
        run: async () => {
          await run.each(sessions, 4, async ({ id }, i) => {
            const { legs } = await run.api('session.get', { session: id });
            const media = legs.find((leg) => leg.kind === 'media' && leg.home === run.home(2 * i).id);
            run.expect(media !== undefined, 'the first home to have a media channel');
            await run.api('leg.remove', { session: id, leg: media?.id ?? '' });
          });
          await run.pass(3_000);
          for (const i of sessions.keys()) {
            const home = run.home(2 * i);
            expectHears(run, home.name, lastCall(run.phone(home)).heard(), toneOf(2 * i + 1), toneOf(2 * i));
          }
        },
      },
      {
        name: 'the conferences end, and every phone hears of it',
        run: async () => {
          await run.each(sessions, 4, ({ id }) => run.api('session.end', { session: id }));
          const phones = pairsOf(run.homes)
            .flat()
            .map((home) => run.phone(home));
          await run.until(
            () => phones.every((phone) => lastCall(phone).state === 'ended'),
            10_000,
            'the phones to be free',
          );
        },
      },
      recordsAre(run, () => sessions.length, 4),
    ];
  },
};
