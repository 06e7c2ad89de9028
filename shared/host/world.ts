import { randomFillSync } from 'node:crypto';
import type { Address, Log, World } from '#shared/kernel/world.ts';
import { hostClock } from './clock.ts';
import { hostCrypto } from './crypto.ts';
import { hostDisk } from './disk.ts';
import { hostHttp } from './http.ts';
import { jsonLog, type LogLevel } from './log.ts';
import { hostNet } from './net.ts';

export interface HostOptions {
  /** Least level that is written; default `warn`. */
  readonly level?: LogLevel;
  /** An HTTP proxy for TLS streams and https requests to other machines. */
  readonly proxy?: Address;
  /** Where lines go; default standard error. */
  readonly write?: (line: string) => void;
}

/** The real world. A process makes one and hands it to everything it starts. */
export function hostWorld(options: HostOptions = {}): World {
  const clock = hostClock();
  const write = options.write ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const log: Log = jsonLog(write, options.level ?? 'warn', () => clock.wall());
  return {
    clock,
    random: { bytes: pooledBytes(), fraction: () => Math.random() },
    net: hostNet(options.proxy),
    disk: hostDisk(),
    crypto: hostCrypto(),
    http: hostHttp(options.proxy),
    log,
  };
}

/** Octets drawn at once: ids and tags need a few each, and every call of the generator has its price. */
const POOL = 4096;

/** Octets of the system's generator, from a pool; what was given out is wiped there. */
function pooledBytes(): World['random']['bytes'] {
  const pool = new Uint8Array(POOL);
  let used = POOL;
  return (n) => {
    if (n > POOL / 4) return randomFillSync(new Uint8Array(n));
    if (used + n > POOL) {
      randomFillSync(pool);
      used = 0;
    }
    const taken = pool.slice(used, used + n);
    pool.fill(0, used, used + n);
    used += n;
    return taken;
  };
}
