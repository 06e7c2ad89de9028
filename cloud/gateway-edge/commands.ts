/** Commands on their way: what was sent down to whom and waits for its answer. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { verbEntry } from '#shared/protocol/verbs/index.ts';
import type { Connection } from './adapter-aedes.ts';

/** Commands that may wait for one gateway's answers. */
export const COMMANDS_LIMIT = 64;

interface Waiting {
  readonly connection: Connection;
  settle(outcome: Result<unknown, Fault>): void;
}

export class Commands {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  readonly #counts = new Map<Connection, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why a command cannot be sent: unknown verb, or a body that does not fit. */
  static refusal(verb: string, body: unknown): Fault | undefined {
    const entry = verbEntry(verb);
    if (!entry?.gateway?.includes('cmd')) return fault('bad_request', 'That verb is no command.', { pointer: '/verb' });
    return misfit(entry.request, body);
  }

  /** Runs `send`, which gives the command's id, and waits for the answer; `timeout` in ms. */
  wait(connection: Connection, send: () => string, timeout: number): Promise<Result<unknown, Fault>> {
    const count = this.#counts.get(connection) ?? 0;
    if (count >= COMMANDS_LIMIT) {
      return Promise.resolve(err(fault('rate_limited', 'Too many commands wait for this gateway.')));
    }
    this.#counts.set(connection, count + 1);
    return new Promise((resolve) => {
      const id = send();
      const settle = (outcome: Result<unknown, Fault>) => {
        timer.cancel();
        this.#waiting.delete(id);
        const left = (this.#counts.get(connection) ?? 1) - 1;
        if (left === 0) this.#counts.delete(connection);
        else this.#counts.set(connection, left);
        resolve(outcome);
      };
      const timer = this.#clock.at(this.#clock.mono() + timeout, () =>
        settle(err(fault('timeout', 'The gateway did not answer in time.'))),
      );
      this.#waiting.set(id, { connection, settle });
      // What could not even be queued has closed the connection.
      if (!connection.open) settle(err(fault('gateway_offline')));
    });
  }

  /** An answer came on a connection; an answer to another gateway's command, or a late one, is nothing. */
  answered(connection: Connection, re: string, outcome: Result<unknown, Fault>): void {
    const waiting = this.#waiting.get(re);
    if (waiting?.connection === connection) waiting.settle(outcome);
  }

  /** The connection is gone, and with it every answer. */
  lost(connection: Connection): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.connection === connection) waiting.settle(err(fault('gateway_offline')));
    }
  }

  /** What a gateway answered, in the form that the verb promises. */
  static checked(verb: string, outcome: Result<unknown, Fault>): Result<{ body: unknown }, Fault> {
    if (!outcome.ok) return outcome;
    const entry = verbEntry(verb);
    const wrong = entry === undefined ? undefined : misfit(entry.reply, outcome.value);
    if (wrong === undefined) return ok({ body: outcome.value });
    return err(fault('gateway_refused', 'The gateway’s answer is not of the form that the verb promises.'));
  }
}
