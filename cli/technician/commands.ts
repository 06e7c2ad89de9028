/** The technician's commands in a shell: flags say which gateway, the rest is the same as on its serial console. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Option } from '#shared/host/config.ts';
import type { Command, Io } from '../command.ts';
import type { TechnicianWords } from './words.ts';

const target = {
  state: { kind: 'text', value: 'DIR', about: 'the gateway on this machine: its state folder' },
  gateway: { kind: 'text', value: 'ID', about: 'a gateway far away, through the cloud' },
  cloud: { kind: 'text', value: 'URL', about: 'the cloud’s open API', fallback: 'http://127.0.0.1:8080' },
  token: { kind: 'text', value: 'TOKEN', about: 'bearer token (or HEARTHLINE_TOKEN)' },
} as const satisfies Record<string, Option>;

/** The command of these words; its code is loaded now. */
export async function technicianCommand(words: TechnicianWords): Promise<Command> {
  const { techCommands, longFlags, wordsTaken } = await import('#device/diagnostics/commands/table.ts');
  const command = techCommands.find((one) => one.words === words);
  if (command === undefined) throw new Error(`no command ${words}`);
  const offline = words === 'check list';
  return {
    about: command.about,
    usage: `hearthline ${words}${command.takes === undefined ? '' : ` ${command.takes}`} ${offline ? '' : '--state DIR | --gateway ID --cloud URL --token TOKEN '}[options]`,
    options: offline ? command.options : { ...target, ...command.options },
    words: wordsTaken(command),
    flags: longFlags,
    async run({ values, words: rest }, io) {
      const channel = offline ? nowhere : await channelOf(values, io);
      if (channel === undefined) return 3;
      const ending = interrupted(io.unread);
      try {
        return await command.run({
          values,
          words: rest,
          place: {
            channel,
            out: io.out,
            error: io.error,
            wall: () => Date.now(),
            pause: ending.pause,
            save,
          },
        });
      } catch (error) {
        io.error(`hearthline ${words}: ${error instanceof Error ? error.message : String(error)}`);
        return 3;
      } finally {
        ending.done();
      }
    },
  };
}

const nowhere = { ask: () => Promise.reject(new Error('this command asks nobody')) };

async function channelOf(values: Readonly<Record<string, string>>, io: Io) {
  const { state, gateway, cloud = '', token } = values;
  const { cloudChannel, localChannel } = await import('./channels.ts');
  // A session of the cloud needs no gateway to be named.
  if (gateway !== undefined || (state === undefined && token !== undefined)) {
    if (token !== undefined) return cloudChannel(gateway, cloud, token);
    io.error('hearthline: --token is missing: bearer token (or HEARTHLINE_TOKEN)');
    return undefined;
  }
  if (state !== undefined) return localChannel(state);
  io.error('hearthline: say which gateway: --state DIR on its own machine, or --gateway ID with --cloud and --token.');
  return undefined;
}

/** Keeps a file for the person; `-` would be one of that name, which nobody means. */
function save(name: string, data: Uint8Array): Promise<void> {
  if (name === '-') throw new Error('give the name of a file; it does not go to standard output');
  return writeFile(resolve(name), data, { mode: 0o600 });
}

/** A pause that Ctrl-C ends, and a reader who has gone, so that following ends in order. */
function interrupted(unread: AbortSignal) {
  let ended = false;
  let wake: () => void = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  unread.addEventListener('abort', end);
  return {
    pause: async (ms: number): Promise<boolean> => {
      if (!ended)
        await new Promise<void>((done) => {
          const timer = setTimeout(done, ms);
          wake = () => {
            clearTimeout(timer);
            done();
          };
        });
      return !ended;
    },
    done() {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      unread.removeEventListener('abort', end);
    },
  };
}
