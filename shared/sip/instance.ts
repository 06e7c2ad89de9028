/**
 * Which phone a binding is: the name of its instance (`+sip.instance`, RFC 5626 section 4.1), which stays over restarts and new
 * addresses, or else of its contact. A gateway names the phones of a line in a parameter of the line's one contact.
 */
import type { Binding } from './registrar.ts';
import { parseUri } from './uri.ts';

/** Contact parameter of a gateway's REGISTER: the names of the line's phones behind it, with commas between. */
export const DEVICES_PARAM = '+hl.devices';
/** Names taken from that parameter; as many as a line may have contacts. */
const DEVICES_LIMIT = 10;

/** `i_…` for a phone with an instance, `c_…` for one that is known by its contact alone. `sha256` gives lower-case hex. */
export function deviceOf({ uri, params }: Pick<Binding, 'uri' | 'params'>, sha256: (text: string) => string): string {
  const instance = params.get('+sip.instance');
  if (instance !== undefined && instance !== '') return `i_${sha256(instance).slice(0, 24)}`;
  const { user = '', host = uri, port = '' } = parseUri(uri) ?? {};
  return `c_${sha256(`${user} ${host.toLowerCase()} ${port}`).slice(0, 24)}`;
}

/** Whether both are one phone: by its instance where both name one, else by user, host and port of the contact. */
export function sameContact(a: Pick<Binding, 'uri' | 'params'>, b: Pick<Binding, 'uri' | 'params'>): boolean {
  const [one, other] = [a.params.get('+sip.instance'), b.params.get('+sip.instance')];
  if (one !== undefined && other !== undefined) return one === other;
  const [x, y] = [parseUri(a.uri), parseUri(b.uri)];
  if (x === undefined || y === undefined) return false;
  return x.user === y.user && x.host.toLowerCase() === y.host.toLowerCase() && x.port === y.port;
}

/** True for a name that outlives a registration. */
export const isInstance = (device: string): boolean => device.startsWith('i_');

/** The phones that a gateway names; those of another form are left out. */
export function readDevices(params: Binding['params']): string[] {
  const value = params.get(DEVICES_PARAM) ?? '';
  const bare = value.startsWith('"') ? value.slice(1, -1) : value;
  const names = bare.split(',').filter((name) => /^[ic]_[0-9a-f]{24}$/.test(name));
  return [...new Set(names)].slice(0, DEVICES_LIMIT);
}

export function writeDevices(devices: readonly string[]): string {
  return `${DEVICES_PARAM}="${devices.slice(0, DEVICES_LIMIT).join(',')}"`;
}
