import type { Command, ExitCode, Io } from './command.ts';
import { cloudOptions, request } from './verb-command.ts';

interface GatewayView {
  readonly id: string;
  readonly state: string;
  readonly stage?: string;
  readonly cause?: string;
}

/** Milliseconds within which a pairing has succeeded or been undone, with some room. */
const PATIENCE = 75_000;

export const pairCommand: Command = {
  about: 'Pairs the gateway that shows CODE with a home, and waits until it is paired.',
  usage: 'hearthline pair CODE --cloud URL --token TOKEN [--home ID]',
  options: {
    ...cloudOptions,
    home: { kind: 'text', value: 'ID', about: 'the home (may be left out when you have only one)' },
  },
  async run(input, io) {
    const [code] = input.words;
    if (code === undefined) {
      io.error('hearthline pair: give the code that the gateway shows.');
      return 3;
    }
    const replies: unknown[] = [];
    const quiet: Io = { ...io, out: (text) => replies.push(JSON.parse(text)) };
    const json = { ...input, values: { ...input.values, json: 'true' } };
    const home = input.values.home ?? (await onlyHome(json, io));
    if (typeof home === 'number') return home;
    const claimed = await request(
      { method: 'POST', path: `/v1/homes/${encodeURIComponent(home)}/gateways`, body: { code } },
      json,
      quiet,
    );
    if (claimed !== 0) return claimed;
    const gateway = replies[0] as GatewayView;
    let shown = '';
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      replies.length = 0;
      if ((await request({ method: 'GET', path: `/v1/homes/${home}/gateways/${gateway.id}` }, json, quiet)) !== 0)
        return 2;
      const view = replies[0] as GatewayView;
      const stage = view.stage ?? view.state;
      if (stage !== shown && input.values.json !== 'true') io.error(`${view.id}: ${stage}`);
      shown = stage;
      if (view.state === 'paired') {
        io.out(input.values.json === 'true' ? JSON.stringify(view) : `${view.id} is paired with ${home}.`);
        return 0;
      }
      if (view.state === 'failed') {
        io.error(`Pairing failed: ${view.cause ?? 'unknown cause'}. The gateway shows a new code; try again with it.`);
        return 2;
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    io.error('Pairing was neither finished nor undone in time; look at the gateway with `hearthline gateway show`.');
    return 2;
  },
};

/** The only home that the token may see, or the exit code after saying why there is no such. */
async function onlyHome(input: Parameters<Command['run']>[0], io: Io): Promise<string | ExitCode> {
  const replies: unknown[] = [];
  const quiet: Io = { ...io, out: (text) => replies.push(JSON.parse(text)) };
  const ended = await request({ method: 'GET', path: '/v1/homes' }, input, quiet);
  if (ended !== 0) return ended;
  const { items = [] } = replies[0] as { items?: { id: string; name: string }[] };
  const [only] = items;
  if (items.length === 1 && only !== undefined) return only.id;
  io.error(
    items.length === 0
      ? 'There is no home yet.\nNext: make one with `hearthline home create --name NAME`.'
      : `Say which home with --home: ${items.map((home) => `${home.id} (${home.name})`).join(', ')}.`,
  );
  return 3;
}
