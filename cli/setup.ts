/** `hearthline setup`: the image's own first step at each start; people have no use for it. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Options } from '#shared/host/config.ts';
import type { Command } from './command.ts';

const options = {
  boot: { kind: 'text', value: 'DIR', about: 'the boot partition', fallback: '/boot' },
  data: { kind: 'text', value: 'DIR', about: 'the data partition', fallback: '/data' },
  run: { kind: 'text', value: 'DIR', about: 'where files live until the next start', fallback: '/run' },
  root: { kind: 'text', value: 'DIR', about: 'where /etc, /proc and /sys are looked for', fallback: '/' },
  status: { kind: 'flag', about: 'only write the stage that the agent has reached to the boot partition' },
} as const satisfies Options;

/** What only an image has; `device/updater/rauc.ts` reads it. */
const IMAGE_FILE = 'etc/hearthline/image.json';

/** What the agent of the image starts with, where `hearthline.json` says nothing else; options that it does not know are left out. */
const AGENT: Readonly<Record<string, string>> = {
  state: '/data/hearthline',
  page: ':80',
  console: '/run/hearthline/console:115200',
  stage: '/run/hearthline/stage.json',
  led: 'ACT',
  wifi: '/run/hearthline/wifi.json',
  board: 'rauc',
  'update-folder': '/data/update',
  'update-socket': '/run/hearthline/update.sock',
};

export const setupCommand: Command = {
  about:
    'Reads hearthline.json from the boot partition and prepares network and agent; run by the image at each start.',
  usage: 'hearthline setup [--boot DIR] [--data DIR] [--run DIR] [--status]',
  options,
  async run({ values }, io) {
    const { runSetup, tellStage } = await import('#device/first-boot/adapter-setup.ts');
    const { deviceCommand } = await import('./device.ts');
    const root = resolve(values.root ?? '/');
    // On any other machine it would take over network, host name and boot partition.
    if (!existsSync(resolve(root, IMAGE_FILE))) {
      io.error(`hearthline setup: this machine runs no image of Hearthline (${resolve(root, IMAGE_FILE)} is missing).`);
      return 3;
    }
    const places = {
      boot: resolve(values.boot ?? ''),
      data: resolve(values.data ?? ''),
      run: resolve(values.run ?? ''),
      etc: resolve(root, 'etc'),
      sys: resolve(root, 'sys'),
      proc: resolve(root, 'proc'),
    };
    if (values.status === 'true') {
      tellStage(places);
      return 0;
    }
    const known = Object.entries(AGENT).filter(([name]) => Object.hasOwn(deviceCommand.options, name));
    const { problems, notes, faults, applied } = runSetup(places, Object.fromEntries(known));
    for (const line of [...problems.map((problem) => `hearthline.json, ${problem}`), ...faults]) io.error(line);
    for (const line of [...applied, ...notes]) io.out(line);
    // A mistake in the settings must not keep the house from its telephone: the step itself has done what it can.
    return 0;
  },
};
