/** Writes the shipped files of the media library: `bin/node cloud/farm/media/library/adapter-make.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { library, synthesiseFile } from './synthesis.ts';

for (const { id } of library) {
  const file = synthesiseFile(id);
  if (file === undefined) continue;
  writeFileSync(join(import.meta.dirname, `${id}.wav`), file);
  process.stdout.write(`${id}.wav ${file.length}\n`);
}
