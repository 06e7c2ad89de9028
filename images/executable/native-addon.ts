/**
 * Stands for `node-gyp-build` in the executable: serialport's native part is an asset, and the loader of the C library wants a file,
 * so it is written to a folder of our own, opened, and removed at once.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';

/** Folders to try, since the temporary one may forbid programs (mount option noexec). */
function folders(): string[] {
  return [process.env.RUNTIME_DIRECTORY, process.env.XDG_RUNTIME_DIR, tmpdir(), '/run', '/dev/shm'].filter(
    (folder) => folder !== undefined,
  );
}

function load(): unknown {
  const octets = new Uint8Array(getRawAsset('serialport.node'));
  const failed: string[] = [];
  for (const folder of folders()) {
    let own: string | undefined;
    try {
      own = mkdtempSync(join(folder, 'hearthline-'));
      const file = join(own, 'serialport.node');
      writeFileSync(file, octets, { mode: 0o500 });
      const module = { exports: {} };
      process.dlopen(module, file);
      return module.exports;
    } catch (error) {
      failed.push(error instanceof Error ? error.message : String(error));
    } finally {
      if (own !== undefined) rmSync(own, { recursive: true, force: true });
    }
  }
  throw new Error(`serial lines do not work here: ${failed.join('; ')}`);
}

export { load as 'module.exports' };
