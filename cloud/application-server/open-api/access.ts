/** Who may call which verb. Pure; fails closed. */
import type { Principal } from '#cloud/bus/bus.ts';
import { sees } from '#cloud/store/directory.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Role, VerbEntry } from '#shared/protocol/verb.ts';

type AccountPrincipal = Extract<Principal, { readonly kind: 'account' }>;

/** Roles that may call a verb whose entry names none. */
export const defaultRoles: readonly Role[] = ['operator', 'subscriber'];

/** Asks for a verb that needs no credential come from nobody: no role opens anything with no home and no scope. */
export const nobody: AccountPrincipal = {
  kind: 'account',
  account: 'nobody',
  role: 'subscriber',
  homes: [],
  scopes: [],
};

/** Whether the credential's role and scopes cover the verb; said before the request's fields are looked at. */
export function mayCall(entry: VerbEntry, principal: Principal | undefined): Fault | undefined {
  if (entry.http?.open === true) return undefined;
  if (principal === undefined) return fault('unauthorized');
  if (principal.kind !== 'account' || entry.scope === undefined) return fault('forbidden');
  if (!(entry.roles ?? defaultRoles).includes(principal.role))
    return fault('forbidden', `The role ${principal.role} may not do that.`);
  if (principal.scopes !== 'all' && !principal.scopes.includes(entry.scope))
    return fault('forbidden', `The credential lacks the scope ${entry.scope}.`);
  return undefined;
}

/** A home that the credential may not see does not exist for it. */
export function homeFault(principal: Principal, request: Readonly<Record<string, unknown>>): Fault | undefined {
  const home = request.home;
  return typeof home !== 'string' || sees(principal, home) ? undefined : fault('not_found', 'There is no such home.');
}
