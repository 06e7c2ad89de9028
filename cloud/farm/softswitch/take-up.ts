/** Calls of an earlier process, or of another one that has ended, taken up from their rows. */
import type { SipPort } from '#shared/host/call-driver.ts';
import { Restorer } from '#shared/host/call-restore.ts';
import type { Address, Clock } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import type { FleetSide } from './fleet/side.ts';
import type { Outside } from './outside.ts';

export interface TakeUpOptions {
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly calls: () => Calls;
  readonly outside: () => Pick<Outside, 'adopted'>;
  readonly fleet: FleetSide | undefined;
  /** Our own flow over UDP to an address. */
  readonly flowTo: (remote: Address) => Promise<Flow>;
}

export class TakeUp {
  /** Of what is there at the start. */
  readonly restorer: Restorer;
  readonly #o: TakeUpOptions;
  readonly #restorers: Restorer[] = [];

  constructor(options: TakeUpOptions) {
    this.#o = options;
    this.restorer = this.#newRestorer();
  }

  /** What this process, or the one before it, left; their dialogs go on once `restorer` begins. */
  start(): Promise<void> {
    return this.#take(this.restorer);
  }

  /** Calls of a process that ended. */
  async adopt(calls: readonly string[]): Promise<void> {
    const restorer = this.#newRestorer();
    await this.#take(restorer, calls);
    restorer.begin();
  }

  stop(): void {
    for (const restorer of this.#restorers) restorer.stop();
  }

  #newRestorer(): Restorer {
    const { sip, clock, flowTo } = this.#o;
    const restorer = new Restorer(sip, clock, flowTo);
    this.#restorers.push(restorer);
    return restorer;
  }

  async #take(restorer: Restorer, named?: readonly string[]): Promise<void> {
    const { fleet, outside } = this.#o;
    const calls = this.#o.calls();
    for (const { live, sides } of await calls.snapshots.load(named)) {
      if (calls.get(live.id) !== undefined) continue;
      calls.add(live);
      for (const side of sides) {
        const handle = await restorer.add(fleet?.side(side) ?? side);
        calls.bind(live, side.party, handle);
        await fleet?.moved(live, side, handle);
      }
      const lines = [...live.state.branches.values()].map(({ to }) => to.line);
      for (const of of [...lines, live.way, live.cameBy]) if (of !== undefined) calls.count(live, of);
      outside().adopted(live);
    }
  }
}
