/** What the calls of the softswitch ask of the rest of it. */

import type { Bus } from '#cloud/bus/bus.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { HoldMusic } from './hold-music.ts';
import type { LineCountsOptions } from './line-counts.ts';
import type { Callee, Live } from './live.ts';
import type { Reporter } from './reporter.ts';
import type { Snapshots } from './snapshots.ts';
import type { TrunkWay, WayFailure } from './trunk/trunk.ts';

export interface CallsOptions extends LineCountsOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly sip: SipPort;
  readonly domain: string;
  readonly isOurs: (host: string) => boolean;
  readonly reporter: Reporter;
  readonly snapshots: Snapshots;
  readonly music: HoldMusic;
  /** Looks for the way of a new call and feeds `routed`, `held` or `refused`. */
  readonly route: (live: Live) => Soon<void>;
  /** Looks for another way and feeds `rerouted` or `refused`. */
  readonly reroute: (live: Live, leg: string, reason: string, moved?: string) => Promise<void>;
  /** It began, rang, was answered or ended, as far as a phone that watches can tell. */
  readonly changed?: (live: Live) => void;
  readonly closeFlow: (flow: Flow) => void;
  /** The way to this phone leads nowhere any more. */
  readonly flowGone: (to: Callee) => void;
  /** A trunk took a call, or did not and `next` is tried. */
  readonly trunkHeard: (way: TrunkWay, heard: 'works' | WayFailure, next?: TrunkWay) => void;
  /** A call to the outside is answered. */
  readonly answeredOutside?: (call: string) => void;
  /** A call is over. */
  readonly ended?: (live: Live, reason: string) => void;
}
