/** The technician's console on a serial line, for as long as the gateway runs. */
import type { World } from '#shared/kernel/world.ts';
import type { Answerer } from '../diagnostics/adapter-socket.ts';
import { keepSerial, type SerialSpec } from './adapter-serialport.ts';
import { Console } from './console.ts';
import { consoleCode } from './console-code.ts';

export interface SerialConsole {
  close(): Promise<void>;
}

/** Serves the console; a line that is not there is waited for. */
export async function startConsole(
  world: World,
  options: {
    readonly state: string;
    readonly line: SerialSpec;
    readonly gateway: () => string;
    readonly answer: Answerer;
  },
): Promise<SerialConsole> {
  const { state, gateway, answer } = options;
  const code = await consoleCode(world, state);
  const session = new Console({ world, gateway, code, answer, write: (data) => line.write(data) });
  const line = keepSerial(world, options.line, {
    opened: () => session.begin(),
    data: (octets) => session.data(octets),
    closed(why) {
      world.log.info('console.line-lost', { path: options.line.path, why });
      session.end();
    },
  });
  return {
    async close() {
      session.end();
      await line.close();
    },
  };
}
