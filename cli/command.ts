/** What a command of `hearthline` is, and the exit codes that all of them keep. */
import type { Option, Options, Parsed } from '#shared/host/config.ts';

/** 0 ok, 1 warnings, 2 failed, 3 could not run. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface Command {
  readonly about: string;
  readonly usage: string;
  readonly options: Options;
  /** How many words that are no flags it takes at most; none where absent. */
  readonly words?: number;
  /** Rewrites the words of the command line before they are read: short flags. */
  flags?(argv: readonly string[]): string[];
  run(input: Parsed, io: Io): Promise<ExitCode>;
}

/** A word that a person writes behind a flag which takes none. */
export const isTruth = (word: string): boolean => word === 'true' || word === 'false';

/** Thrown by a command that cannot run, with words for the person. */
export class CannotRun extends Error {}

/** Where a command writes; results go to standard output, everything else to standard error. */
export interface Io {
  out(text: string): void;
  error(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Aborted once nobody reads standard output any more (`| head`): a command that follows something ends then, all others go on to their end. */
  readonly unread: AbortSignal;
}

/** `--log`, of what runs for long. */
export const logOption = {
  kind: 'text',
  value: 'LEVEL',
  about: 'debug, info, warn or error',
  choices: ['debug', 'info', 'warn', 'error'],
  fallback: 'warn',
} as const satisfies Option;
