/**
 * Doorbell, the cloud half. The door station dials a code that this application answers; everybody who should hear it is rung in the one
 * service session of that call: phones of the home, and whoever is in the group “door” of its address book, wherever that is.
 */
import { app, HearthlineFault, type HomeEvent } from '#sdk/app.ts';
import { CODE, OPEN, pictureOf, type ToApplet, type ToCloud } from './words.ts';

/** Nobody answers for so long, ms: then it becomes a message and a mail. */
const PATIENCE = 25_000;

/** A call from the door, as it is kept: this half may be started anew at any time. */
interface Ring {
  readonly at: number;
  /** The door's leg and its number. */
  readonly door: string;
  readonly from: string;
  /** The leg that answered. */
  readonly answered?: string;
}

const ringOf = (session: string | undefined) => app.storage.get<Ring>(`ring ${session}`);
const keep = (session: string, ring: Ring) => app.storage.set(`ring ${session}`, ring);
// What comes at its own time has a name of its own: handlers run side by side, and none may write over another's word.
const stillOf = (session: string) => app.storage.get<string>(`still ${session}`);

/** The gateway may be off, or its applet just starting: the door then does without. */
async function tell(body: ToApplet): Promise<void> {
  await app.send(body).catch((error: unknown) => app.log.warn('the applet is away', error));
}

app.on('start', async () => {
  try {
    await app.api('call-route.create', { home: app.home, match: CODE, application: app.install });
  } catch (error) {
    // The route is there since an earlier start.
    if (!(error instanceof HearthlineFault) || error.code !== 'conflict') throw error;
  }
  await tell({ numbers: await house() });
});

app.on('home.call.v1.incoming', async ({ data, time }) => {
  const { session, leg, application, from } = data as Record<'session' | 'leg' | 'application' | 'from', string>;
  // Events come at least once.
  if (application !== app.install || (await ringOf(session)) !== null) return;
  const at = Date.parse(time);
  await keep(session, { at, door: leg, from });
  await app.timer.set(`ring ${session}`, { at: at + PATIENCE, data: session });
  await app.api('call.answer', { session }, { key: `answer-${session}` });
  const numbers = await house(from);
  const parties = [...new Set([...numbers, ...(await elsewhere())])];
  // The applet learns anew whom to ring should the WAN be cut the next time.
  const look = tell({ numbers }).then(() => tell({ look: session }));
  await Promise.all(parties.map((party) => add(session, party)));
  await look;
  await show(session);
});

async function add(session: string, party: string): Promise<void> {
  try {
    await app.api('leg.add', { session, kind: 'voice', party }, { key: `ring-${session}-${party}` });
  } catch (error) {
    // A phone that is off, or a line without credit, keeps nobody else from hearing the bell.
    app.log.warn('does not ring', party, error);
  }
}

app.on('home.session.v1.answered', async ({ session = '', data }) => {
  const [ring, { leg }] = [await ringOf(session), data as { leg: string }];
  if (ring === null || ring.answered !== undefined) return;
  if (leg === ring.door) {
    const { id } = await app.api('call.play', { session, leg, tone: 'ringback' }, { key: `tone-${session}` });
    await app.storage.set(`tone ${session}`, id);
    return;
  }
  const { legs } = await app.api('session.get', { session });
  if (legs.find(({ id }) => id === leg)?.kind !== 'voice') return;
  await keep(session, { ...ring, answered: leg });
  await app.timer.cancel(`ring ${session}`);
  const command = await app.storage.get<string>(`tone ${session}`);
  if (command !== null) await app.api('call.stop', { session, command });
  // The first has it; the others stop ringing.
  const others = legs.filter(
    ({ id, kind, state }) => kind === 'voice' && state !== 'ended' && id !== leg && id !== ring.door,
  );
  await Promise.all(others.map(({ id }) => app.api('leg.remove', { session, leg: id })));
  app.log.info('answered by', legs.find(({ id }) => id === leg)?.party);
});

app.on('home.session.v1.digit', async ({ session = '', data }: HomeEvent) => {
  const [ring, { leg, digit }] = [await ringOf(session), data as { leg: string; digit: string }];
  if (ring !== null && leg === ring.answered && digit === OPEN) await tell({ open: session });
});

app.on('message', async ({ body, gateway }) => {
  const said = body as ToCloud;
  if ('ask' in said) await app.send({ numbers: await house() }, gateway);
  else if ('opened' in said) app.log.info('opened', said.opened);
  else if ('rang' in said) {
    // While the WAN was cut the applet rang the house alone.
    if (!said.answered) await miss({ at: said.rang, ...(said.still === undefined ? {} : { still: said.still }) });
  } else {
    if ((await ringOf(said.session)) === null) return;
    await app.storage.set(`still ${said.session}`, said.still);
    await show(said.session);
  }
});

/** The picture as a non-voice leg of the session: a message to everybody whom it rings. Once, whoever comes last. */
async function show(session: string): Promise<void> {
  const still = await stillOf(session);
  if (still === null) return;
  const leg = { session, kind: 'still' as const, party: 'all', text: pictureOf(still) };
  await app
    .api('leg.add', leg, { key: `still-${session}` })
    .catch((error: unknown) => app.log.warn('no picture', error));
}

app.on('timer', async ({ data }) => {
  const session = data as string;
  const ring = await ringOf(session);
  if (ring === null || ring.answered !== undefined) return;
  await finish(session);
  const still = await stillOf(session);
  await miss({ at: ring.at, ...(still === null ? {} : { still }) });
  await forget(session);
});

app.on('home.session.v1.leg-ended', async ({ session = '', data }) => {
  const [ring, { leg }] = [await ringOf(session), data as { leg: string }];
  // Without the visitor, or whoever answered, there is nobody left to talk to.
  if (ring !== null && (leg === ring.door || leg === ring.answered)) await finish(session);
});

/** Ends the call; harmless when it has ended by itself. */
async function finish(session: string): Promise<void> {
  await app.api('session.end', { session });
}

app.on('home.session.v1.ended', async ({ session = '' }) => {
  // One that nobody answered is still to be told of; its timer forgets it then.
  if ((await ringOf(session))?.answered !== undefined) await forget(session);
});

async function forget(session: string): Promise<void> {
  for (const what of ['ring', 'tone', 'still']) await app.storage.remove(`${what} ${session}`);
}

/** Nobody came: a message to the phones of the home, and a mail with the picture. */
async function miss({ at, still }: { readonly at: number; readonly still?: string }): Promise<void> {
  const text = `Somebody was at the door at ${new Date(at).toISOString().slice(11, 16)} UTC.`;
  const { items } = await app.api('line.list', { home: app.home });
  const door = items.find(({ kind }) => kind === 'appliance');
  for (const { id, number } of items.filter(({ kind }) => kind !== 'appliance'))
    await app.api('message.send', { from: door?.id ?? id, to: number, text }, { key: `missed-${at}-${number}` });
  const [box] = (await app.api('mailbox.list', { home: app.home })).items;
  if (box === undefined) return app.log.info('the home has no mailbox');
  const picture = { name: 'door.jpg', type: 'image/jpeg', content: still ?? '' };
  const mail = { mailbox: box.id, to: [box.address], subject: 'Somebody was at the door', text };
  await app.api('mail.send', still === undefined ? mail : { ...mail, attachments: [picture] }, { key: `mail-${at}` });
}

/** Numbers of the home's phones, without the door itself. */
async function house(door?: string): Promise<string[]> {
  const { items } = await app.api('line.list', { home: app.home });
  return items.filter(({ kind, number }) => kind !== 'appliance' && number !== door).map(({ number }) => number);
}

async function elsewhere(): Promise<string[]> {
  const found = await app.service<{ items: { party: string }[] }>('address-book', 'find', { group: 'door' });
  return found.items.map(({ party }) => party);
}
