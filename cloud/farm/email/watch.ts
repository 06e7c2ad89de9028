/** Looks for what is worth a note: in the journal after hints, gathered for a moment, and everywhere every half minute anyway. */
import { every } from '#shared/kernel/time.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { skipUnheard } from './notes.ts';
import { noticeCalls } from './notices.ts';
import type { Office } from './parts.ts';
import { noticeMessages } from './waiting.ts';

/** Milliseconds between two looks, and after a hint. */
const LOOK_EVERY = 30_000;
const HINT_WAIT = 200;

/** Begins looking; the function that is returned ends it. */
export function watchForNotices(office: Office): () => Promise<void> {
  const { bus, world, store } = office;
  let turn: Promise<void> = Promise.resolve();
  let hinted: Timer | undefined;

  async function write(): Promise<void> {
    if (await skipUnheard(store)) return;
    await noticeCalls(office);
    await noticeMessages(office);
  }
  function look(): void {
    hinted = undefined;
    turn = turn.then(write).catch((error: unknown) => {
      world.log.error('mail.notices-failed', { error: String(error) });
    });
  }
  look();
  const leave = [
    every(world.clock, LOOK_EVERY, look),
    bus.subscribe('session.changed', () => {
      hinted ??= world.clock.at(world.clock.mono() + HINT_WAIT, look);
    }),
  ];
  return async () => {
    for (const stop of leave) stop();
    hinted?.cancel();
    await turn;
  };
}
