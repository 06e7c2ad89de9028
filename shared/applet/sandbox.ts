/**
 * What a sandbox promises, whoever runs it. A guest is one JavaScript bundle in its own WebAssembly instance of QuickJS with its own
 * memory of 16 MiB. It has no authority of its own: one function sends a text to the host, one takes a text from it. Engines:
 * `local` (in this thread, counted in fuel, for the virtual world) and the process of `process.ts` (counted in CPU time).
 */

/** Pages of 64 KiB that a guest's instance has, at its start and at most: 16 MiB. */
export const MEMORY_PAGES = 256;
/** Octets of stack that a guest's code may use. */
export const STACK_LIMIT = 256 * 1024;
/** Milliseconds of CPU that one turn of a guest may take. */
export const TURN_LIMIT = 50;
/** Milliseconds of CPU for the first turn, in which the bundle is read and run. */
export const START_LIMIT = 100;
/** Characters of one message in either direction. */
export const MESSAGE_LIMIT = 64 * 1024;
/** Messages that a guest may send in one turn. */
export const MESSAGES_PER_TURN = 256;

export interface GuestSpec {
  readonly id: string;
  /** JavaScript of the bundle, run once as a script. */
  readonly bundle: string;
  /** JSON text that the guest finds as `hearthline.boot`. */
  readonly boot: string;
}

/**
 * Why a guest has ended. `deadline`: a turn took too long; `memory`: its instance broke (out of memory, stack); `start`: its bundle
 * threw; `killed`: the watchdog ended the process while this guest had the turn; `host-lost`: the process ended for another's fault.
 */
export type GuestEnd = 'deadline' | 'memory' | 'start' | 'killed' | 'host-lost';

export type SandboxEvent =
  /** The guest says something; the text is at most MESSAGE_LIMIT characters of anything. */
  | { readonly on: 'message'; readonly id: string; readonly text: string }
  /** A turn is over; `ms` of CPU (in the virtual world: fuel as ms). `error`: its code threw, which ends nothing. */
  | { readonly on: 'turn'; readonly id: string; readonly ms: number; readonly error?: string }
  | { readonly on: 'ended'; readonly id: string; readonly why: GuestEnd; readonly detail: string };

export interface Sandbox {
  /** Starts a guest; what becomes of it comes as events. A guest of the same id must have ended. */
  start(guest: GuestSpec): void;
  /** Gives a running guest a turn with a text; ignored for others. */
  deliver(id: string, text: string): void;
  /** Ends a guest without an event; harmless when it is gone. */
  stop(id: string): void;
  /** The one listener. Events never come inside a call of this interface. */
  onEvent(handler: (event: SandboxEvent) => void): void;
  close(): Promise<void>;
}
