import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from './command.ts';

export const docsCommand: Command = {
  about: 'Writes docs/api/README.md from the verb table.',
  usage: 'hearthline docs',
  options: {},
  async run(_input, io) {
    const { apiPage } = await import('#cloud/application-server/docs.ts');
    const file = join(resolve(import.meta.dirname, '..'), 'docs/api/README.md');
    writeFileSync(file, apiPage());
    io.out(`wrote ${file}`);
    return 0;
  },
};
