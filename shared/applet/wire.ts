/** What the sandbox process and its parent say to each other, one JSON line each. */
import type { GuestSpec, SandboxEvent } from './sandbox.ts';

export type ToProcess =
  | { readonly do: 'start'; readonly guest: GuestSpec }
  | { readonly do: 'deliver'; readonly id: string; readonly text: string }
  | { readonly do: 'stop'; readonly id: string }
  | { readonly do: 'ping' };

export type FromProcess =
  | SandboxEvent
  | { readonly on: 'ready' }
  /** This guest has the turn from now on. */
  | { readonly on: 'begin'; readonly id: string }
  | { readonly on: 'pong' };
