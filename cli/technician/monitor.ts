import { hostWorld } from '#shared/host/world.ts';
import type { Command } from '../command.ts';

/** `serial monitor`: shows what comes over a serial line of this machine, for somebody who looks at a modem or another console. */
export const monitorCommand: Command = {
  about: 'Shows what comes over a serial line of this machine until Ctrl-C; the line is locked meanwhile.',
  words: 1,
  usage: 'hearthline serial monitor TTY[:BAUD] [--seconds S]',
  options: { seconds: { kind: 'number', value: 'S', about: 'end by itself after so long' } },
  async run({ words, values }, io) {
    const { keepSerial, readSerial } = await import('#device/serial/adapter-serialport.ts');
    const line = readSerial(words[0] ?? '');
    if (line === undefined) {
      io.error('serial monitor: give a line such as /dev/ttyUSB0 or /dev/ttyUSB0:9600; `serial list` names them.');
      return 3;
    }
    let opened = false;
    const text = new TextDecoder('latin1');
    const ended = Promise.withResolvers<void>();
    const kept = keepSerial(hostWorld(), line, {
      opened() {
        opened = true;
        io.error(`${line.path} at ${line.baud} baud; Ctrl-C ends.`);
      },
      data: (octets) => void process.stdout.write(text.decode(octets).replace(/[^\P{Cc}\r\n\t]/gu, '?')),
      closed(why) {
        io.error(`${line.path}: ${why}${opened ? '; tried again' : ''}.`);
        // What was there once comes back (an adapter); what never was is a wrong name.
        if (!opened) ended.resolve();
      },
    });
    process.once('SIGINT', () => ended.resolve());
    process.once('SIGTERM', () => ended.resolve());
    io.unread.addEventListener('abort', () => ended.resolve());
    const timer =
      values.seconds === undefined ? undefined : setTimeout(() => ended.resolve(), Number(values.seconds) * 1000);
    await ended.promise;
    clearTimeout(timer);
    await kept.close();
    return opened ? 0 : 2;
  },
};
