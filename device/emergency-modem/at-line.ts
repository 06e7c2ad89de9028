/** What a modem says, line by line (3GPP TS 27.007, ITU-T V.250). Pure. */

/** Octets of a line; longer ones are dropped. */
export const MODEM_LINE_LIMIT = 256;

/** Whether the modem is known to a network (27.007 section 7.2). `emergency`: for calls for help only. */
export type Registration = 'none' | 'home' | 'searching' | 'denied' | 'unknown' | 'roaming' | 'emergency';

/** Why a call did not come about, or ended. */
export type CallEnd = 'busy' | 'no-answer' | 'no-carrier' | 'refused' | 'ended' | 'lost';

/** One call of the modem's list (27.007 section 7.18). */
export type CallStage = 'up' | 'dialling' | 'alerting' | 'other';

export type ModemLine =
  | { readonly says: 'ok' }
  /** The command failed. */
  | { readonly says: 'error' }
  /** A call ended, or did not come about; in answer to the dial command, or by itself. */
  | { readonly says: 'over'; readonly why: CallEnd }
  | { readonly says: 'begun' }
  | { readonly says: 'registration'; readonly is: Registration }
  /** Signal strength, dBm; undefined where it is not known (27.007 section 8.5). */
  | { readonly says: 'signal'; readonly dbm: number | undefined }
  | { readonly says: 'call'; readonly outgoing: boolean; readonly stage: CallStage; readonly gone: boolean }
  | { readonly says: 'sim'; readonly is: string }
  /** The modem has just started. */
  | { readonly says: 'started' }
  | { readonly says: 'other'; readonly text: string };

const REGISTRATIONS: readonly Registration[] = [
  ...(['none', 'home', 'searching', 'denied', 'unknown', 'roaming'] as const),
  // 6 and 7 are for short messages only; 8 and 11 for emergency bearers only; 9 and 10 as home and roaming for voice.
  ...(['none', 'none', 'emergency', 'home', 'roaming', 'emergency'] as const),
];
const STAGES: readonly CallStage[] = ['up', 'other', 'dialling', 'alerting'];

const FINAL: ReadonlyMap<string, ModemLine> = new Map([
  ['OK', { says: 'ok' }],
  ['ERROR', { says: 'error' }],
  ['BUSY', { says: 'over', why: 'busy' }],
  ['NO ANSWER', { says: 'over', why: 'no-answer' }],
  ['NO CARRIER', { says: 'over', why: 'no-carrier' }],
  ['NO DIALTONE', { says: 'over', why: 'refused' }],
  ['NO DIAL TONE', { says: 'over', why: 'refused' }],
  ['VOICE CALL: BEGIN', { says: 'begun' }],
  ['CONNECT', { says: 'begun' }],
  ['RDY', { says: 'started' }],
  ['+CPIN: READY', { says: 'sim', is: 'ready' }],
]);

/** Reads one line; an empty one is undefined. */
export function readModemLine(line: string): ModemLine | undefined {
  const text = line.trim();
  if (text === '') return undefined;
  const known = FINAL.get(text);
  if (known !== undefined) return known;
  if (text.startsWith('+CME ERROR') || text.startsWith('+CMS ERROR')) return { says: 'error' };
  if (text.startsWith('VOICE CALL: END')) return { says: 'over', why: 'ended' };
  const [name = '', rest = ''] = split(text);
  const numbers = rest.split(',').map((one) => one.trim());
  if (name === '+CREG') return registration(numbers);
  if (name === '+CSQ') return signal(numbers);
  if (name === '+CLCC') return call(numbers);
  if (name === '+CPIN') return { says: 'sim', is: rest.toLowerCase().slice(0, 16) };
  return { says: 'other', text };
}

function split(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1).trim()];
}

/** `+CREG: <stat>[,…]` by itself, `+CREG: <n>,<stat>[,…]` as an answer: the place in area text is quoted, so two bare numbers are an answer. */
function registration([first = '', second]: readonly string[]): ModemLine {
  const bare = second !== undefined && /^[0-9]{1,2}$/.test(second);
  return { says: 'registration', is: REGISTRATIONS[Number(bare ? second : first)] ?? 'unknown' };
}

function signal([value]: readonly string[]): ModemLine {
  const rssi = Number(value);
  return { says: 'signal', dbm: rssi >= 0 && rssi <= 31 ? 2 * rssi - 113 : undefined };
}

function call([, direction, stat]: readonly string[]): ModemLine {
  return { says: 'call', outgoing: direction === '0', stage: STAGES[Number(stat)] ?? 'other', gone: stat === '6' };
}

/** Cuts what comes from a serial line into lines of at most `MODEM_LINE_LIMIT` octets. */
export class LineCutter {
  #text = '';
  #tooLong = false;

  feed(octets: Uint8Array): string[] {
    const lines: string[] = [];
    for (const octet of octets) {
      if (octet === 13 || octet === 10) {
        if (this.#text !== '' && !this.#tooLong) lines.push(this.#text);
        this.reset();
      } else if (this.#text.length >= MODEM_LINE_LIMIT) this.#tooLong = true;
      else if (octet >= 32 && octet < 127) this.#text += String.fromCharCode(octet);
    }
    return lines;
  }

  reset(): void {
    this.#text = '';
    this.#tooLong = false;
  }
}
