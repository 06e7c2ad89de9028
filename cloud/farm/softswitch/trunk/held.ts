/** What is known of a trunk while it is used, and what it was asked. */
import type { TrunkRow } from '#cloud/store/outside.ts';
import type { NamedFlow } from '#shared/host/sip-resolver.ts';
import type { Timer } from '#shared/kernel/world.ts';
import type { TrunkHealth } from './health.ts';
import type { Trunk } from './trunk.ts';

export interface Held {
  readonly trunk: Trunk;
  readonly row: TrunkRow;
  readonly health: TrunkHealth;
  readonly callId: string;
  seq: number;
  timer?: Timer;
  /** The flows to its servers, by which its own calls are known too. */
  flowIds: ReadonlySet<string>;
  /** Those that were opened to tell what became of its calls. */
  readonly backIds: Set<string>;
  /** What its certificate was refused for the last time. */
  refused?: string | undefined;
  /** Why a connection that it opened was closed the last time. */
  turnedAway?: string | undefined;
}

export interface Asked {
  readonly held: Held;
  readonly what: 'register' | 'probe';
  readonly way: NamedFlow;
}
