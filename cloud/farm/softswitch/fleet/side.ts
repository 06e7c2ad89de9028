/** One softswitch process as one of several: what it shares with the others, put together for the server. */
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { SavedSide } from '#shared/host/call-restore.ts';
import type { SipTransport } from '#shared/host/sip.ts';
import type { RegisterOutcome } from '#shared/sip/registrar.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { endOf, type Live } from '../live.ts';
import type { Location } from '../location.ts';
import { Mates } from './mates.ts';
import { SharedBindings } from './shared-bindings.ts';

export interface FleetSideOptions {
  readonly location: Location;
  readonly transport: () => SipTransport;
  readonly sip: () => SipPort;
  /** Takes up calls that are this process's now. */
  readonly restore: (calls: readonly string[]) => Promise<void>;
  readonly cameBack: (gateway: string, flow: Flow) => void;
}

export class FleetSide {
  readonly mates: Mates;
  readonly owner: string;
  readonly #o: FleetSideOptions;
  readonly #shared: SharedBindings;
  readonly #failed: (error: unknown) => void;

  constructor(fleet: Fleet, { world, store }: Pick<PartContext, 'world' | 'store'>, options: FleetSideOptions) {
    this.#o = options;
    this.owner = fleet.owner;
    const { location, transport, restore, cameBack } = options;
    const { clock, log } = world;
    this.#failed = (error) => log.error('softswitch.bindings-not-kept', { error: String(error) });
    const changed = (line?: string) => this.#shared.changed(line);
    this.mates = new Mates({ fleet, store, log, transport, restore, cameBack, changed });
    this.#shared = new SharedBindings({
      ...{ fleet, store, clock, location },
      tell: (line) => this.mates.tell(line),
      flowTo: (remote) => transport().flowTo({ protocol: 'udp', ...remote }),
    });
    location.refresh = (line) => (line === undefined ? this.#shared.syncAll() : this.#shared.sync(line));
  }

  begin(): Promise<void> {
    return this.#shared.begin();
  }

  change(line: string, run: () => RegisterOutcome): Promise<RegisterOutcome> {
    return this.#shared.change(line, run);
  }

  lost(flow: Flow): void {
    const lines = this.#o.location.linesOf(flow);
    if (lines.length > 0) this.#shared.lost(flow, lines).catch(this.#failed);
  }

  gone(line: string, uri?: string): void {
    this.#shared.gone(line, uri).catch(this.#failed);
  }

  /** A side of a call that another process left: from now on the other end knows us by our own address. */
  side(side: SavedSide): SavedSide {
    return { ...side, dialog: { ...side.dialog, contact: this.#o.sip().contact(side.flow) } };
  }

  /** A connection may have come back to any process while nobody had the call. */
  async moved(live: Live, { party, flow }: SavedSide, handle: CallHandle): Promise<void> {
    if (flow.protocol === 'udp') return;
    const { line, gateway } = endOf(live, party);
    if (line === undefined) return;
    await this.#shared.sync(line.id);
    const now = this.#o.location.reached(line.id).find((one) => one.gateway === gateway && one.flow.protocol !== 'udp');
    if (now !== undefined) this.#o.sip().endpoint.moveCall(handle, now.flow);
  }
}
