/** Calls for help from the house: who may make them, and how they leave when the cloud is out of reach. Pure. */
import { type EmergencyCall, readEmergency } from '#shared/call/emergency.ts';
import { pidfLo } from '#shared/call/location.ts';
import { fromHex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { Address, InterfaceAddress } from '#shared/kernel/world.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { PIDF } from '#shared/sip/multipart.ts';
import type { Flow, InviteOptions, OpenedProtocol } from '#shared/sip/types.ts';
import { parseUri, writeHost } from '#shared/sip/uri.ts';
import type { House, HouseLine } from './house.ts';

/** Milliseconds for which a way may say nothing before the next is tried. */
export const TRY_FOR_HELP = 2_500;
/** Milliseconds that those who help may take to answer. */
export const RING_FOR_HELP = 180_000;

/** A server that takes calls for help. */
export type WayOut = Address & { readonly transport: OpenedProtocol };

type Settings = NonNullable<VoiceDocument['emergency']>;

/** What the house has to know while somebody calls for help. */
export interface Help extends EmergencyCall {
  /** What the Request-URI asked for: the code, or the URN. */
  readonly asked: string;
}

export function readHelp(message: SipMessage, settings: Settings | undefined): Help | undefined {
  const call = readEmergency(message.uri, settings?.country);
  if (call === undefined) return undefined;
  return { ...call, asked: message.uri.toLowerCase().startsWith('urn:') ? call.service : call.number };
}

/** Whether a host is in a network of this gateway's own: there, help needs no credential. */
export function isOnLan(host: string, own: readonly InterfaceAddress[]): boolean {
  const octets = octetsOf(host);
  if (octets === undefined) return false;
  return own.some((one) => {
    const ours = octetsOf(one.host);
    if (ours === undefined || ours.length !== octets.length) return false;
    for (let bit = 0; bit < one.prefix; bit += 8) {
      const mask = (0xff << Math.max(0, 8 - (one.prefix - bit))) & 0xff;
      if (((octets[bit / 8] ?? 0) & mask) !== ((ours[bit / 8] ?? 0) & mask)) return false;
    }
    return true;
  });
}

/** 4 or 16 octets of a literal address. */
function octetsOf(host: string): readonly number[] | undefined {
  if (!host.includes(':')) {
    const parts = host.split('.').map(Number);
    return parts.length === 4 && parts.every((part) => part >= 0 && part < 256) ? parts : undefined;
  }
  const [head = '', tail] = host.split('::', 2);
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const gap = tail === undefined ? 0 : 8 - before.length - after.length;
  if (gap < 0) return undefined;
  const all = [...before, ...new Array<string>(gap).fill('0'), ...after];
  const found = all.flatMap((group) => [...(fromHex(group.padStart(4, '0')) ?? [])]);
  return found.length === 16 ? found : undefined;
}

/** The line that has a phone at this address. */
export function lineAt(house: House, host: string, now: number): HouseLine | undefined {
  return house.lines.find(({ id }) => house.phones(id, now).some((phone) => phone.flow.remote.host === host));
}

/** The line that is called back: the one whose phone is there, the one that From names, or the first of the house. */
export function lineOfHelp(house: House, message: SipMessage, flow: Flow, now: number): HouseLine | undefined {
  return (
    lineAt(house, flow.remote.host, now) ?? house.dialled(parseUri(message.from.uri)?.user ?? '') ?? house.lines[0]
  );
}

/** The INVITE to the modem on this machine. */
export function modemInvite(number: string, shown: string, flow: Flow, contact: string, sdp: string): InviteOptions {
  const uri = `sip:${number}@${writeHost(flow.remote.host)}`;
  return { uri, from: shown, to: `<${uri}>`, flow, contact, sdp, trying: true };
}

/** The INVITE to the fallback trunk: whom to call back, and where the house is (RFC 6442). */
export function fallbackInvite(
  call: { readonly help: Help; readonly shown: string; readonly number: string; readonly id: string },
  settings: Settings,
  domain: string,
  way: { readonly flow: Flow; readonly contact: string; readonly sdp: string },
): InviteOptions {
  const { help, shown, number, id } = call;
  const { location, at = 0, fallback } = settings;
  const called = fallback?.call ?? 'urn';
  const dialled = called === 'dialled' ? help.number : called;
  const uri = called === 'urn' ? help.service : `sip:${dialled}@${writeHost(way.flow.remote.host)}`;
  const part = `${id}@${domain}`;
  const body = location && latin1(utf8(pidfLo(location, `sip:${number}@${domain}`, new Date(at).toISOString())));
  return {
    uri,
    from: shown,
    to: `<${uri}>`,
    ...way,
    trying: true,
    headers: [
      ['P-Asserted-Identity', shown],
      ['Priority', 'emergency'],
      ...(body === undefined
        ? []
        : ([
            ['Geolocation', `<cid:${part}>`],
            ['Geolocation-Routing', 'yes'],
          ] as const)),
    ],
    ...(body === undefined ? {} : { parts: [{ type: PIDF, id: part, body }] }),
  };
}
