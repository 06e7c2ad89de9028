/** What an INVITE says of where its caller is (RFC 6442): read as a phone sends it, and written for those who help. Pure. */
import type { SipMessage } from '#shared/sip/message.ts';
import { type BodyPart, PIDF, partOf, readMultipart } from '#shared/sip/multipart.ts';
import type { TrunkWay } from '../trunk/trunk.ts';

/** A location object, or a value of Geolocation that says where there is one. */
export type Located = { readonly part: BodyPart } | { readonly reference: string };

/** Locations of one phone that go on, and characters of a reference. */
export const LOCATIONS = 4;
export const REFERENCE_LIMIT = 512;

/** In the order of the header field, then what none of its values names. */
export function locatedIn(message: SipMessage): Located[] {
  const type = message.header('Content-Type') ?? '';
  const parts = (readMultipart(type, message.body) ?? [{ type, body: message.body }]).filter(
    (part) => partOf([part], PIDF) !== undefined && part.body !== '',
  );
  const named = message.headerAll('Geolocation').flatMap((value): Located[] => {
    const uri = /^<([a-z][a-z0-9+.-]*:[!-=?-~]+)>/i.exec(value)?.[1];
    if (uri === undefined || value.length > REFERENCE_LIMIT) return [];
    if (!/^cid:/i.test(uri)) return [{ reference: value }];
    const at = parts.findIndex(({ id }) => id === uri.slice(4));
    return at < 0 ? [] : parts.splice(at, 1).map((part) => ({ part }));
  });
  return [...named, ...parts.map((part) => ({ part }))].slice(0, LOCATIONS);
}

/** Header fields and body parts of these locations; `name` makes the parts' ids (RFC 2392). */
export function conveyed(
  located: readonly Located[],
  name: (n: number) => string,
): { readonly headers: (readonly [string, string])[]; readonly parts: BodyPart[] } {
  if (located.length === 0) return { headers: [], parts: [] };
  const parts: BodyPart[] = [];
  const values = located.map((one, n) => {
    if ('reference' in one) return one.reference;
    const id = name(n);
    parts.push({ ...one.part, id });
    return `<cid:${id}>`;
  });
  // Who hands a reference on says how it can be followed (section 4.6).
  const profiles = new Set(located.flatMap((one) => ('reference' in one ? profileOf(one.reference) : [])));
  return {
    headers: [
      [GEOLOCATION, values.join(', ')],
      [ROUTING, 'yes'],
      ...(profiles.size === 0 ? [] : [['Supported', [...profiles].join(', ')] as const]),
    ],
    parts,
  };
}

function profileOf(reference: string): string[] {
  if (/^<https?:/i.test(reference)) return ['geolocation-http'];
  return /^<(sips?|pres):/i.test(reference) ? ['geolocation-sip'] : [];
}

/** The same way where its location is not wanted; undefined where it has none. */
export function unlocated({ parts: _, headers = [], ...way }: TrunkWay): TrunkWay | undefined {
  const rest = headers.filter(([name]) => name !== GEOLOCATION && name !== ROUTING && name !== 'Supported');
  return rest.length === headers.length ? undefined : { ...way, headers: rest };
}

const GEOLOCATION = 'Geolocation';
/** Whether it may be looked at on the way. */
const ROUTING = 'Geolocation-Routing';
