/**
 * SSDP (UPnP Device Architecture 2.0 section 1) as pure functions: the search that we send and the messages that we read. Nothing
 * here answers anybody: the gateway is a control point, so it cannot be used to amplify.
 */
export const SSDP_GROUP = '239.255.255.250';
export const SSDP_PORT = 1900;
/** Octets of one message that are read. */
const MESSAGE_LIMIT = 4096;
const LINE_LIMIT = 64;

export interface SsdpNotice {
  /** True for byebye: the device leaves. */
  readonly gone: boolean;
  /** Unique device name, `uuid:…`. */
  readonly udn: string;
  /** Notification or search target. */
  readonly target: string;
  readonly location?: string;
  /** Seconds for which the notice is good, 60..86,400. */
  readonly maxAge: number;
}

/** An M-SEARCH for everything; devices answer within `seconds`. */
export function searchMessage(seconds: number): string {
  return `M-SEARCH * HTTP/1.1\r\nHOST: ${SSDP_GROUP}:${SSDP_PORT}\r\nMAN: "ssdp:discover"\r\nMX: ${seconds}\r\nST: ssdp:all\r\n\r\n`;
}

/** Reads a NOTIFY or a search response; undefined for anything else. Linear in its length. */
export function readSsdp(text: string): SsdpNotice | undefined {
  if (text.length > MESSAGE_LIMIT) return undefined;
  const lines = text.split('\r\n', LINE_LIMIT + 1);
  const [first = ''] = lines;
  const isNotify = first.startsWith('NOTIFY * HTTP/1.');
  if (!isNotify && !first.startsWith('HTTP/1.1 200')) return undefined;
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const usn = headers.get('usn') ?? '';
  const target = headers.get(isNotify ? 'nt' : 'st') ?? '';
  const udn = usn.split('::')[0] ?? '';
  if (!/^uuid:[\x21-\x7e]{1,64}$/.test(udn) || target === '') return undefined;
  const location = headers.get('location');
  const age = /max-age\s*=\s*([0-9]{1,6})/i.exec(headers.get('cache-control') ?? '')?.[1];
  return {
    gone: headers.get('nts') === 'ssdp:byebye',
    udn,
    target: target.slice(0, 128),
    maxAge: Math.min(86_400, Math.max(60, Number(age ?? 1800))),
    ...(location === undefined ? {} : { location }),
  };
}

/** Name and type in a device description (XML); entities other than the five predefined ones are never expanded. */
export function readDescription(xml: string): { name?: string; kind?: string } {
  const field = (tag: string) => {
    const start = xml.indexOf(`<${tag}>`);
    const end = start < 0 ? -1 : xml.indexOf('<', start + tag.length + 2);
    if (end < 0) return undefined;
    const text = xml.slice(start + tag.length + 2, end).trim();
    const plain = text
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&apos;', "'")
      .replaceAll('&amp;', '&');
    return plain === '' ? undefined : plain;
  };
  const [name, kind] = [field('friendlyName'), field('deviceType')];
  return { ...(name === undefined ? {} : { name }), ...(kind === undefined ? {} : { kind }) };
}
