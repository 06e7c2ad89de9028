/**
 * Star codes, as ETSI ETS 300 738 and GSM phones have them: `*SC*number#` sets, `*SC#` switches on, `#SC#` off, `*31#number` and
 * `#31#number` show or withhold the number for one call, `*33*PIN*number` lets one past the bar, `*66` dials the last number again and
 * `*69` calls the last caller back; `*61*number*seconds#` also says how long it rings first; `*8` takes a call that rings elsewhere in the home, `*8*number#` the one that rings there; `*7` brings the two calls of the line together.
 * What has several values: `list-codes.ts`.
 */
import { type Changes, type Forwards, NO_ANSWER_RANGE } from './document.ts';
import { type Edit, readEdit } from './list-codes.ts';

export type StarCode =
  | { readonly do: 'change'; readonly changes: Changes }
  | { readonly do: 'edit'; readonly edit: Edit }
  /** The call itself, with the number shown or withheld. */
  | { readonly do: 'call'; readonly to: string; readonly hidden?: boolean; readonly pin?: string }
  /** The number that the line dialled last, or that called it last. */
  | { readonly do: 'last'; readonly of: 'dialled' | 'caller' }
  /** A call that rings elsewhere in the home, at that number or anywhere. */
  | { readonly do: 'pickup'; readonly at?: string }
  /** The two answered calls of the line become one of three. */
  | { readonly do: 'together' }
  | { readonly do: 'refuse' };

const FORWARDS: ReadonlyMap<string, keyof Forwards> = new Map([
  ['21', 'always'],
  ['67', 'busy'],
  ['61', 'noAnswer'],
  ['62', 'offline'],
]);

type Switch = 'hideNumber' | 'doNotDisturb' | 'rejectAnonymous' | 'noWaiting' | 'noHoldMusic';

/** Switches, and what `*SC#` makes of them: call waiting and music on hold are on where its document says nothing. */
const SWITCHES: ReadonlyMap<string, { readonly name: Switch; readonly on: boolean }> = new Map([
  ['26', { name: 'doNotDisturb', on: true }],
  ['30', { name: 'rejectAnonymous', on: true }],
  ['31', { name: 'hideNumber', on: true }],
  ['43', { name: 'noWaiting', on: false }],
  ['46', { name: 'noHoldMusic', on: false }],
]);

/** Reads what was dialled; undefined for anything that is no code of this table. */
export function readStarCode(dialled: string): StarCode | undefined {
  const first = dialled.charAt(0);
  if (first !== '*' && first !== '#') return undefined;
  if (dialled === '*7' || dialled === '*7#') return { do: 'together' };
  if (dialled === '*8' || dialled === '*8#') return { do: 'pickup' };
  if (dialled.startsWith('*8*')) return pickup(dialled.slice(3));
  const code = dialled.slice(1, 3);
  const rest = dialled.slice(3);
  const on = first === '*';
  if (code === '31' && rest.length > 1 && rest.startsWith('#')) {
    return { do: 'call', to: rest.slice(1), hidden: !on };
  }
  if (on && (rest === '' || rest === '#') && (code === '66' || code === '69')) {
    return { do: 'last', of: code === '66' ? 'dialled' : 'caller' };
  }
  if (on && code === '33' && rest.startsWith('*')) return pastTheBar(rest.slice(1));
  const edit = readEdit(code, on, rest);
  if (edit !== undefined) return edit === 'refuse' ? { do: 'refuse' } : { do: 'edit', edit };
  const forward = FORWARDS.get(code);
  if (forward !== undefined) return forwarding(forward, on, rest);
  const found = SWITCHES.get(code);
  if (found === undefined || rest !== '#') return undefined;
  return { do: 'change', changes: { [found.name]: on === found.on } };
}

function pickup(rest: string): StarCode {
  const at = rest.endsWith('#') ? rest.slice(0, -1) : rest;
  return at === '' || at.includes('*') || at.includes('#') ? { do: 'refuse' } : { do: 'pickup', at };
}

function pastTheBar(rest: string): StarCode {
  const at = rest.indexOf('*');
  const to = rest.slice(at + 1);
  if (at < 1 || to === '' || to.includes('*') || to.includes('#')) return { do: 'refuse' };
  return { do: 'call', to, pin: rest.slice(0, at) };
}

function forwarding(forward: keyof Forwards, on: boolean, rest: string): StarCode | undefined {
  if (!on) return rest === '#' ? { do: 'change', changes: { forward: { [forward]: undefined } } } : undefined;
  if (!rest.startsWith('*')) return undefined;
  const [to = '', after, ...more] = (rest.endsWith('#') ? rest.slice(1, -1) : rest.slice(1)).split('*');
  if (to.length < 2 || to.includes('#') || more.length > 0) return { do: 'refuse' };
  const changes = { forward: { [forward]: to } };
  if (after === undefined) return { do: 'change', changes };
  const seconds = /^[0-9]{1,2}$/.test(after) && forward === 'noAnswer' ? Number(after) : 0;
  const fits = seconds >= NO_ANSWER_RANGE.min && seconds <= NO_ANSWER_RANGE.max;
  return fits ? { do: 'change', changes: { ...changes, noAnswerAfter: seconds } } : { do: 'refuse' };
}
