/**
 * A mobile modem as a program of its own, behind two serial lines: `modem-program.ts COMMANDS SOUND`. It says a tone of 850 Hz, and prints
 * the number that it dials, the level of 440 Hz that it hears, and that it hung up.
 */
import { SerialPort } from 'serialport';
import { hostWorld } from '#shared/host/world.ts';
import { every } from '#shared/kernel/time.ts';
import { sine } from '#shared/rtp/measure.ts';
import { SimModem } from '#simulator/modem.ts';

const [commands = '', sound = ''] = process.argv.slice(2);
const { clock } = hostWorld();
const modem = new SimModem(clock, sine(850, -17, 8000));
const [control, audio] = [commands, sound].map((path) => new SerialPort({ path, baudRate: 115_200, lock: false }));
modem.wire(
  (text) => void control?.write(text),
  (octets) => void audio?.write(octets),
);
control?.on('data', (octets: Buffer) => modem.type(octets));
audio?.on('data', (octets: Buffer) => modem.hear(octets));
let said = '';
every(clock, 100, () => {
  const now = modem.calling
    ? `dialled ${modem.dialled}, hears ${modem.level(440) > -30 ? 'the tone' : 'nothing'}`
    : 'idle';
  if (now !== said) process.stdout.write(`${now}\n`);
  said = now;
});
