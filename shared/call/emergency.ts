/**
 * Which dialled texts ask for help: the codes that work everywhere, those of a country, and service URNs (RFC 5031). Read before
 * every limit, bar and bill, so it must never depend on anything but the text and the country.
 */
import { userPart } from '../sip/diversion.ts';
import { parseUri } from '../sip/uri.ts';

export interface EmergencyCall {
  /** The code to dial where a route knows no URN. */
  readonly number: string;
  /** `urn:service:sos`, or one of its kinds. */
  readonly service: string;
}

type Kind = 'police' | 'ambulance' | 'fire' | 'marine' | 'mountain';

/** Codes that are an emergency wherever the home is: every phone has them built in (3GPP TS 22.101 section 10.1). */
const EVERYWHERE: readonly string[] = ['112', '911'];

const plain = (...codes: string[]): ReadonlyMap<string, Kind | ''> => new Map(codes.map((code) => [code, '']));
const kinds = (of: Readonly<Partial<Record<Kind, string>>>, ...others: string[]): ReadonlyMap<string, Kind | ''> =>
  new Map([
    ...others.map((code): [string, Kind | ''] => [code, '']),
    ...Object.entries(of).map(([kind, code]): [string, Kind | ''] => [code, kind as Kind]),
  ]);

/** National codes by country (ISO 3166-1), beside those that work everywhere (ITU-T E.129 and the regulators' lists). */
const NATIONAL: ReadonlyMap<string, ReadonlyMap<string, Kind | ''>> = new Map([
  ['AT', kinds({ police: '133', ambulance: '144', fire: '122', mountain: '140' })],
  ['AU', plain('000', '106')],
  ['BE', kinds({ police: '101', fire: '100' })],
  ['BR', kinds({ police: '190', ambulance: '192', fire: '193' })],
  ['CH', kinds({ police: '117', ambulance: '144', fire: '118' })],
  ['CN', kinds({ police: '110', ambulance: '120', fire: '119' })],
  ['CZ', kinds({ police: '158', ambulance: '155', fire: '150' })],
  ['DE', kinds({ police: '110' })],
  ['ES', kinds({ police: '091', ambulance: '061', fire: '080' })],
  ['FR', kinds({ police: '17', ambulance: '15', fire: '18' })],
  ['GB', plain('999')],
  ['IE', plain('999')],
  ['IN', kinds({ police: '100', ambulance: '102', fire: '101' })],
  ['IT', kinds({ police: '113', ambulance: '118', fire: '115' })],
  ['JP', kinds({ police: '110', fire: '119', marine: '118' })],
  ['NO', kinds({ ambulance: '113', fire: '110' })],
  ['NZ', plain('111')],
  ['PL', kinds({ police: '997', ambulance: '999', fire: '998' })],
  ['ZA', kinds({ police: '10111', ambulance: '10177' })],
]);

const ANY: ReadonlySet<string> = new Set([...NATIONAL.values()].flatMap((codes) => [...codes.keys()]));

/** The codes of a country besides those that work everywhere. */
export function nationalCodes(country: string): string[] {
  return [...(NATIONAL.get(country)?.keys() ?? [])];
}

/**
 * Reads a dialled text (digits in any writing, with or without a code that shows or withholds the number, a SIP or tel URI, a URN) as a
 * call for help; undefined for any other. `country`: where the home is.
 */
export function readEmergency(dialled: string, country?: string): EmergencyCall | undefined {
  const lower = dialled.toLowerCase();
  const service = sosOf(lower);
  if (service !== undefined) return byService(service, country);
  const scheme = lower.slice(0, lower.indexOf(':') + 1);
  const addressed = scheme === 'sip:' || scheme === 'sips:' || scheme === 'tel:';
  const user = addressed ? parseUri(dialled)?.user : dialled;
  const code = digitsOf(user ?? '');
  if (code === '') return undefined;
  const kind = EVERYWHERE.includes(code) ? '' : NATIONAL.get(country ?? '')?.get(code);
  return kind === undefined ? undefined : { number: code, service: urn(kind) };
}

/** As `readEmergency`, with the codes of every country: who calls is not known yet. */
export function readAnywhere(dialled: string): EmergencyCall | undefined {
  const common = readEmergency(dialled);
  if (common !== undefined) return common;
  const colon = dialled.indexOf(':');
  const code = digitsOf(colon < 0 ? dialled : (parseUri(dialled)?.user ?? ''));
  return code !== '' && ANY.has(code) ? { number: code, service: 'urn:service:sos' } : undefined;
}

/** Characters of a service that are read; names at its end that go beyond them are left out. */
export const SERVICE_LIMIT = 128;

/**
 * The service that a URI (lower case) asks help from: without names from the first on that is none or is too long, for what is left is the more general
 * service (RFC 5031 section 3). Undefined where it is no such URI.
 */
function sosOf(uri: string): string | undefined {
  const read = /^urn:service:sos(?=[.;?#]|$)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?=[.;?#]|$))*/.exec(uri)?.[0];
  if (read === undefined || read.length <= SERVICE_LIMIT) return read;
  return read.slice(0, read.lastIndexOf('.', SERVICE_LIMIT));
}

const urn = (kind: string): string => (kind === '' ? 'urn:service:sos' : `urn:service:sos.${kind}`);

/** The country's own code for that kind of help; the common one where it has none. */
function byService(service: string, country: string | undefined): EmergencyCall {
  const kind = service.slice('urn:service:sos.'.length);
  for (const [code, known] of NATIONAL.get(country ?? '') ?? []) {
    if (known !== '' && known === kind) return { number: code, service };
  }
  return { number: country === 'US' || country === 'CA' ? '911' : '112', service };
}

/** The digits without separators and without a code for the number's privacy; empty for any other text. */
function digitsOf(user: string): string {
  let bare = '';
  // A SIP URI may say there in which plan the digits are (RFC 3261 section 19.1.6).
  const dialled = userPart(user);
  for (const c of dialled.startsWith('*31#') || dialled.startsWith('#31#') ? dialled.slice(4) : dialled) {
    if (c >= '0' && c <= '9') bare += c;
    else if (!'-.() '.includes(c)) return '';
  }
  return bare.length > 5 ? '' : bare;
}
