/**
 * Entry of the process that holds guests. It takes one JSON command per line on standard input, writes one event per line, and ends
 * with its parent. Node's permission model keeps it from files, processes and network, as a second wall behind the sandbox.
 *
 * Events are written in place (not queued), so that the parent knows whose turn it is even when that turn never ends.
 */
import { writeSync } from 'node:fs';
import { Cells } from './cells.ts';
import { cpuMeter } from './meter.ts';
import type { GuestSpec } from './sandbox.ts';
import type { FromProcess, ToProcess } from './wire.ts';

function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function write(event: FromProcess): void {
  let octets: Uint8Array = Buffer.from(`${JSON.stringify(event)}\n`);
  while (octets.length > 0) {
    try {
      octets = octets.subarray(writeSync(1, octets));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(0);
    }
  }
}

const cells = new Cells({ meter: () => cpuMeter(cpu), emit: write, turn: (id) => write({ on: 'begin', id }) });
let order: Promise<void> = Promise.resolve();

function obey(command: ToProcess): void | Promise<void> {
  if (command.do === 'start') return cells.start(command.guest satisfies GuestSpec);
  if (command.do === 'deliver') return cells.deliver(command.id, command.text);
  if (command.do === 'stop') return cells.stop(command.id);
  return write({ on: 'pong' });
}

let held = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text: string) => {
  held += text;
  const lines = held.split('\n');
  held = lines.pop() ?? '';
  for (const line of lines) order = order.then(() => obey(JSON.parse(line) as ToProcess));
});
process.stdin.on('end', () => process.exit(0));
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
write({ on: 'ready' });
