/** The words between a process of a fleet and the main process, beside those of bus and store. */
import type { StoreMessage } from '../store/linked.ts';
import type { CloudConfig } from './config.ts';
import type { Claimed } from './fleet.ts';
import type { BusMessage } from './link.ts';
import type { Health } from './part.ts';

/** Changes whenever two versions would misunderstand each other. */
export const FLEET_VERSION = 3;

/** The addresses that a process listens at. */
export type BoundSip = Pick<CloudConfig['bound'], 'sipUdp' | 'sipTcp' | 'sips' | 'ws' | 'wss'>;

/** Ids of lines and trunks, each with a number of calls that may begin. */
export type Places = readonly (readonly [string, number])[];

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
  /** From the child: the places that it holds already, said once a link is there. */
  | { readonly on: 'holds'; readonly places: Places }
  /** From the child: it wants places of a line or trunk; and how many it gets. */
  | { readonly on: 'lease'; readonly n: number; readonly id: string; readonly limit: number }
  | { readonly on: 'leased'; readonly n: number; readonly id: string; readonly places: number }
  /** To the child: another one needs so many; and how many it gives. */
  | { readonly on: 'recall'; readonly n: number; readonly id: string; readonly needed: number }
  | { readonly on: 'returned'; readonly n: number; readonly id: string; readonly places: number }
  /** From the child: it gives places back; a negative number: it took as many, whatever the limit. */
  | { readonly on: 'gave'; readonly places: Places }
  | { readonly on: 'stop' };

export type LinkMessage = BusMessage | StoreMessage | FleetMessage;
