import type { Log, LogFields } from '#shared/kernel/world.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];

/** JSON lines with time, level and event; values are escaped by JSON, so input cannot forge a line. */
export function jsonLog(
  write: (line: string) => void,
  level: LogLevel,
  wall: () => number,
  bound: LogFields = {},
): Log {
  const least = levels.indexOf(level);
  const line = (rank: number) => (event: string, fields?: LogFields) => {
    if (rank < least) return;
    const time = new Date(wall()).toISOString();
    write(visible(JSON.stringify({ ...bound, ...fields, time, level: levels[rank], event })));
  };
  return {
    debug: line(0),
    info: line(1),
    warn: line(2),
    error: line(3),
    child: (fields) => jsonLog(write, level, wall, { ...bound, ...fields }),
  };
}

/** JSON leaves these as they are: a terminal that shows the log must not obey them, nor see a line end. */
function visible(line: string): string {
  return line.replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
