/**
 * Family conference, the cloud half. The family is the group “family” of the home’s address book; it gets a chat, and what is said there
 * steers the conference: `together` calls everybody, `song: NAME` queues a song. Music gives way to speech in the room by itself.
 */
import { app, type HomeEvent } from '#sdk/app.ts';

const WEEK = 7 * 86_400_000;

/** The conference that runs. */
interface Meeting {
  readonly session: string;
  readonly since: number;
}

const meeting = () => app.storage.get<Meeting>('meeting');
const legOf = async (session: string, leg: string) =>
  (await app.api('session.get', { session })).legs.find(({ id }) => id === leg);

/** Handlers run side by side; what changes the queue of songs is done one after the other. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(run: () => Promise<T>): Promise<T> {
  const mine = turn.then(run, run);
  turn = mine.catch(() => undefined);
  return mine;
}

app.on('start', async () => {
  // A home without a line has nobody to chat with yet.
  if ((await own()) !== '') await chat();
  await app.timer.set('week', { at: Date.now() + WEEK, every: WEEK });
});

app.on('message', async ({ body }) => {
  const { tap } = body as { tap?: string };
  if (tap !== undefined) await together();
});

app.on('home.message.v1.accepted', async ({ id, data }: HomeEvent) => {
  const said = data as { to: string; text: string };
  if (said.to !== (await app.storage.get<string>('chat'))) return;
  const text = said.text.trim();
  if (/^together!?$/i.test(text)) await together();
  const [, song] = /^song:\s*(\S.*)$/i.exec(text) ?? [];
  if (song !== undefined) await inTurn(() => request(song, id));
});

/** The chat of the family; made once, and brought into line with the address book. */
async function chat(): Promise<string> {
  const members = [...new Set([await own(), ...(await family())])];
  const known = await app.storage.get<string>('chat');
  if (known !== null) return (await app.api('group.update', { group: known, members })).id;
  const made = await app.api('group.create', { home: app.home, name: 'Family', members }, { key: 'chat' });
  await app.storage.set('chat', made.id);
  return made.id;
}

/** The home's own line, in whose name the application speaks. */
async function own(): Promise<string> {
  const { items } = await app.api('line.list', { home: app.home });
  return items.find(({ kind }) => kind !== 'appliance')?.number ?? '';
}

async function family(): Promise<string[]> {
  const found = await app.service<{ items: { party: string }[] }>('address-book', 'find', { group: 'family' });
  return found.items.map(({ party }) => party);
}

/** `key`: the same words for the same occasion are said once. */
async function say(text: string, key: string): Promise<void> {
  const group = await chat();
  await app.api('message.send', { from: await own(), group, text }, { key });
}

/** Calls everybody, unless they are together already. */
async function together(): Promise<void> {
  await inTurn(async () => {
    if ((await meeting()) !== null) return;
    await chat();
    const participants = [...new Set([await own(), ...(await family())])];
    const { id } = await app.api('conference.create', { participants });
    await app.storage.set('meeting', { session: id, since: Date.now() });
  });
}

/** Somebody wants to hear a song: it plays, or waits for its turn. */
async function request(name: string, key: string): Promise<void> {
  const { items } = await app.api('media.list', {});
  const wanted = name.toLowerCase();
  const song = items.find(({ id, title }) => id === wanted || title.toLowerCase().startsWith(wanted));
  if (song === undefined)
    return say(`There is no “${name}”. There are: ${items.map(({ title }) => title).join(', ')}.`, `none-${key}`);
  const songs = (await app.storage.get<string[]>('songs')) ?? [];
  await app.storage.set('songs', [...songs, song.id]);
  const before = songs.length + ((await playing())?.first === true ? 1 : 0);
  if (before > 0) return say(`${song.title} plays after ${before} other${before > 1 ? 's' : ''}.`, `song-${key}`);
  await playNext();
}

/** The leg of the song that plays; `first`: for the first time, since the room hears it over and over until there is another. */
async function playing(): Promise<{ readonly leg: string; readonly first: boolean } | undefined> {
  const [now, song] = [await meeting(), await app.storage.get<{ leg: string; until: number }>('song')];
  if (now === null || song === null) return undefined;
  const leg = await legOf(now.session, song.leg);
  return leg === undefined || leg.state === 'ended' ? undefined : { leg: leg.id, first: Date.now() < song.until };
}

/** The next song of the queue, as a media leg of the conference's session: one player that the whole room hears. */
async function playNext(): Promise<void> {
  const [now, [song, ...rest]] = [await meeting(), (await app.storage.get<string[]>('songs')) ?? []];
  if (now === null || song === undefined) return;
  const before = await playing();
  if (before?.first === true) return;
  if (before !== undefined) await app.api('leg.remove', { session: now.session, leg: before.leg });
  const { leg } = await app.api('leg.add', { session: now.session, kind: 'media', item: song });
  const { items } = await app.api('media.list', {});
  const until = Date.now() + (items.find(({ id }) => id === song)?.seconds ?? 0) * 1000;
  await app.storage.set('songs', rest);
  await app.storage.set('song', { leg: leg.id, until });
  await app.timer.set('song', { at: until });
}

app.on('home.session.v1.answered', async ({ session = '', data }) => {
  if ((await meeting())?.session !== session) return;
  const leg = await legOf(session, (data as { leg: string }).leg);
  if (leg?.kind === 'voice') await say(`${leg.party} is here.`, `here-${leg.id}`);
  // Songs may have been wished for before anybody was there.
  if (leg?.kind === 'voice') await inTurn(playNext);
});

app.on('home.session.v1.leg-ended', async ({ session = '', data }) => {
  if ((await meeting())?.session !== session) return;
  const leg = await legOf(session, (data as { leg: string }).leg);
  if (leg?.answeredAt !== undefined && leg.kind === 'voice') await say(`${leg.party} has left.`, `left-${leg.id}`);
});

app.on('home.session.v1.digit', async ({ session = '', data }) => {
  const { leg: id, digit } = data as { leg: string; digit: string };
  if (digit !== '*' || (await meeting())?.session !== session) return;
  const leg = await legOf(session, id);
  await app.api(leg?.muted === true ? 'call.unmute' : 'call.mute', { session, leg: id });
});

app.on('home.session.v1.ended', async ({ session = '' }) => {
  const now = await meeting();
  if (now?.session !== session) return;
  await app.storage.remove('meeting');
  const { legs, createdAt, endedAt = createdAt } = await app.api('session.get', { session });
  const minutes = Math.max(1, Math.round((endedAt - createdAt) / 60_000));
  const people = legs.filter(({ kind, answeredAt }) => kind === 'voice' && answeredAt !== undefined);
  const songs = legs.filter(({ kind, answeredAt }) => kind === 'media' && answeredAt !== undefined);
  const said = [
    `Together for ${minutes} min: ${people.map(({ party }) => party).join(', ')}.`,
    `Songs: ${songs.map(({ item }) => item).join(', ') || 'none'}.`,
  ].join('\n');
  await mail('The family was together', said, `after-${session}`);
  const week = (await app.storage.get<{ times: number; minutes: number }>('week')) ?? { times: 0, minutes: 0 };
  await app.storage.set('week', { times: week.times + 1, minutes: week.minutes + minutes });
});

app.on('timer', async ({ name, at }) => {
  if (name === 'song') return inTurn(playNext);
  const { times, minutes } = (await app.storage.get<{ times: number; minutes: number }>('week')) ?? {
    times: 0,
    minutes: 0,
  };
  if (times > 0) await mail('The family’s week', `Together ${times} times, ${minutes} min in all.`, `week-${at}`);
  await app.storage.remove('week');
});

async function mail(subject: string, text: string, key: string): Promise<void> {
  const [box] = (await app.api('mailbox.list', { home: app.home })).items;
  if (box !== undefined) await app.api('mail.send', { mailbox: box.id, to: [box.address], subject, text }, { key });
}
