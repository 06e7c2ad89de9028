import { randomBytes } from 'node:crypto';
import type { Log, World } from '#shared/kernel/world.ts';
import { hostClock } from './clock.ts';
import { hostCrypto } from './crypto.ts';
import { hostDisk } from './disk.ts';
import { hostHttp } from './http.ts';
import { jsonLog, type LogLevel } from './log.ts';
import { hostNet } from './net.ts';

export interface HostOptions {
  /** Least level that is written; default `warn`. */
  readonly level?: LogLevel;
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
    random: { bytes: (n) => new Uint8Array(randomBytes(n)), fraction: () => Math.random() },
    net: hostNet(),
    disk: hostDisk(),
    crypto: hostCrypto(),
    http: hostHttp(),
    log,
  };
}
