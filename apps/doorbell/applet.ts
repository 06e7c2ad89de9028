/**
 * Doorbell, the user applet. It runs on the gateway, so what it does alone works with the WAN cut: it rings the house's phones and opens
 * the door. With a way to the cloud the cloud half leads, and the applet only looks through the door's camera and opens.
 */
import { app, HearthlineFault } from '#sdk/app.ts';
import { CODE, OPEN, STILL_LIMIT, type ToApplet, type ToCloud } from './words.ts';

/** The door station on the LAN, as the manifest names it. */
const DOOR = { device: 'front-door', port: 8000 } as const;

/** Calls that this applet rings by itself, by the call's name. */
const alone = new Map<string, { readonly at: number; answered: boolean; still?: string }>();

const tell = (body: ToCloud) => app.send(body);

app.on('start', () => tell({ ask: 'numbers' }));

app.on('message', async ({ body }) => {
  const said = body as ToApplet;
  // Kept, so that they are known after a power cut with the WAN still gone.
  if ('numbers' in said) await app.storage.set('numbers', said.numbers);
  else if ('look' in said) {
    const still = await look();
    if (still !== undefined) await tell({ still, session: said.look });
  } else await tell({ opened: await open(), session: said.open });
});

app.on('call', async (event) => {
  if (event.on === 'ringing') {
    if (event.to === CODE) await ring(event.call, event.at);
    return;
  }
  const call = alone.get(event.call);
  if (call === undefined) return;
  if (event.on === 'answered') call.answered = true;
  // Only the one who answered may open: whoever stands at the door has a keypad too.
  else if (event.on === 'digit') {
    if (event.by === 'callee' && event.digit === OPEN) app.log.info('opened', await open());
  } else if (event.on === 'ended') {
    alone.delete(event.call);
    const { at, answered, still } = call;
    await tell({ rang: at, answered, ...(still === undefined ? {} : { still }) });
  }
});

/** Rings the phones of the house, if the call has not found its way to the cloud. */
async function ring(call: string, at: number): Promise<void> {
  const numbers = (await app.storage.get<string[]>('numbers')) ?? [];
  if (numbers.length === 0) return;
  try {
    await app.house.ring(call, numbers);
  } catch (error) {
    if (!(error instanceof HearthlineFault) || error.code !== 'conflict') throw error;
    // The cloud has the call: its half rings everybody, and asks for the picture.
    return;
  }
  const kept: { at: number; answered: boolean; still?: string } = { at, answered: false };
  alone.set(call, kept);
  app.log.info('rings alone', call);
  const still = await look();
  if (still !== undefined) kept.still = still;
}

/** What the door's camera sees, in base 64; undefined where it gives none that fits into a message. */
async function look(): Promise<string | undefined> {
  const { status, body } = await app.lan.http({ ...DOOR, method: 'GET', path: '/still' });
  const still = body.trim();
  if (status === 200 && still.length <= STILL_LIMIT && /^[A-Za-z0-9+/]+={0,2}$/.test(still)) return still;
  app.log.warn('no picture', status, still.length);
  return undefined;
}

async function open(): Promise<string> {
  const { status } = await app.lan.http({ ...DOOR, method: 'POST', path: '/open' });
  return String(status);
}
