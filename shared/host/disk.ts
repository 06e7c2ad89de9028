import { type FileHandle, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AppendFile, Disk } from '#shared/kernel/world.ts';
import { makeFolder } from './folder.ts';

/** The real disk. Writes are atomic and durable; the names of temporary files are unique within the process. */
export function hostDisk(): Disk {
  let serial = 0;
  return {
    async read(path) {
      try {
        return new Uint8Array(await readFile(path));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async part(path, offset, length) {
      let file: FileHandle;
      try {
        file = await open(path, 'r');
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      try {
        const octets = new Uint8Array(length);
        let filled = 0;
        for (let read = -1; read !== 0 && filled < length; filled += read)
          read = (await file.read(octets, filled, length - filled, offset + filled)).bytesRead;
        return octets.slice(0, filled);
      } finally {
        await file.close();
      }
    },
    async write(path, data) {
      await makeFolder(dirname(path));
      const temporary = `${path}.${process.pid}.${serial++}.new`;
      const file = await open(temporary, 'w', 0o600);
      try {
        try {
          await file.writeFile(data);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, path);
      } catch (error) {
        // What a full disk has no room for must not lie there for ever.
        await rm(temporary, { force: true });
        throw error;
      }
      await syncFolder(dirname(path));
    },
    async append(path) {
      await makeFolder(dirname(path));
      const file = await open(path, 'a', 0o600);
      let size = (await stat(path)).size;
      const handle: AppendFile = {
        get size() {
          return size;
        },
        async append(data) {
          await file.appendFile(data);
          size += data.length;
          await file.datasync();
        },
        close: () => file.close(),
      };
      return handle;
    },
    async remove(path) {
      await rm(path, { recursive: true, force: true });
    },
    async room(folder) {
      try {
        const { bavail, blocks, bsize } = await statfs(folder);
        return { free: bavail * bsize, size: blocks * bsize };
      } catch {
        return undefined;
      }
    },
    async list(folder) {
      try {
        return (await readdir(folder)).sort();
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
