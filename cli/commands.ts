/** The commands of a gateway and its technician: those that the executable carries as well as a clone. */
import type { OwnCommands } from './run.ts';
import { technicianWords } from './technician/words.ts';

export const commands: OwnCommands = {
  device: async () => (await import('./device.ts')).deviceCommand,
  flash: async () => (await import('./flash.ts')).flashCommand,
  'flash list': async () => (await import('./flash-sign.ts')).flashListCommand,
  'flash key': async () => (await import('./flash-sign.ts')).flashKeyCommand,
  'flash sign': async () => (await import('./flash-sign.ts')).flashSignCommand,
  setup: async () => (await import('./setup.ts')).setupCommand,
  pair: async () => (await import('./pair.ts')).pairCommand,
  'release upload': async () => (await import('./release.ts')).releaseUploadCommand,
  'serial monitor': async () => (await import('./technician/monitor.ts')).monitorCommand,
  'update-helper': async () => (await import('./update-helper.ts')).updateHelperCommand,
  ...Object.fromEntries(
    technicianWords.map((words) => [
      words,
      async () => (await import('./technician/commands.ts')).technicianCommand(words),
    ]),
  ),
};

/** Words of the commands that only a clone has: they bring the cloud, the simulator or a bundler with them. */
export const cloneOnly = [
  'cloud',
  'tour',
  'sim run',
  'sim list',
  'app new',
  'app test',
  'app pack',
  'app publish',
  'app dev',
  'docs',
] as const;
