/** How a call shows on the callee's phone: the name that its owner gave the caller (CNAM at home), and the ring (RFC 7462 URNs in Alert-Info). */
import type { Contact, LineFeatures } from './document.ts';

/** What the callee's owner noted of the caller; nothing for one that withholds its number, or the ring would tell who it is. */
export function known(
  { contacts = [] }: LineFeatures,
  number: string | undefined,
  hidden: boolean,
): Pick<Contact, 'name' | 'ring'> {
  const found = hidden ? undefined : contacts.find((one) => one.number === number);
  if (found === undefined) return {};
  const { name, ring } = found;
  return { ...(name === undefined ? {} : { name }), ...(ring === undefined ? {} : { ring }) };
}

export interface Ringing {
  readonly ring?: Contact['ring'] | undefined;
  /** The caller is a line of the same home. */
  readonly inside: boolean;
  /** Calls that the callee's line has already. */
  readonly talking: number;
}

/** Alert-Info of the INVITE, the most particular first; none for an ordinary call from outside. */
export function alertInfo({ ring, inside, talking }: Ringing): (readonly ['Alert-Info', string])[] {
  const source = ring ?? (inside ? 'internal' : undefined);
  return [
    ...(talking > 0 ? [alert('service:call-waiting')] : []),
    ...(source === undefined ? [] : [alert(`source:${source}`)]),
  ];
}

const alert = (indication: string) => ['Alert-Info', `<urn:alert:${indication}>`] as const;
