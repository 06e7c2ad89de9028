/** Our signature over the caller of a call that leaves by a trunk (RFC 8224 section 6.1, RFC 8588). */
import type { LineRow } from '#cloud/store/directory.ts';
import { identityOf } from '#shared/call/trunk.ts';
import { fromLatin1, hex, utf8 } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import { writeIdentity } from '#shared/sip/identity.ts';
import { type Attestation, canonicalNumber, signingInput, tokenOf } from '#shared/sip/passport.ts';
import type { TrunkWay } from '../trunk/trunk.ts';
import type { Signer } from './settings.ts';

/** What is known of the call. */
export interface OutgoingCall {
  /** The caller's number, E.164. */
  readonly caller: string;
  /** E.164, or a URN. */
  readonly called: string;
  /** The line that answers for it. */
  readonly line?: LineRow;
  /** The trunk by which it came in. */
  readonly cameBy?: string;
  /** Wall clock, ms. */
  readonly wall: number;
}

/** The way with an Identity header field; as it is where nothing can be said of the caller. */
export async function signedWay(
  way: TrunkWay,
  call: OutgoingCall,
  { x5u, key }: Signer,
  { crypto, secret }: { readonly crypto: Pick<Crypto, 'sign' | 'hmac'>; readonly secret: Uint8Array },
): Promise<TrunkWay> {
  const orig = canonicalNumber(namedOn(way, call.caller));
  const dest = calledParty(call.called);
  if (orig === undefined || dest === undefined) return way;
  const origin = call.line?.home ?? call.cameBy ?? way.trunk.id;
  const origid = uuidOf(crypto.hmac('sha256', secret, utf8(`origid ${origin}`)));
  const attest = attestationOf(orig, call);
  const input = signingInput({ x5u, attest, dest, iat: Math.floor(call.wall / 1000), orig, origid });
  const signature = await crypto.sign(key, fromLatin1(input));
  return {
    ...way,
    signed: writeIdentity({ token: tokenOf(input, signature), info: x5u, alg: 'ES256', ppt: 'shaken' }),
  };
}

/** The number that this trunk is given for the caller: the asserted one where there is any. */
function namedOn({ trunk, owner }: TrunkWay, number: string): string {
  const { identity = {}, username } = trunk.settings;
  const known = { number, display: '', hidden: false, ...(owner === undefined ? {} : { owner }) };
  const { asserted, from } = identityOf(known, identity, username);
  return asserted ?? from?.user ?? '';
}

/** A: the line has this number; B: we know the line, it shows another one; C: it only passes through. */
function attestationOf(orig: string, { line }: OutgoingCall): Attestation {
  if (line === undefined) return 'C';
  return canonicalNumber(line.number) === orig ? 'A' : 'B';
}

function calledParty(
  called: string,
): { readonly tn: readonly string[] } | { readonly uri: readonly string[] } | undefined {
  if (called.startsWith('urn:')) return { uri: [called] };
  const number = canonicalNumber(called);
  return number === undefined ? undefined : { tn: [number] };
}

/** RFC 9562 section 5.8: the octets are ours to choose. */
function uuidOf(octets: Uint8Array): string {
  const own = Uint8Array.from(octets.subarray(0, 16));
  own[6] = ((own[6] ?? 0) & 0x0f) | 0x80;
  own[8] = ((own[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(own);
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}
