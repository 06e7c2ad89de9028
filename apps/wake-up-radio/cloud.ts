/**
 * Wake-up radio: a network application that needs no applet. A phone dials the code and keys in the time; a timer that outlives any
 * restart of the cloud calls that phone then, and plays music that grows louder until somebody presses a key.
 */
import { app, HearthlineFault } from '#sdk/app.ts';

/** What a phone dials to set the time. */
const CODE = '*77';
const MUSIC = 'morning-birds';
/** Factors of the loudness, one after the other, and ms for which each lasts. */
const STEPS = [0.1, 0.35, 1] as const;
const STEP = 8_000;
const SNOOZE = 9 * 60_000;
const DAY = 86_400_000;
/** The place of the weather, until the home has said another. */
const PLACE = 'Aberdeen';

/** A call of ours: to set the time, or to wake somebody. */
interface Call {
  readonly phone: string;
  readonly for: 'setting' | 'waking';
}

const callOf = (session: string | undefined) => app.storage.get<Call>(`call ${session}`);
const keep = (session: string, call: Call) => app.storage.set(`call ${session}`, call);

app.on('start', async () => {
  try {
    await app.api('call-route.create', { home: app.home, match: CODE, application: app.install });
  } catch (error) {
    // The route is there since an earlier start.
    if (!(error instanceof HearthlineFault) || error.code !== 'conflict') throw error;
  }
});

app.on('home.call.v1.incoming', async ({ data }) => {
  const { session, application, from } = data as Record<'session' | 'application' | 'from', string>;
  if (application !== app.install) return;
  await keep(session, { phone: from, for: 'setting' });
  await app.api('call.answer', { session }, { key: `answer-${session}` });
});

app.on('home.session.v1.answered', async ({ session = '', data }) => {
  const [call, { leg }] = [await callOf(session), data as { leg: string }];
  if (call === null) return;
  if (call.for === 'waking') return play(session, 0);
  const prompt = await speech('Please dial the time and the hash key.');
  const digits = { min: 4, max: 4, finish: '#', first: 20, prompt };
  await app.api('call.gather', { session, leg, ...digits }, { key: `time-${session}` });
});

/** The time was keyed in. */
app.on('home.session.v1.command-ended', async ({ session = '', data }) => {
  const [call, { digits }] = [await callOf(session), data as { digits?: string }];
  if (call?.for !== 'setting' || digits === undefined) return;
  const [, hours = 24, minutes = 60] = (/^(\d\d)(\d\d)$/.exec(digits) ?? []).map(Number);
  if (hours < 24 && minutes < 60) await app.timer.set('wake', { at: next(hours, minutes), data: call.phone });
  app.log.info('set to', digits, 'for', call.phone);
  await finish(session);
});

/** The next time that it is so late (UTC). */
function next(hours: number, minutes: number): number {
  const now = Date.now();
  const today = now - (now % DAY) + (hours * 60 + minutes) * 60_000;
  return today > now ? today : today + DAY;
}

app.on('timer', async ({ name, at, data }) => {
  if (name === 'wake') {
    const phone = data as string;
    // One room for the bedroom and whoever else is to get up, in this house or another; what it hears is ours to give.
    const participants = [...new Set([phone, ...(await sleepers())])];
    const { id } = await app.api('conference.create', { participants }, { key: `wake-${at}` });
    await keep(id, { phone, for: 'waking' });
    return;
  }
  // A step louder.
  const { session, step } = data as { session: string; step: number };
  if ((await callOf(session)) !== null) await play(session, step);
});

/** Numbers of the group “wake up” in the home’s address book. */
async function sleepers(): Promise<string[]> {
  const found = await app.service<{ items: { party: string }[] }>('address-book', 'find', { group: 'wake up' });
  return found.items.map(({ party }) => party);
}

/** Plays to everybody at one loudness, and sets the next step; who answers later hears what plays. */
async function play(session: string, step: number): Promise<void> {
  const music = { item: MUSIC, loop: true, gain: STEPS[step] ?? 1 };
  await app.api('call.play', { session, ...music }, { key: `play-${step}-${session}` });
  if (step + 1 < STEPS.length)
    await app.timer.set('louder', { at: Date.now() + STEP, data: { session, step: step + 1 } });
}

app.on('home.session.v1.digit', async ({ session = '', data }) => {
  const [call, { digit }] = [await callOf(session), data as { digit: string }];
  if (call?.for !== 'waking') return;
  await app.timer.cancel('louder');
  if (digit === '1') await app.timer.set('wake', { at: Date.now() + SNOOZE, data: call.phone });
  if (digit === '1' || digit === '#') await finish(session);
  else if (digit === '2') await app.api('call.play', { session, item: await weather() });
});

// Also where nobody answered, or hung up before the time was keyed in.
app.on('home.session.v1.ended', ({ session }) => app.storage.remove(`call ${session}`));

async function finish(session: string): Promise<void> {
  await app.storage.remove(`call ${session}`);
  await app.api('session.end', { session });
}

async function weather(): Promise<string> {
  try {
    return await speech((await app.service<{ said: string }>('weather', 'today', { place: PLACE })).said);
  } catch (error) {
    app.log.warn('no weather', error);
    return speech('There is no weather today.');
  }
}

/** A text as an item that can be played, by the text-to-speech service. */
async function speech(text: string): Promise<string> {
  return (await app.service<{ item: string }>('text-to-speech', 'say', { text })).item;
}
