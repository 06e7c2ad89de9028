/** Where a home is, and the location object that an emergency call carries (PIDF-LO: RFC 4119, RFC 5139, RFC 5491). */

/** A civic address, a point, or both. */
export interface HomeLocation {
  /** ISO 3166-1, two capital letters. */
  readonly country: string;
  /** State or region (A1), city (A3), postal code (PC), street (RD), house number (HNO), unit (UNIT), floor (FLR), name of the place (NAM). */
  readonly region?: string;
  readonly city?: string;
  readonly postalCode?: string;
  readonly street?: string;
  readonly houseNumber?: string;
  readonly unit?: string;
  readonly floor?: string;
  readonly place?: string;
  /** Degrees, WGS 84. */
  readonly latitude?: number;
  readonly longitude?: number;
}

/** Elements of the civic address in the order of RFC 5139 section 4.1. */
const CIVIC: readonly (readonly [string, keyof HomeLocation])[] = [
  ['country', 'country'],
  ['A1', 'region'],
  ['A3', 'city'],
  ['RD', 'street'],
  ['HNO', 'houseNumber'],
  ['NAM', 'place'],
  ['PC', 'postalCode'],
  ['FLR', 'floor'],
  ['UNIT', 'unit'],
];

/** The location object. `entity` is a URI of the caller, `at` when the location was last set (RFC 3339). */
export function pidfLo(location: HomeLocation, entity: string, at: string): string {
  const civic = CIVIC.flatMap(([name, key]) => {
    const value = location[key];
    return value === undefined || value === '' ? [] : [`<ca:${name}>${escaped(String(value))}</ca:${name}>`];
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"',
    ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"',
    ` xmlns:gml="http://www.opengis.net/gml" entity="${escaped(entity)}">`,
    '<dm:device id="home"><gp:geopriv><gp:location-info>',
    ...point(location),
    `<ca:civicAddress>${civic.join('')}</ca:civicAddress>`,
    '</gp:location-info><gp:usage-rules><gp:retransmission-allowed>yes</gp:retransmission-allowed></gp:usage-rules>',
    '<gp:method>Manual</gp:method></gp:geopriv>',
    `<dm:deviceID>${escaped(entity)}</dm:deviceID><dm:timestamp>${escaped(at)}</dm:timestamp></dm:device></presence>`,
  ].join('');
}

/** RFC 5491 section 5.2.1. */
function point({ latitude, longitude }: HomeLocation): string[] {
  if (latitude === undefined || longitude === undefined) return [];
  return [`<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>${latitude} ${longitude}</gml:pos></gml:Point>`];
}

/** XML 1.0 text; what it may not hold is left out. */
function escaped(text: string): string {
  let out = '';
  for (const c of text) {
    if (c === '&') out += '&amp;';
    else if (c === '<') out += '&lt;';
    else if (c === '>') out += '&gt;';
    else if (c === '"') out += '&quot;';
    else if (c >= ' ') out += c;
  }
  return out;
}
