/** What a command of `hearthline` is, and the exit codes that all of them keep. */
import type { Options, Parsed } from '#shared/host/config.ts';

/** 0 ok, 1 warnings, 2 failed, 3 could not run. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface Command {
  readonly about: string;
  readonly usage: string;
  readonly options: Options;
  /** Rewrites the words of the command line before they are read: short flags. */
  flags?(argv: readonly string[]): string[];
  run(input: Parsed, io: Io): Promise<ExitCode>;
}

/** Where a command writes; results go to standard output, everything else to standard error. */
export interface Io {
  out(text: string): void;
  error(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
}
