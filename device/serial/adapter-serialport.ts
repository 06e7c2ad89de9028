/** Serial lines by the `serialport` package, loaded when a line is wanted: an exclusive lock, and reopened with back-off when it goes. */
import type { SerialPort } from 'serialport';
import type { Timer, World } from '#shared/kernel/world.ts';

export interface SerialSpec {
  readonly path: string;
  readonly baud: number;
}

export interface SerialHandlers {
  /** The line is open (again). */
  opened(): void;
  data(octets: Uint8Array): void;
  /** It went, or could not be opened, and is tried again in a while. */
  closed(why: string): void;
}

export interface SerialLine {
  /** Resolves once the octets are on the wire; rejects where the line is not open. */
  write(data: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const FIRST_WAIT = 500;
const LAST_WAIT = 30_000;
const SPEEDS = [300, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600];

/** `/dev/ttyUSB0` or `/dev/ttyUSB0:9600` (default 115200); undefined where it is neither. */
export function readSerial(text: string): SerialSpec | undefined {
  const match = /^(\/dev\/[A-Za-z0-9._/-]{1,100}?|\/[A-Za-z0-9._/-]{1,200}?)(?::([0-9]{3,6}))?$/.exec(text);
  const baud = Number(match?.[2] ?? 115_200);
  return match?.[1] === undefined || !SPEEDS.includes(baud) ? undefined : { path: match[1], baud };
}

/** Keeps a line open until `close`. */
export function keepSerial({ clock }: Pick<World, 'clock'>, spec: SerialSpec, handlers: SerialHandlers): SerialLine {
  let port: SerialPort | undefined;
  let timer: Timer | undefined;
  let wait = FIRST_WAIT;
  let closed = false;
  /** Each try counts, so that a late word of an old one opens nothing twice. */
  let attempt = 0;

  const again = (why: string) => {
    port = undefined;
    if (closed) return;
    handlers.closed(why);
    timer = clock.at(clock.mono() + wait, () => void open());
    wait = Math.min(LAST_WAIT, wait * 2);
  };
  const open = async () => {
    const mine = ++attempt;
    const { SerialPort } = await import('serialport');
    if (closed || mine !== attempt) return;
    const tried = new SerialPort({ path: spec.path, baudRate: spec.baud, lock: true, hupcl: false, autoOpen: false });
    tried.on('data', (data: Buffer) => handlers.data(new Uint8Array(data)));
    tried.on('error', () => {});
    tried.on('close', (error: Error | null) => {
      if (mine === attempt) again(error?.message ?? 'closed');
    });
    tried.open((error) => {
      if (mine !== attempt || closed) {
        if (error === null) tried.close();
      } else if (error !== null) again(error.message);
      else {
        port = tried;
        wait = FIRST_WAIT;
        handlers.opened();
      }
    });
  };
  void open();
  return {
    write: (data) =>
      new Promise((resolve, reject) => {
        const to = port;
        if (to === undefined) return reject(new Error('the line is not open'));
        to.write(data, (failed) => {
          if (failed) return reject(failed);
          to.drain((error) => (error ? reject(error) : resolve()));
        });
      }),
    close: () =>
      new Promise((resolve) => {
        closed = true;
        timer?.cancel();
        const open = port;
        port = undefined;
        if (open?.isOpen === true) open.close(() => resolve());
        else resolve();
      }),
  };
}
