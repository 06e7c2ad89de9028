/** Live commands of a session as its journal knows them: what plays, what is gathered, what is recorded. Pure. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

/** A session, as far as commands are concerned. */
interface WithCommands {
  readonly commands?: CommandState[];
}

export type CommandView = VerbReply<'call.stop'>;
export type CommandResult = 'completed' | 'stopped' | 'interrupted' | 'timeout' | 'finished' | 'failed' | 'hangup';

/** How digits are gathered; times in ms. */
export interface GatherPlan {
  readonly min: number;
  readonly max: number;
  readonly finish?: string;
  readonly first: number;
  readonly between: number;
  /** The first digit cuts the prompt short. */
  readonly interrupt: boolean;
}

/** A command as it was asked for. */
export interface CommandPlan {
  readonly id: string;
  readonly verb: CommandView['verb'];
  readonly legs: readonly string[];
  /** Into the session's room rather than to legs. */
  readonly room: boolean;
  readonly item?: string;
  readonly tone?: 'ringback' | 'busy' | 'dial';
  readonly loop?: boolean;
  /** Factor of the loudness; absent: 1. */
  readonly gain?: number;
  /** Waits for its turn where its legs hear something already; otherwise it takes their place. */
  readonly queue: boolean;
  readonly gather?: GatherPlan;
  readonly recording?: string;
  /** The home that a recording belongs to, and its longest time, ms. */
  readonly home?: string;
  readonly limit?: number;
}

export interface CommandState extends CommandPlan {
  state: CommandView['state'];
  readonly at: number;
  digits: string;
  /** Wall clock, ms: when it began to wait for a digit; absent while its prompt plays. */
  since?: number;
  result?: CommandResult;
  endedAt?: number;
}

/** Commands that a session may have had. */
export const COMMANDS_PER_SESSION = 200;
/** Digits that a session's journal takes. */
export const DIGITS_PER_SESSION = 500;

/** What the journal says of commands. */
export interface CommandEvents {
  readonly commanded: { readonly command: CommandPlan; readonly queued: boolean };
  readonly 'command-started': { readonly command: string };
  /** The prompt of a gather has ended. */
  readonly prompted: { readonly command: string };
  readonly digit: { readonly digit: string; readonly duration: number };
  readonly 'command-ended': {
    readonly command: string;
    readonly verb: CommandView['verb'];
    readonly result: CommandResult;
    readonly digits?: string;
    readonly recording?: string;
  };
}

export function findCommand(state: WithCommands, id: string): CommandState | undefined {
  return state.commands?.find((command) => command.id === id);
}

/** Commands that are not done. */
export function openCommands(state: WithCommands): CommandState[] {
  return state.commands?.filter((command) => command.state !== 'done') ?? [];
}

export function newCommand(plan: CommandPlan, at: number, queued: boolean): CommandState {
  const command: CommandState = { ...plan, state: queued ? 'queued' : 'running', at, digits: '' };
  if (!queued) begin(command, at);
  return command;
}

/** A gather without a prompt waits from its start on. */
export function begin(command: CommandState, at: number): void {
  command.state = 'running';
  if (command.gather !== undefined && command.item === undefined) command.since = at;
}

/** Takes a digit of a leg into the gather that waits for it. */
export function takeDigit(state: WithCommands, leg: string, digit: string, at: number): void {
  const command = gatherOf(state, leg);
  if (command === undefined) return;
  command.since = at;
  if (digit !== command.gather?.finish) command.digits += digit;
}

/** The gather that hears a leg's digits now. */
export function gatherOf(state: WithCommands, leg: string): CommandState | undefined {
  return state.commands?.find(
    (one) =>
      one.state === 'running' &&
      one.gather !== undefined &&
      one.legs.includes(leg) &&
      (one.since !== undefined || one.gather.interrupt),
  );
}

/** When a gather gives up, wall clock ms; undefined while nothing runs out. */
export function gatherDeadline(command: CommandState): number | undefined {
  const { gather, since, digits, state } = command;
  if (state !== 'running' || gather === undefined || since === undefined) return undefined;
  return since + (digits === '' ? gather.first : gather.between);
}

export function end(command: CommandState, result: CommandResult, at: number): void {
  if (command.state === 'done') return;
  command.state = 'done';
  command.result = result;
  command.endedAt = at;
}

export function commandView(command: CommandState): CommandView {
  const { id, verb, legs, state, result, digits, gather, recording, at, endedAt } = command;
  return {
    id,
    verb,
    legs: [...legs],
    state,
    ...(result === undefined ? {} : { result }),
    ...(gather === undefined ? {} : { digits }),
    ...(recording === undefined ? {} : { recording }),
    startedAt: at,
    ...(endedAt === undefined ? {} : { endedAt }),
  };
}
