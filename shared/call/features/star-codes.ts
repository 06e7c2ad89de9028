/**
 * Star codes, as ETSI ETS 300 738 and GSM phones have them: `*SC*number#` sets, `*SC#` switches on, `#SC#` off, `*31#number` and
 * `#31#number` show or withhold the number for one call.
 */
import type { Changes, Forwards } from './document.ts';

export type StarCode =
  | { readonly do: 'change'; readonly changes: Changes }
  /** The call itself, with the number shown or withheld. */
  | { readonly do: 'call'; readonly to: string; readonly hidden: boolean }
  | { readonly do: 'refuse' };

const FORWARDS: ReadonlyMap<string, keyof Forwards> = new Map([
  ['21', 'always'],
  ['67', 'busy'],
  ['61', 'noAnswer'],
  ['62', 'offline'],
]);

type Switch = 'hideNumber' | 'doNotDisturb' | 'rejectAnonymous' | 'noWaiting';

/** Switches, and what `*SC#` makes of them: call waiting is on where its document says nothing. */
const SWITCHES: ReadonlyMap<string, { readonly name: Switch; readonly on: boolean }> = new Map([
  ['26', { name: 'doNotDisturb', on: true }],
  ['30', { name: 'rejectAnonymous', on: true }],
  ['31', { name: 'hideNumber', on: true }],
  ['43', { name: 'noWaiting', on: false }],
]);

/** Reads what was dialled; undefined for anything that is no code of this table. */
export function readStarCode(dialled: string): StarCode | undefined {
  const first = dialled.charAt(0);
  if (first !== '*' && first !== '#') return undefined;
  const code = dialled.slice(1, 3);
  const rest = dialled.slice(3);
  const on = first === '*';
  if (code === '31' && rest.length > 1 && rest.startsWith('#')) {
    return { do: 'call', to: rest.slice(1), hidden: !on };
  }
  const forward = FORWARDS.get(code);
  if (forward !== undefined) return forwarding(forward, on, rest);
  const found = SWITCHES.get(code);
  if (found === undefined || rest !== '#') return undefined;
  return { do: 'change', changes: { [found.name]: on === found.on } };
}

function forwarding(forward: keyof Forwards, on: boolean, rest: string): StarCode | undefined {
  if (!on) return rest === '#' ? { do: 'change', changes: { forward: { [forward]: undefined } } } : undefined;
  if (!rest.startsWith('*')) return undefined;
  const to = rest.endsWith('#') ? rest.slice(1, -1) : rest.slice(1);
  if (to.length < 2 || to.includes('#') || to.includes('*')) return { do: 'refuse' };
  return { do: 'change', changes: { forward: { [forward]: to } } };
}
