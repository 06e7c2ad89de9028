/**
 * Several processes of one server (the softswitch) side by side: what each knows of the others. A process is known by its *owner* name, made anew at every start: what bears the
 * name of a process that has ended is nobody's, and the main process gives it to one that lives.
 */
/** `index-random`: the place of the process, and which start of it. */
export const OWNER = /^(\d{1,2})-[0-9a-f]{8}$/;

export const indexOf = (owner: string): number => Number(OWNER.exec(owner)?.[1] ?? 0);

/** What a process is handed to get on with the others. */
export interface Fleet {
  readonly owner: string;
  readonly index: number;
  /** Owners of all processes that live now, this one among them, in the order of their places. */
  alive(): readonly string[];
  /** Hands plain data to another process; lost where that is gone. */
  send(to: string, message: unknown): void;
  onMessage(handler: (from: string, message: unknown) => void): void;
  /** Somebody came or went. */
  onChange(handler: () => void): void;
  /** Takes over what the processes before this one at its place left; once it listens, for one that cannot must take nothing. */
  inherit(): Promise<void>;
  /**
   * Asks for the established call that has a dialog of this Call-ID: the calls that are this process's from now on, the process that
   * has it, or nothing.
   */
  claim(callId: string): Promise<Claimed>;
  /** The owner that has the calls of a session, whatever their state; nothing where nobody knows. */
  where(session: string): Promise<Claimed>;
  /** False while the main process is away. */
  readonly linked: boolean;
  /** Asks for places of a line or trunk that has so many in all; resolves to how many are this process's now beside those that were. */
  lease(id: string, limit: number): Promise<number>;
  /** Gives places back; a negative number says that as many were taken, whatever the limit. */
  gave(places: readonly (readonly [string, number])[]): void;
  /** Another process needs places of a line or trunk: the handler gives up to so many. `held`: all places that are this process's. */
  onRecall(handler: (id: string, needed: number) => number, held: () => readonly (readonly [string, number])[]): void;
  /** Calls of a process that is gone have become this one's; resolves once they go on. */
  onGiven(handler: (calls: readonly string[]) => Promise<void>): void;
}

export interface Claimed {
  readonly mine?: readonly string[];
  readonly owner?: string;
}
