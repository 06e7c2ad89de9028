/** The `hearthline` command of a clone: everything. What belongs to cloud or simulator is loaded only when asked for. */
import { type cloneOnly, commands } from './commands.ts';
import { type OwnCommands, runCommand } from './run.ts';

const here: OwnCommands & Readonly<Record<(typeof cloneOnly)[number], OwnCommands[string]>> = {
  cloud: async () => (await import('./cloud.ts')).cloudCommand,
  tour: async () => (await import('./tour.ts')).tourCommand,
  'sim run': async () => (await import('./sim.ts')).simRunCommand,
  'sim list': async () => (await import('./sim.ts')).simListCommand,
  'app new': async () => (await import('./app.ts')).appNew,
  'app test': async () => (await import('./app.ts')).appTest,
  'app pack': async () => (await import('./app.ts')).appPack,
  'app publish': async () => (await import('./app.ts')).appPublish,
  'app dev': async () => (await import('./app.ts')).appDev,
  docs: async () => (await import('./docs.ts')).docsCommand,
};

process.exitCode = await runCommand({ ...here, ...commands }, process.argv.slice(2));
