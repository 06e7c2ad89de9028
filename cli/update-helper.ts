import { readFile } from 'node:fs/promises';
import type { Options } from '#shared/host/config.ts';
import { hostWorld } from '#shared/host/world.ts';
import { type Command, logOption } from './command.ts';
import { untilSignal } from './process.ts';

const options = {
  socket: { kind: 'text', value: 'PATH', about: 'where the agent asks', fallback: '/run/hearthline/update.sock' },
  group: { kind: 'text', value: 'NAME', about: 'the group that may ask', fallback: 'hearthline' },
  folder: { kind: 'text', value: 'DIR', about: 'where the agent puts bundles', fallback: '/data/update' },
  keep: {
    kind: 'text',
    value: 'DIR',
    about: 'where their copies are kept, for root alone',
    fallback: '/data/update-root',
  },
  run: {
    kind: 'text',
    value: 'DIR',
    about: 'what lasts until the next start of the board',
    fallback: '/run/hearthline',
  },
  logs: { kind: 'text', value: 'DIR', about: 'the slots’ stage logs', fallback: '/data/log' },
  image: {
    kind: 'text',
    value: 'FILE',
    about: 'the running image’s own words',
    fallback: '/etc/hearthline/image.json',
  },
  rauc: { kind: 'text', value: 'WORDS', about: 'how RAUC is called', fallback: 'rauc' },
  reboot: { kind: 'text', value: 'WORDS', about: 'how the board is started anew', fallback: 'systemctl reboot' },
  log: logOption,
} as const satisfies Options;

/** Number of a group by its name or number. */
async function groupNumber(name: string): Promise<number | undefined> {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const fields = groups.split('\n').map((line) => line.split(':'));
  const found = fields.find(([one]) => one === name)?.[2];
  return found === undefined ? undefined : Number(found);
}

/** `update-helper`: the root half of updates on an image. */
export const updateHelperCommand: Command = {
  about:
    'Carries out updates for the agent of an image: checks and installs bundles with RAUC, marks slots. Runs as root.',
  usage: 'hearthline update-helper [options]',
  options,
  async run({ values }, io) {
    const text = (name: keyof typeof options) => values[name] ?? '';
    const group = await groupNumber(text('group'));
    if (group === undefined) {
      io.error(`hearthline update-helper: --group ${text('group')}: there is no such group`);
      return 3;
    }
    const { serveHelper } = await import('#device/updater/adapter-helper.ts');
    const world = hostWorld({ level: (values.log as 'warn') ?? 'warn' });
    try {
      const helper = await serveHelper({
        clock: world.clock,
        log: world.log,
        socket: text('socket'),
        group,
        folder: text('folder'),
        keep: text('keep'),
        run: text('run'),
        logs: text('logs'),
        image: text('image'),
        rauc: text('rauc').split(' '),
        reboot: text('reboot').split(' '),
      });
      return await untilSignal(() => helper.close(), io.error);
    } catch (error) {
      io.error(`hearthline update-helper: ${error instanceof Error ? error.message : String(error)}`);
      return 3;
    }
  },
};
