/** Entry of a softswitch in a process of its own. Its one argument is `SoftswitchProcessOptions` as JSON; see `fleet/member.ts`. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { socketPipe } from '#cloud/bus/adapter-pipe.ts';
import { openReader } from '#cloud/store/adapter-sqlite.ts';
import { logUnhandled } from '#shared/host/unhandled.ts';
import { hostWorld } from '#shared/host/world.ts';
import { FleetMember } from './fleet/member.ts';

export interface SoftswitchProcessOptions {
  /** Path of the main process's socket; beside it lies `.token`. */
  readonly socket: string;
  readonly index: number;
  /** Least level of the log. */
  readonly level: string;
}

const { socket, index, level } = JSON.parse(process.argv[2] ?? '{}') as SoftswitchProcessOptions;
const world = hostWorld({ level: level as 'warn' });
logUnhandled(world.log);
const member = new FleetMember({
  ...{ world, index, pid: process.pid },
  token: readFileSync(`${socket}.token`, 'utf8').trim(),
  dial: () => socketPipe(connect(socket), world.clock),
  reader: openReader,
  exit: (code) => process.exit(code),
});
process.on('SIGTERM', () => void member.end(0));
// A signal to the whole group of a terminal: the main process decides in which order its parts end.
process.on('SIGINT', () => undefined);
member.start();
