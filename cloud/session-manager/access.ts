/** Who may do what with which session. Identity is the channel's; what one may not see does not exist for one. Pure. */
import type { Principal } from '#cloud/bus/bus.ts';
import { sees } from '#cloud/store/directory.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { PartyFacts } from './choice.ts';

/** True where the session touches a home that the principal sees. An operator sees all sessions. */
export function seesSession(principal: Principal, homes: readonly string[]): boolean {
  if (principal.kind === 'part') return true;
  if (principal.kind === 'account' && principal.homes === 'all') return principal.role === 'operator';
  return homes.some((home) => sees(principal, home));
}

/** The fault of one who would act for a line that is not theirs: for them, that line is not there. */
export function notTheirs(principal: Principal, party: PartyFacts): Fault | undefined {
  if (principal.kind === 'part' || (principal.kind === 'account' && principal.role === 'operator')) return undefined;
  if (party.line !== undefined && sees(principal, party.line.home)) return undefined;
  return fault('not_found', 'You have no such line.');
}
