/** The World of a gateway in trouble, made of the World around it. Nothing on the LAN side is touched, nor anything but this gateway. */
import { sleep } from '#shared/kernel/time.ts';
import { type Address, type AppendFile, type Clock, type Disk, NetError, type World } from '#shared/kernel/world.ts';
import type { Trouble } from './trouble.ts';
import { TroubledNet } from './trouble-net.ts';

/** `world` as a gateway in this trouble has it; `isWan` tells the cloud's addresses from the house's. */
export function troubled(world: World, trouble: Trouble, isWan: (to: Address) => boolean): World {
  const clock: Clock = { ...world.clock, wall: () => world.clock.wall() + trouble.ahead };
  return {
    ...world,
    clock,
    net: new TroubledNet(world, trouble, isWan),
    disk: troubledDisk(world, trouble),
    http: {
      async request(request) {
        const { cut, delay } = trouble.weather;
        if (cut) {
          await sleep(world.clock, request.timeout ?? 10_000);
          throw new NetError('ETIMEDOUT', `${new URL(request.url).origin} cannot be reached`);
        }
        if (delay > 0) await sleep(world.clock, 2 * delay);
        return world.http.request(request);
      },
    },
  };
}

function troubledDisk({ disk, clock }: Pick<World, 'disk' | 'clock'>, trouble: Trouble): Disk {
  /** How many octets of a write arrive before the power fails; undefined where it does not. */
  const admit = (octets: number): number | undefined => {
    const { tear } = trouble;
    if (tear !== undefined) {
      trouble.tear = undefined;
      tear.torn();
      return Math.floor(octets * tear.share);
    }
    if (trouble.diskFull) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    return undefined;
  };
  const append = (file: AppendFile): AppendFile => ({
    get size() {
      return file.size;
    },
    async append(data) {
      const kept = admit(data.length);
      if (kept === undefined) return file.append(data);
      if (kept > 0) await file.append(data.subarray(0, kept));
      throw new Error('ECUT: the power failed');
    },
    close: () => file.close(),
  });
  return {
    ...disk,
    read: (path) => disk.read(path),
    part: (path, offset, length) => disk.part(path, offset, length),
    async write(path, data) {
      // The new file was never renamed: the old one stands.
      if (admit(data.length) !== undefined) throw new Error('ECUT: the power failed');
      await disk.write(path, data);
      if (trouble.diskSlow > 0) await sleep(clock, trouble.diskSlow);
    },
    append: async (path) => append(await disk.append(path)),
    remove: (path) => disk.remove(path),
    list: (folder) => disk.list(folder),
    room: (folder) => disk.room(folder),
  };
}
