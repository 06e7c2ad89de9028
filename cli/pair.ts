import type { Parsed } from '#shared/host/config.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { callCloud, cloudOptions, type Trouble } from './cloud-call.ts';
import type { Command } from './command.ts';

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
  words: 1,
  usage: 'hearthline pair CODE --cloud URL --token TOKEN [--home ID]',
  options: {
    ...cloudOptions,
    home: { kind: 'text', value: 'ID', about: 'the home (may be left out when you have only one)' },
  },
  async run({ values, words }, io) {
    const [code] = words;
    if (code === undefined) {
      io.error('hearthline pair: give the code that the gateway shows.');
      return 3;
    }
    const json = values.json === 'true';
    const failed = ({ words, code, problem }: Trouble) => {
      if (json && problem !== undefined) io.out(JSON.stringify(problem));
      io.error(words);
      return code;
    };
    const home = values.home === undefined ? await onlyHome(values) : ok(values.home);
    if (!home.ok) return failed(home.fault);
    const gateways = `/v1/homes/${encodeURIComponent(home.value)}/gateways`;
    const claimed = await callCloud<GatewayView>(values, { method: 'POST', path: gateways, body: { code } });
    if (!claimed.ok) return failed(claimed.fault);
    let shown = '';
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      const looked = await callCloud<GatewayView>(values, { method: 'GET', path: `${gateways}/${claimed.value.id}` });
      if (!looked.ok) return failed(looked.fault);
      const view = looked.value;
      const stage = view.stage ?? view.state;
      if (stage !== shown && !json) io.error(`${view.id}: ${stage}`);
      shown = stage;
      if (view.state === 'paired') {
        io.out(json ? JSON.stringify(view) : `${view.id} is paired with ${home.value}.`);
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

/** The only home that the token may see, or why there is no such. */
async function onlyHome(values: Parsed['values']): Promise<Result<string, Trouble>> {
  const reply = await callCloud<{ items?: { id: string; name: string }[] }>(values, {
    method: 'GET',
    path: '/v1/homes',
  });
  if (!reply.ok) return reply;
  const { items = [] } = reply.value;
  const [only] = items;
  if (items.length === 1 && only !== undefined) return ok(only.id);
  return err({
    words:
      items.length === 0
        ? 'There is no home yet.\nNext: make one with `hearthline home create --name NAME`.'
        : `Say which home with --home: ${items.map((home) => `${home.id} (${home.name})`).join(', ')}.`,
    code: 3,
  });
}
