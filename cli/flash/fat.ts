/**
 * Small files in the root directory of a FAT16 or FAT32 file system (Microsoft's "FAT: General Overview of On-Disk Format", version
 * 1.03), so that a card gets its settings without mounting anything. Of the file system only what is needed is changed: the file's
 * clusters, both allocation tables, its directory entries, and the count of free clusters.
 */
import { latin1 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { entriesFor, type FoundEntry, findEntry, freeEntries, shortNameFor } from './fat-entries.ts';

/** A stretch of a disk, addressed by octets from its beginning. */
export interface Area {
  read(at: number, length: number): Promise<Uint8Array>;
  write(at: number, data: Uint8Array): Promise<void>;
}

/** Octets of a file that is read or written. */
export const FAT_FILE_LIMIT = 64 * 1024;
/** Allocation tables above this (octets) belong to no boot partition. */
const TABLE_LIMIT = 16 * 1024 * 1024;
const DIRECTORY_LIMIT = 4 * 1024 * 1024;

interface Shape {
  readonly wide: boolean;
  readonly sector: number;
  /** Octets of a cluster. */
  readonly cluster: number;
  readonly clusters: number;
  readonly tables: number;
  readonly tableAt: number;
  readonly tableSize: number;
  readonly rootAt: number;
  readonly rootSize: number;
  readonly rootCluster: number;
  readonly dataAt: number;
  readonly infoAt: number | undefined;
}

/** The boot partition of a disk with an MBR: its first, if it is a FAT. Octets. */
export function bootPartition(mbr: Uint8Array): Result<{ at: number; size: number }, string> {
  const view = new DataView(mbr.buffer, mbr.byteOffset, mbr.byteLength);
  if (mbr.length < 512 || view.getUint16(510) !== 0x55aa) return err('there is no partition table');
  const type = view.getUint8(446 + 4);
  if (![0x06, 0x0b, 0x0c, 0x0e].includes(type)) return err(`the first partition is no FAT (type ${type.toString(16)})`);
  return ok({ at: view.getUint32(446 + 8, true) * 512, size: view.getUint32(446 + 12, true) * 512 });
}

/** Opens the file system of an area; otherwise words. */
export async function openFat(area: Area): Promise<Result<FatVolume, string>> {
  const shape = readShape(await area.read(0, 512));
  if (shape === undefined) return err('the boot partition holds no FAT16 or FAT32 file system');
  const table = await area.read(shape.tableAt, shape.tableSize);
  return ok(new FatVolume(area, shape, table));
}

function readShape(sector: Uint8Array): Shape | undefined {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  if (sector.length < 512 || view.getUint16(510) !== 0x55aa) return undefined;
  const size = view.getUint16(11, true);
  const perCluster = view.getUint8(13);
  const powers = [size, perCluster].every((n) => n > 0 && (n & (n - 1)) === 0);
  if (!powers || size < 512 || size > 4096) return undefined;
  const [reserved, tables, rootEntries] = [view.getUint16(14, true), view.getUint8(16), view.getUint16(17, true)];
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const perTable = view.getUint16(22, true) || view.getUint32(36, true);
  const rootSectors = Math.ceil((rootEntries * 32) / size);
  const dataSector = reserved + tables * perTable + rootSectors;
  const clusters = Math.floor((sectors - dataSector) / perCluster);
  const wide = clusters >= 65_525;
  const tableSize = perTable * size;
  const fits = tableSize >= (clusters + 2) * (wide ? 4 : 2) && tableSize <= TABLE_LIMIT;
  if (clusters < 4_085 || reserved === 0 || tables === 0 || tables > 4 || !fits || wide !== (rootEntries === 0))
    return undefined;
  const info = wide ? view.getUint16(48, true) : 0;
  return {
    wide,
    sector: size,
    cluster: size * perCluster,
    clusters,
    tables,
    tableAt: reserved * size,
    tableSize,
    rootAt: (reserved + tables * perTable) * size,
    rootSize: rootEntries * 32,
    rootCluster: wide ? view.getUint32(44, true) : 0,
    dataAt: dataSector * size,
    infoAt: info === 0 || info === 0xffff ? undefined : info * size,
  };
}

export class FatVolume {
  readonly #area: Area;
  readonly #shape: Shape;
  readonly #table: DataView;
  readonly #octets: Uint8Array;

  constructor(area: Area, shape: Shape, table: Uint8Array) {
    this.#area = area;
    this.#shape = shape;
    this.#octets = table;
    this.#table = new DataView(table.buffer, table.byteOffset, table.byteLength);
  }

  /** A file's octets; undefined where there is none of that name. */
  async read(name: string): Promise<Result<Uint8Array | undefined, string>> {
    const root = await this.#root();
    if (!root.ok) return root;
    const found = findEntry(root.value.octets, name);
    if (found === undefined) return ok(undefined);
    if (found.size > FAT_FILE_LIMIT) return err(`${name} is too large`);
    const chain = found.size === 0 ? [] : this.#chain(found.cluster);
    if (chain === undefined || chain.length * this.#shape.cluster < found.size) return err(DAMAGED);
    const octets = new Uint8Array(found.size);
    for (const [i, cluster] of chain.entries()) {
      const at = i * this.#shape.cluster;
      if (at < found.size)
        octets.set((await this.#area.read(this.#at(cluster), this.#shape.cluster)).subarray(0, found.size - at), at);
    }
    return ok(octets);
  }

  /** Writes a file, in the place of one of the same name. `time` is its date (wall clock, ms). */
  async write(name: string, data: Uint8Array, time: number): Promise<Result<void, string>> {
    if (data.length > FAT_FILE_LIMIT) return err(`${name} is too large`);
    const root = await this.#root();
    if (!root.ok) return root;
    const { octets } = root.value;
    const before = findEntry(octets, name);
    const old = before === undefined || before.size === 0 ? [] : this.#chain(before.cluster);
    if (old === undefined) return err(DAMAGED);
    if (before !== undefined) erase(octets, before);
    const clusters = this.#allocate(Math.ceil(data.length / this.#shape.cluster));
    if (clusters === undefined) return err('the boot partition is full');
    const entries = entriesFor(name, shortNameFor(name, octets), clusters[0] ?? 0, data.length, time);
    const place = freeEntries(octets, entries.length / 32);
    if (place === undefined) return err('the root directory of the boot partition is full');
    octets.set(entries, place);
    for (const cluster of old) this.#set(cluster, 0);
    for (const [i, cluster] of clusters.entries()) {
      const piece = new Uint8Array(this.#shape.cluster);
      piece.set(data.subarray(i * this.#shape.cluster, (i + 1) * this.#shape.cluster));
      await this.#area.write(this.#at(cluster), piece);
    }
    await this.#flush(root.value);
    return ok(undefined);
  }

  #at(cluster: number): number {
    return this.#shape.dataAt + (cluster - 2) * this.#shape.cluster;
  }

  #get(cluster: number): number {
    return this.#shape.wide
      ? this.#table.getUint32(cluster * 4, true) & 0x0fffffff
      : this.#table.getUint16(cluster * 2, true);
  }

  #set(cluster: number, next: number): void {
    if (!this.#shape.wide) this.#table.setUint16(cluster * 2, next & 0xffff, true);
    // The upper four bits are reserved and kept.
    else
      this.#table.setUint32(
        cluster * 4,
        ((this.#table.getUint32(cluster * 4, true) & 0xf0000000) | (next & 0x0fffffff)) >>> 0,
        true,
      );
  }

  /** The clusters of a chain; undefined where it leads out of the table or in a circle. */
  #chain(first: number): number[] | undefined {
    const { wide, clusters } = this.#shape;
    const last = wide ? 0x0ffffff8 : 0xfff8;
    const chain: number[] = [];
    for (let cluster = first; cluster < last; cluster = this.#get(cluster)) {
      if (cluster < 2 || cluster >= clusters + 2 || chain.length > clusters) return undefined;
      chain.push(cluster);
    }
    return chain;
  }

  #allocate(count: number): number[] | undefined {
    const found: number[] = [];
    for (let cluster = 2; cluster < this.#shape.clusters + 2 && found.length < count; cluster++)
      if (this.#get(cluster) === 0) found.push(cluster);
    if (found.length < count) return undefined;
    for (const [i, cluster] of found.entries()) this.#set(cluster, found[i + 1] ?? 0x0fffffff);
    return found;
  }

  /** The root directory's octets and where its pieces stand on the disk. */
  async #root(): Promise<Result<{ octets: Uint8Array; pieces: readonly number[]; size: number }, string>> {
    const { wide, rootAt, rootSize, rootCluster, cluster } = this.#shape;
    if (!wide)
      return ok({ octets: Uint8Array.from(await this.#area.read(rootAt, rootSize)), pieces: [rootAt], size: rootSize });
    const chain = this.#chain(rootCluster);
    if (chain === undefined || chain.length === 0 || chain.length * cluster > DIRECTORY_LIMIT) return err(DAMAGED);
    const octets = new Uint8Array(chain.length * cluster);
    for (const [i, piece] of chain.entries()) octets.set(await this.#area.read(this.#at(piece), cluster), i * cluster);
    return ok({ octets, pieces: chain.map((piece) => this.#at(piece)), size: cluster });
  }

  async #flush(root: { octets: Uint8Array; pieces: readonly number[]; size: number }): Promise<void> {
    const { tables, tableAt, tableSize } = this.#shape;
    for (let i = 0; i < tables; i++) await this.#area.write(tableAt + i * tableSize, this.#octets);
    for (const [i, at] of root.pieces.entries())
      await this.#area.write(at, root.octets.subarray(i * root.size, (i + 1) * root.size));
    await this.#countFree();
  }

  /** FAT32 keeps the number of free clusters, for speed alone; kept right, so that no checker finds fault with it. */
  async #countFree(): Promise<void> {
    const { infoAt, clusters, sector } = this.#shape;
    if (infoAt === undefined) return;
    const info = Uint8Array.from(await this.#area.read(infoAt, sector));
    if (latin1(info.subarray(0, 4)) !== 'RRaA' || latin1(info.subarray(484, 488)) !== 'rrAa') return;
    let free = 0;
    for (let cluster = 2; cluster < clusters + 2; cluster++) if (this.#get(cluster) === 0) free++;
    new DataView(info.buffer).setUint32(488, free, true);
    await this.#area.write(infoAt, info);
  }
}

const DAMAGED = 'the file system of the boot partition is damaged';

function erase(octets: Uint8Array, { first, last }: FoundEntry): void {
  for (let at = first; at <= last; at += 32) octets[at] = 0xe5;
}
