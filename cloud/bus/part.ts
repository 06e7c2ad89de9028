/** What the composition root starts and stops: a server of the farm, the session manager, the edge, the open API. */
import type { World } from '#shared/kernel/world.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import type { Store } from '../store/store.ts';
import type { Bus } from './bus.ts';
import type { CloudConfig } from './config.ts';
import type { Fleet } from './fleet.ts';

export interface PartContext {
  readonly world: World;
  readonly bus: Bus;
  readonly store: Store;
  readonly config: CloudConfig;
  /** The other processes of the same server; absent where it runs alone, in the main process. */
  readonly fleet?: Fleet;
}

export interface Health {
  readonly state: 'running' | 'degraded';
  /** What is wrong and what to do. */
  readonly advice?: string;
  /** 0 (idle) to 1 (full). */
  readonly load: number;
  /** Legs, endpoints, rooms or reservations that it holds. */
  readonly legs: number;
}

export interface RunningPart {
  health(): Health;
  /** Idempotent; resolves once its sockets are closed and nothing of it runs. What must survive is in the store. */
  stop(): Promise<void>;
}

export interface Part {
  readonly name: ServerName;
  /** Resolves once it serves; rejects with a text that says what to do (a busy port names its flag). */
  start(context: PartContext): Promise<RunningPart>;
}
