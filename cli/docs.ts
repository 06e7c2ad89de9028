import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from './command.ts';

export const docsCommand: Command = {
  about: 'Writes docs/api/README.md and the SDK’s types from the verb table.',
  usage: 'hearthline docs',
  options: {},
  async run(_input, io) {
    const { apiPage } = await import('#cloud/application-server/docs.ts');
    const file = join(resolve(import.meta.dirname, '..'), 'docs/api/README.md');
    writeFileSync(file, apiPage());
    io.out(`wrote ${file}`);
    const { sdkTypes } = await import('#cloud/application-server/sdk-types.ts');
    const types = join(resolve(import.meta.dirname, '..'), 'sdk/generated.ts');
    writeFileSync(types, sdkTypes());
    io.out(`wrote ${types}`);
    return 0;
  },
};
