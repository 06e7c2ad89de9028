import type { AppendFile, Disk } from '#shared/kernel/world.ts';

/** A fault that the next writes meet; `cut` ends the process's view of the disk at that write, as a power cut does. */
export interface DiskFaults {
  /** Octets that the disk holds at the most. */
  capacity?: number;
  /** Writes from this one on (counted from 1) are torn: only `keep` octets of it arrive, and nothing afterwards. */
  cutAt?: { write: number; keep: number };
}

/** A disk in memory, one per host; it outlives the host's programs. */
export class VirtualDisk implements Disk {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly faults: DiskFaults = {};
  #writes = 0;

  get writes(): number {
    return this.#writes;
  }

  async read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.files.get(path)?.slice();
  }

  async part(path: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.files.get(path)?.slice(offset, offset + length);
  }

  async write(path: string, data: Uint8Array): Promise<void> {
    const torn = this.#admit(data, this.files.get(path)?.length ?? 0);
    // An atomic write that is cut leaves the old file: the rename never happened.
    if (torn !== undefined) throw new Error('ECUT: the disk was cut off');
    this.files.set(path, data.slice());
  }

  async append(path: string): Promise<AppendFile> {
    if (!this.files.has(path)) this.files.set(path, new Uint8Array());
    const disk = this;
    return {
      get size() {
        return disk.files.get(path)?.length ?? 0;
      },
      async append(data: Uint8Array) {
        const torn = disk.#admit(data, 0);
        const kept = torn === undefined ? data : data.subarray(0, torn);
        const old = disk.files.get(path) ?? new Uint8Array();
        const next = new Uint8Array(old.length + kept.length);
        next.set(old);
        next.set(kept, old.length);
        disk.files.set(path, next);
        if (torn !== undefined) throw new Error('ECUT: the disk was cut off');
      },
      close: async () => {},
    };
  }

  async remove(path: string): Promise<void> {
    for (const name of [...this.files.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
  }

  async room(_folder: string): Promise<{ free: number; size: number } | undefined> {
    const size = this.faults.capacity;
    if (size === undefined) return undefined;
    let used = 0;
    for (const file of this.files.values()) used += file.length;
    return { free: Math.max(0, size - used), size };
  }

  async list(folder: string): Promise<string[]> {
    const names = new Set<string>();
    for (const name of this.files.keys())
      if (name.startsWith(`${folder}/`)) names.add(name.slice(folder.length + 1).split('/')[0] ?? '');
    return [...names].sort();
  }

  /** Counts a write; gives the octets that arrive where this one is cut, undefined where it goes through. */
  #admit(data: Uint8Array, replaced: number): number | undefined {
    this.#writes++;
    const cut = this.faults.cutAt;
    if (cut !== undefined && this.#writes >= cut.write)
      return this.#writes === cut.write ? Math.min(cut.keep, data.length) : 0;
    if (this.faults.capacity !== undefined) {
      let used = data.length - replaced;
      for (const file of this.files.values()) used += file.length;
      if (used > this.faults.capacity)
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    }
    return undefined;
  }
}
