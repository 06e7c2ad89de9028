/**
 * Tells systemd that a service is ready, what it does, and that it lives (sd_notify(3)). Node.js opens no datagram sockets of the
 * Unix kind; so the unit hands over a connected one: `OpenFile=/run/systemd/notify:notify` (systemd.service(5), since 253), and
 * what is written to that descriptor goes out as one message with this process's own credentials.
 */
import { write } from 'node:fs';
import { every } from '#shared/kernel/time.ts';
import type { Clock } from '#shared/kernel/world.ts';

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST = 3;

type Environment = Readonly<Record<string, string | undefined>>;

/** The descriptor named `notify`; undefined where none was handed to this process. */
export function notifyDescriptor(environment: Environment, pid: number): number | undefined {
  if (environment.LISTEN_PID !== String(pid)) return undefined;
  const index = (environment.LISTEN_FDNAMES ?? '').split(':').indexOf('notify');
  return index >= 0 && index < Number(environment.LISTEN_FDS) ? FIRST + index : undefined;
}

/** How often the watchdog wants to hear of this process, ms: half of its patience. Undefined where there is none. */
export function watchdogPeriod(environment: Environment, pid: number): number | undefined {
  const patience = Number(environment.WATCHDOG_USEC ?? '') / 1000;
  const ours = environment.WATCHDOG_PID === undefined || environment.WATCHDOG_PID === String(pid);
  return ours && Number.isFinite(patience) && patience >= 2 ? patience / 2 : undefined;
}

export interface Notifier {
  /** The service has started. */
  ready(): void;
  /** One line for `systemctl status`. */
  status(line: string): void;
  stopping(): void;
}

/** `healthy` is asked before each sign of life: without one, systemd restarts the service. */
export function systemdNotifier(clock: Clock, environment: Environment, pid: number, healthy: () => boolean): Notifier {
  const descriptor = notifyDescriptor(environment, pid);
  // A message that does not get through is missed by nobody but the watchdog, and that is its purpose.
  const tell = (text: string) => (descriptor === undefined ? undefined : write(descriptor, text, () => {}));
  const period = watchdogPeriod(environment, pid);
  let stop = () => {};
  return {
    ready() {
      tell('READY=1');
      if (period !== undefined && descriptor !== undefined)
        stop = every(clock, period, () => {
          if (healthy()) tell('WATCHDOG=1');
        });
    },
    status: (line) => tell(`STATUS=${line.replace(/\s+/g, ' ').slice(0, 400)}`),
    stopping() {
      stop();
      tell('STOPPING=1');
    },
  };
}
