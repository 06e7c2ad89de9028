/** What an applet may, judged call by call against its grants. Pure; what is not named is denied. */
import type { PermissionName, Permissions } from '#shared/protocol/applet-manifest.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';

/** The permissions of a manifest that the subscriber granted. */
export function granted(permissions: Permissions, grants: readonly string[]): Permissions {
  return Object.fromEntries(Object.entries(permissions).filter(([name]) => grants.includes(name))) as Permissions;
}

/** Numbers that no applet ever calls: emergency services of the common plans. */
const EMERGENCY = new Set([
  '000',
  '108',
  '110',
  '111',
  '112',
  '113',
  '115',
  '117',
  '118',
  '119',
  '190',
  '911',
  '995',
  '999',
]);

/** Whether a word is one of the list; `*` at the end of an entry stands for any rest. */
export function matches(list: readonly string[], word: string): boolean {
  return list.some((entry) => (entry.endsWith('*') ? word.startsWith(entry.slice(0, -1)) : entry === word));
}

function denied(name: PermissionName, why: string): Fault {
  return fault('not_permitted', `${name}: ${why}.`.slice(0, 200));
}

function mayDial(permissions: Permissions, number: string, live: number): Fault | undefined {
  const grant = permissions['call.control'];
  if (grant === undefined) return denied('call.control', 'not granted');
  if (EMERGENCY.has(number.replace(/\D/g, ''))) return denied('call.control', 'never an emergency number');
  if (!matches(grant.numbers, number)) return denied('call.control', `${number} is not among its numbers`);
  return live < grant.concurrent ? undefined : denied('call.control', `at most ${grant.concurrent} calls at once`);
}

/** Verbs that an applet may ask of the cloud, and what each needs. `live`: sessions that it has started and that may still be up. */
export function mayAsk(
  permissions: Permissions,
  verb: string,
  request: Readonly<Record<string, unknown>>,
  live: number,
): Fault | undefined {
  switch (verb) {
    case 'call.create':
      return mayDial(permissions, String(request.to), live) ?? mayDial(permissions, String(request.from), live);
    case 'session.get':
    case 'session.end':
      return permissions['call.control'] !== undefined || permissions['media.play'] !== undefined
        ? undefined
        : denied('call.control', 'not granted');
    case 'media.list':
    case 'media.play': {
      const grant = permissions['media.play'];
      if (grant === undefined) return denied('media.play', 'not granted');
      const item = verb === 'media.list' ? undefined : String(request.item);
      return item === undefined || matches(grant.items, item)
        ? undefined
        : denied('media.play', `${item} is not among its items`);
    }
    default:
      return fault('not_permitted', `An applet may not ask for ${verb}.`.slice(0, 200));
  }
}

/** Whether phones of these numbers in the house may be rung for a call that already is. */
export function mayRing(permissions: Permissions, numbers: readonly string[]): Fault | undefined {
  const grant = permissions['call.control'];
  if (grant === undefined || permissions['call.events'] === undefined)
    return denied('call.control', 'not granted with call.events');
  const other = numbers.find((number) => !matches(grant.numbers, number));
  return other === undefined ? undefined : denied('call.control', `${other} is not among its numbers`);
}

export interface LanRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
}

/** A request to an appliance. A path with dots or escapes that could lead elsewhere is refused. */
export function mayReach(
  permissions: Permissions,
  device: { readonly name: string; readonly kind: string },
  { method, path }: LanRequest,
): Fault | undefined {
  const grant = permissions['lan.http'];
  if (grant === undefined) return denied('lan.http', 'not granted');
  if (!matches(grant.devices, device.name) && !matches(grant.devices, device.kind))
    return denied('lan.http', `${device.name} is not among its devices`);
  if (!grant.methods.includes(method)) return denied('lan.http', `${method} is not among its methods`);
  if (!/^\/[\w\-./?=&]*$/.test(path) || path.includes('..') || path.includes('//'))
    return denied('lan.http', 'the path has characters that are not taken');
  return matches(grant.paths, path) ? undefined : denied('lan.http', `${path} is not among its paths`);
}

/** Private and link-local addresses (RFC 1918, 3927, 4193, 4291), loopback only where this host itself is simulated on it. */
export function isLocalAddress(host: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|127\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1$)/i.test(
    host,
  );
}
