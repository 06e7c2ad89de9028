/** Who may call which verb and hear of which events. Pure; fails closed. This is the one place where roles and scopes are judged. */
import type { Principal } from '#cloud/bus/bus.ts';
import { sees } from '#cloud/store/directory.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Role, VerbEntry } from '#shared/protocol/verb.ts';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';

type AccountPrincipal = Extract<Principal, { readonly kind: 'account' }>;

/** Roles that may call a verb whose entry names none. */
export const defaultRoles: readonly Role[] = ['operator', 'subscriber'];

/** What a technician may read at the homes whose owners consent: how things stand, never what people say or write. */
const TECHNICIAN_READS: readonly string[] = [
  'homes:read',
  'lines:read',
  'gateways:read',
  'devices:read',
  'sessions:read',
  'presence:read',
  'qos:read',
];

/** Scopes that belong to a person or to the operator: no application gets them, whoever consents. */
const CLOSED_TO_APPLICATIONS = [
  'keys',
  'clients',
  'consents',
  'accounts',
  'farm',
  'audit',
  'alarms',
  'diagnosis',
  'self',
];

/** Asks for a verb that needs no credential come from nobody: no role opens anything with no home and no scope. */
export const nobody: AccountPrincipal = {
  kind: 'account',
  account: 'nobody',
  role: 'subscriber',
  homes: [],
  scopes: [],
};

/** The roles that may call a verb. */
export function rolesOf(entry: VerbEntry): readonly Role[] {
  if (entry.roles !== undefined) return entry.roles;
  return TECHNICIAN_READS.includes(entry.scope ?? '') ? [...defaultRoles, 'technician'] : defaultRoles;
}

/** Whether the credential's role and scopes cover the verb; said before the request's fields are looked at. */
export function mayCall(entry: VerbEntry, principal: Principal | undefined): Fault | undefined {
  if (entry.http?.open === true) return undefined;
  if (principal === undefined) return fault('unauthorized');
  if (principal.kind !== 'account' || entry.scope === undefined) return fault('forbidden');
  if (!rolesOf(entry).includes(principal.role))
    return fault('forbidden', `The role ${principal.role} may not do that.`);
  if (!holds(principal, entry.scope)) return fault('forbidden', `The credential lacks the scope ${entry.scope}.`);
  return undefined;
}

/** Whoever has a credential may ask whose it is. */
function holds({ scopes, account }: Pick<AccountPrincipal, 'scopes' | 'account'>, scope: string): boolean {
  return scopes === 'all' || scopes.includes(scope) || (scope === 'self:read' && account !== nobody.account);
}

/** A home that the credential may not see does not exist for it. */
export function homeFault(principal: Principal, request: Readonly<Record<string, unknown>>): Fault | undefined {
  const home = request.home;
  return typeof home !== 'string' || sees(principal, home) ? undefined : fault('not_found', 'There is no such home.');
}

/** Every scope of the table with the roles that some verb grants it to. */
const rolesByScope: ReadonlyMap<string, ReadonlySet<Role>> = (() => {
  const found = new Map<string, Set<Role>>();
  for (const name of Object.keys(verbs) as VerbName[]) {
    const entry = verbEntry(name);
    if (entry?.scope === undefined || entry.http === undefined) continue;
    const known = found.get(entry.scope) ?? new Set();
    for (const role of rolesOf(entry)) known.add(role);
    found.set(entry.scope, known);
  }
  return found;
})();

/** The scopes that a role can have. */
export function scopesOfRole(role: Role): string[] {
  return [...rolesByScope].flatMap(([scope, roles]) => (roles.has(role) ? [scope] : [])).sort();
}

/** Whether an application may be given a scope by a subscriber. */
export function isGrantable(scope: string): boolean {
  const [resource = ''] = scope.split(':');
  return !CLOSED_TO_APPLICATIONS.includes(resource) && rolesByScope.get(scope)?.has('subscriber') === true;
}

/** Whose events need another scope than their resource's name says. */
const READ_BY: Readonly<Record<string, string>> = { call: 'sessions:read', leg: 'sessions:read' };

/**
 * Whether somebody may hear of events of a type (`home.<resource>.v1.<what>`): who may not read messages hears of none. A resource
 * that no verb reads is covered by the scope of the events themselves.
 */
export function mayHear({ role, scopes }: Pick<AccountPrincipal, 'role' | 'scopes'>, type: string): boolean {
  const resource = type.split('.')[1] ?? '';
  const scope = [READ_BY[resource] ?? '', `${resource}s:read`, `${resource}:read`].find((one) => rolesByScope.has(one));
  if (scope === undefined) return role !== 'technician';
  return rolesByScope.get(scope)?.has(role) === true && (scopes === 'all' || scopes.includes(scope));
}
