/** Calls of an earlier process, or of another one that has ended, taken up from their rows. */
import { CALLER, type Party } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { isGone, type PendingSide, Restorer } from '#shared/host/call-restore.ts';
import type { Address, Clock } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import type { FleetSide } from './fleet/side.ts';
import type { Live } from './live.ts';
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
  #done = false;

  constructor(options: TakeUpOptions) {
    this.#o = options;
    this.restorer = this.#newRestorer();
  }

  /** What this process, or the one before it, left; their dialogs go on once `restorer` begins. */
  async start(): Promise<void> {
    await this.#take(this.restorer);
    this.#done = true;
  }

  /** All that was left is here: a dialog that nobody knows is nobody's. */
  get done(): boolean {
    return this.#done;
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
    for (const { live, sides, pending } of await calls.snapshots.load(named)) {
      if (calls.get(live.id) !== undefined) continue;
      calls.add(live);
      for (const side of pending) await this.#resume(restorer, live, side);
      for (const side of sides) {
        if (live.handles.has(side.party)) continue;
        const handle = await restorer.add(fleet?.side(side) ?? side);
        calls.bind(live, side.party, handle);
        await fleet?.moved(live, side, handle);
      }
      const lines = [...live.state.branches.values()].map(({ to }) => to.line);
      for (const of of [...lines, live.way, live.cameBy]) if (of !== undefined) calls.count(live, of);
      outside().adopted(live);
      if (live.answeredAt === undefined) this.#goOn(live, named !== undefined);
      else if (pending.length > 0) calls.wasAnswered(live);
    }
  }

  /** A side whose INVITE had no final response, or may not have heard of it. */
  async #resume(restorer: Restorer, live: Live, side: PendingSide): Promise<void> {
    const { clock } = this.#o;
    const handle = await restorer.resume(side);
    if (handle === undefined) return;
    this.#o.calls().bind(live, side.party, handle);
    if (live.answeredAt === undefined || side.sdp === undefined) return;
    restorer.answer(handle, side.sdp, clock.wall() - live.answeredAt);
  }

  /** A call that rang rings on where its process comes again at its address: there its phones answer. Who was on a connection is gone. */
  #goOn(live: Live, elsewhere: boolean): void {
    const { sip } = this.#o;
    const calls = this.#o.calls();
    const gone = (party: Party) => {
      const handle = live.handles.get(party);
      const flow = handle === undefined ? undefined : sip.endpoint.flowOf(handle);
      return flow === undefined || isGone(flow);
    };
    if (elsewhere || gone(CALLER)) {
      calls.feed(live, { on: 'close', reason: 'server_unavailable', status: 503 });
      return;
    }
    for (const party of [...live.state.branches.keys()])
      if (gone(party)) calls.feed(live, { on: 'failed', branch: party, status: 480 });
  }
}
