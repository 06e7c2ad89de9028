/**
 * Client-initiated connections (RFC 5626) as the registrar sees them: a phone that keeps several flows names each by its instance and a
 * `reg-id`; a call goes to one flow of a phone at a time, and to the next where the first is gone.
 */
import type { SipMessage } from './message.ts';
import { decimal, type Params } from './params.ts';
import { parseNameAddr, parseUri } from './uri.ts';

/** The phone and its flow that a contact with these parameters is; undefined where it names no flow (section 6). */
export function flowName(params: Params): { readonly instance: string; readonly id: number } | undefined {
  const instance = params.get('+sip.instance');
  const id = decimal(params.get('reg-id') ?? '', 0x7fff_ffff);
  return instance === undefined || id === undefined || id === 0 ? undefined : { instance, id };
}

/** What a REGISTER asks of outbound: nothing (`reg-id` is then ignored), its use, or what the first hop cannot give (439). */
export function outboundOf(request: SipMessage): 'none' | 'used' | 'first-hop-lacks-it' {
  if (request.header('Supported') === undefined) return 'none';
  const supported = request.headerAll('Supported').some((option) => option.toLowerCase() === 'outbound');
  if (!supported || !request.contacts.some(({ params }) => flowName(params) !== undefined)) return 'none';
  if (request.vias.length === 1) return 'used';
  // Another element stands between (section 6): the one nearest to the phone says in its Path whether it keeps the flow.
  const path = request.headerAll('Path').at(-1);
  const first = path === undefined ? undefined : parseUri(parseNameAddr(path)?.uri ?? '');
  return first?.params.has('ob') === true ? 'used' : 'first-hop-lacks-it';
}

/** One way to a phone. */
interface Way {
  readonly params: Params;
  readonly expiresAt: number;
}

/** The ways to each phone, the one that was registered last first; contacts that name no flow are a phone each. */
export function byPhone<T extends Way>(ways: readonly T[]): T[][] {
  const phones: T[][] = [];
  const known = new Map<string, T[]>();
  for (const way of ways) {
    const name = flowName(way.params);
    const there = name === undefined ? undefined : known.get(name.instance);
    if (there !== undefined) {
      there.push(way);
      continue;
    }
    const phone = [way];
    phones.push(phone);
    if (name !== undefined) known.set(name.instance, phone);
  }
  for (const phone of phones) phone.sort((a, b) => b.expiresAt - a.expiresAt);
  return phones;
}
