/** What the operator is told of a trunk: that it does not serve, and that somebody came in its name who could not prove it. */
import type { Bus } from '#cloud/bus/bus.ts';
import type { Log } from '#shared/kernel/world.ts';
import { SELF } from '../media.ts';
import type { TrunkHealth } from './health.ts';
import type { Trunk } from './trunk.ts';

export class TrunkAlarms {
  readonly #bus: Bus;
  readonly #log: Log;

  constructor(bus: Bus, log: Log) {
    this.#bus = bus;
    this.#log = log;
  }

  changed({ id, settings }: Trunk, { at, cause }: TrunkHealth): void {
    this.#log.info('softswitch.trunk', { trunk: id, state: at, cause });
    const text = `The trunk ${settings.name} does not serve: ${cause}.`;
    this.#tell(`trunk-down-${id}`, at === 'down' ? text : undefined);
  }

  /** `why` a connection that it opened was refused; undefined: the last one was not. */
  turnedAway({ id, settings }: Trunk, why: string | undefined): void {
    this.#log.info('softswitch.trunk-certificate', { trunk: id, why });
    const text = `A connection of the trunk ${settings.name} was refused: ${why}.`;
    this.#tell(`trunk-certificate-${id}`, why === undefined ? undefined : text);
  }

  /** Without a text it is over. */
  #tell(cause: string, text: string | undefined): void {
    const told =
      text === undefined
        ? this.#bus.request('alarm.clear', { cause }, SELF)
        : this.#bus.request('alarm.raise', { severity: 'major', cause, text }, SELF);
    void told.catch(() => undefined);
  }
}
