/** The words between a process of a fleet and the main process, beside those of bus and store. */
import type { StoreMessage } from '../store/linked.ts';
import type { CloudConfig } from './config.ts';
import type { Claimed } from './fleet.ts';
import type { BusMessage } from './link.ts';
import type { Health } from './part.ts';

/** Changes whenever two versions would misunderstand each other. */
export const FLEET_VERSION = 2;

/** The addresses that a process listens at. */
export type BoundSip = Pick<CloudConfig['bound'], 'sipUdp' | 'sipTcp' | 'sips' | 'ws' | 'wss'>;

export type FleetMessage =
  /** The first word of a child: who it is, and the token of the folder. */
  | {
      readonly on: 'hello';
      readonly version: number;
      readonly token: string;
      readonly owner: string;
      readonly pid: number;
    }
  /** The answer; a child that has begun with other settings ends itself. `settings`: all of them as they were asked for. */
  | {
      readonly on: 'welcome';
      readonly config: CloudConfig;
      readonly database: string;
      readonly settings: string;
    }
  /** From the child: it serves, at these addresses. */
  | { readonly on: 'up'; readonly bound: BoundSip }
  /** From the child: it could not start, and why. */
  | { readonly on: 'failed'; readonly why: string }
  | { readonly on: 'health'; readonly health: Health }
  | { readonly on: 'alive'; readonly owners: readonly string[] }
  | { readonly on: 'mate'; readonly owner: string; readonly message: unknown }
  | { readonly on: 'inherit'; readonly n: number }
  | { readonly on: 'claim'; readonly n: number; readonly callId: string }
  | { readonly on: 'where'; readonly n: number; readonly session: string }
  | { readonly on: 'claimed'; readonly n: number; readonly claimed: Claimed }
  | { readonly on: 'given'; readonly n: number; readonly calls: readonly string[] }
  | { readonly on: 'taken'; readonly n: number }
  | { readonly on: 'stop' };

export type LinkMessage = BusMessage | StoreMessage | FleetMessage;
