/** What the handlers of messages share. */
import type { PartContext } from '#cloud/bus/part.ts';
import type { Addressee, Intake } from './intake.ts';
import type { Outcomes } from './outcomes.ts';

export interface Desk {
  readonly context: PartContext;
  readonly intake: Intake;
  readonly outcomes: Outcomes;
  /** Something waits for these now. */
  readonly wake: (addressees: readonly Addressee[]) => void;
}
