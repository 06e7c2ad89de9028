/** What pairing's stages mean for its end: which cause is named when time runs out, and when a pairing is complete. Pure. */
import type { GatewayRow } from '#cloud/store/directory.ts';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { FAIL_SAFE } from '#shared/protocol/pairing.ts';

export interface Report {
  readonly doc: string;
  readonly state: string;
}

/** The cause of a pairing that was not done in time, named by how far it had come. */
export function timeoutCause(stage: GatewayRow['stage']): FaultCode {
  return stage === 'reconnecting' ? 'pairing_not_connected' : 'pairing_timeout';
}

/** Milliseconds until a pairing's fail-safe, by wall clock; never more than the whole time, whatever the clock did. */
export function failSafeIn(claimedAt: number, now: number): number {
  return Math.max(0, Math.min(FAIL_SAFE, claimedAt + FAIL_SAFE - now));
}

/** What the reports of a gateway say about its pairing: every document of its home has to be applied. */
export function verdict(desired: readonly string[], reports: readonly Report[]): 'paired' | 'rejected' | 'open' {
  if (reports.some((report) => report.state === 'rejected')) return 'rejected';
  const applied = new Set(reports.map((report) => report.doc));
  return desired.every((doc) => applied.has(doc)) ? 'paired' : 'open';
}
