/** The rights that a manifest asks for, in words for the person who consents, and how two versions differ in them. Pure. */
import type { Manifest, PermissionName, Permissions } from './applet-manifest.ts';
import { canonical } from './canonical.ts';

export interface Right {
  /** `permission:lan.http`, `scope:calls:write`, `event:home.call.v1.*`, `service:weather`. */
  readonly key: string;
  /** What it means, one sentence without a full stop. */
  readonly words: string;
}

const permissionWords: { readonly [P in PermissionName]-?: (value: NonNullable<Permissions[P]>) => string } = {
  'call.control': ({ numbers, concurrent }) =>
    `In your house: starts calls to ${list(numbers)}, at most ${concurrent} at once; never emergency numbers`,
  'call.events': () => 'In your house: hears when phones ring, answer, press digits and hang up',
  'media.play': ({ items }) => `In your house: plays ${list(items)} to your phones`,
  'lan.discover': ({ types }) => `In your house: sees devices of type ${list(types)}`,
  'lan.http': ({ devices, methods, paths }) =>
    `In your house: sends ${methods.join(' and ')} to ${list(paths)} of ${list(devices)}`,
  storage: ({ kb }) => `On your gateway: keeps up to ${kb} kB of its own data`,
  timer: ({ minimum }) => `On your gateway: wakes itself, at most every ${Math.round(minimum / 1000)} s`,
  'cloud.send': () => 'On your gateway: talks to its own other half in the cloud',
};

function list(items: readonly string[]): string {
  return items.length === 0 ? 'nothing' : items.map((item) => (item === '*' ? 'anything' : `“${item}”`)).join(', ');
}

/** Every right that a manifest asks for; an applet without permissions asks for none. */
export function rightsOf(manifest: Manifest): Right[] {
  const permissions = manifest.applet === undefined ? {} : manifest.permissions;
  const rights: Right[] = [];
  for (const [name, value] of Object.entries(permissions)) {
    if (value === undefined || !isPermission(name)) continue;
    const say = permissionWords[name] as (value: unknown) => string;
    rights.push({ key: `permission:${name}`, words: say(value) });
  }
  for (const scope of unique(manifest.scopes)) rights.push({ key: `scope:${scope}`, words: scopeWords(scope) });
  for (const event of unique(manifest.events))
    rights.push({ key: `event:${event}`, words: `In the cloud: hears events of your home of the kind ${event}` });
  for (const service of unique(manifest.services))
    rights.push({
      key: `service:${service}`,
      words: `Uses the service “${service}” for your home; each use is metered`,
    });
  return rights;
}

function isPermission(name: string): name is PermissionName {
  return Object.hasOwn(permissionWords, name);
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)];
}

function scopeWords(scope: string): string {
  const [resource = '', action] = scope.split(':');
  const things = resource.replaceAll('-', ' ');
  return action === 'read'
    ? `In the cloud: reads your home’s ${things}`
    : `In the cloud: makes and changes ${things} for your home`;
}

export interface RightsDifference {
  /** Rights that are new, or whose arguments changed: they need a new consent. */
  readonly added: readonly Right[];
  readonly removed: readonly Right[];
}

/** How `after` differs from `before` (absent: the first version). */
export function rightsDifference(before: Manifest | undefined, after: Manifest): RightsDifference {
  const old = before === undefined ? [] : rightsOf(before);
  const now = rightsOf(after);
  const same = (a: Right, b: Right) => a.key === b.key && sameArguments(before, after, a.key);
  return {
    added: now.filter((right) => !old.some((known) => same(known, right))),
    removed: old.filter((right) => !now.some((known) => known.key === right.key)),
  };
}

function sameArguments(before: Manifest | undefined, after: Manifest, key: string): boolean {
  const name = key.slice('permission:'.length);
  if (!key.startsWith('permission:') || !isPermission(name)) return true;
  return canonical(before?.permissions[name] ?? null) === canonical(after.permissions[name] ?? null);
}
