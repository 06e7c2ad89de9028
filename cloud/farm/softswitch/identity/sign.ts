/** Our signatures over a call that leaves by a trunk: who calls (RFC 8224 section 6.1, RFC 8588), and who of ours sent it on (RFC 8946). */
import type { LineRow } from '#cloud/store/directory.ts';
import { identityOf } from '#shared/call/trunk.ts';
import { fromLatin1, hex, utf8 } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import { readIdentity, writeIdentity } from '#shared/sip/identity.ts';
import {
  type Attestation,
  canonicalNumber,
  divInput,
  type Passport,
  readFull,
  readSent,
  readToken,
  type Sent,
  signingInput,
  tokenOf,
} from '#shared/sip/passport.ts';
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
  /** The line that called; another one where it was sent on. */
  readonly from?: LineRow;
  /** The trunk by which it came in. */
  readonly cameBy?: string;
  /** Wall clock, ms. */
  readonly wall: number;
  /** Our numbers that sent it on, each to the next, the last of them to `called`. */
  readonly sentOnBy?: readonly string[];
  /** Values of Identity with which it came in, where they hold. */
  readonly proof?: readonly string[];
}

export interface SignTools {
  readonly crypto: Pick<Crypto, 'sign' | 'hmac'>;
  /** Makes origins that say nothing of whose they are. */
  readonly secret: Uint8Array;
}

/** The way with its Identity header fields; as it is where nothing can be said of the caller. */
export async function signedWay(
  way: TrunkWay,
  call: OutgoingCall,
  signer: Signer,
  tools: SignTools,
): Promise<TrunkWay> {
  const { sentOn = 'own', number } = way.trunk.settings.identity ?? {};
  if (sentOn !== 'own' && number === undefined) {
    const chained = await chainedWay(way, call, signer, tools, sentOn);
    if (chained !== undefined) return dated(chained, call);
  }
  const orig = canonicalNumber(namedOn(way, call.caller));
  const dest = calledParty(call.called);
  if (orig === undefined || dest === undefined) return way;
  return dated(
    { ...way, signed: [await callerSigned(orig, dest, { ...call, by: way.trunk.id }, signer, tools)] },
    call,
  );
}

/** What is signed says when it was written (RFC 8224 section 4.1, step 3). */
const dated = (way: TrunkWay, { wall }: OutgoingCall): TrunkWay => ({
  ...way,
  headers: [...(way.headers ?? []), ['Date', new Date(wall).toUTCString()]],
});

/**
 * The way of a call that was sent on, in the name of who calls: what proved the caller when it came (or our own word for it), and a
 * signature of each who sent it on; `nested`: in one. Undefined where there is nothing to chain.
 */
async function chainedWay(
  { owner: _owner, ...way }: TrunkWay,
  call: OutgoingCall,
  signer: Signer,
  tools: SignTools,
  form: 'chain' | 'nested',
): Promise<TrunkWay | undefined> {
  const by = (call.sentOnBy ?? []).flatMap((one) => canonicalNumber(one) ?? []);
  const [orig, called, first] = [canonicalNumber(call.caller), canonicalNumber(call.called), by[0]];
  if (orig === undefined || called === undefined || first === undefined) return undefined;
  const { line: _line, from, ...rest } = call;
  const original = { ...rest, ...(from === undefined ? {} : { line: from }), by: way.trunk.id };
  const proof = call.proof ?? [await callerSigned(orig, { tn: [first] }, original, signer, tools)];
  const said = by.map((div, i) => ({ orig, div, dest: { tn: [by[i + 1] ?? called] } }));
  if (form === 'nested') return { ...way, signed: await nested(proof, said, call, signer, tools) };
  const sent = said.map((one) => sentSigned(one, call, signer, tools));
  return { ...way, signed: [...proof, ...(await Promise.all(sent))] };
}

/**
 * Each who sent the call on in the full form (RFC 8946 section 5), the one before in it, and what proved the caller innermost. Where that
 * was a chain already it stands beside, for only the last of it fits.
 */
async function nested(
  proof: readonly string[],
  said: readonly Pick<Sent, 'orig' | 'div' | 'dest'>[],
  call: OutgoingCall,
  signer: Signer,
  tools: SignTools,
): Promise<string[]> {
  const tokens = proof.flatMap((value) => readIdentity(value)?.token ?? []);
  const first = said[0]?.div ?? '';
  const leadsHere = (token: string) => destOf(token)?.includes(first) === true;
  let value = '';
  let opt = tokens.find(leadsHere);
  if (opt === undefined) return [...proof];
  for (const one of said) {
    value = await sentSigned(one, call, signer, tools, opt);
    opt = readIdentity(value)?.token;
  }
  return [...(tokens.length > 1 ? proof : []), value];
}

const destOf = (token: string): readonly string[] | undefined =>
  (readToken(token) ?? readSent(token) ?? readFull(token)?.sentOn.at(-1))?.passport.dest.tn;

async function callerSigned(
  orig: string,
  dest: Passport['dest'],
  call: OutgoingCall & { readonly by: string },
  { x5u, key }: Signer,
  { crypto, secret }: SignTools,
): Promise<string> {
  const origin = call.line?.home ?? call.cameBy ?? call.by;
  const origid = uuidOf(crypto.hmac('sha256', secret, utf8(`origid ${origin}`)));
  const attest = attestationOf(orig, call);
  const input = signingInput({ x5u, attest, dest, iat: Math.floor(call.wall / 1000), orig, origid });
  return identityOver('shaken', input, x5u, await crypto.sign(key, fromLatin1(input)));
}

async function sentSigned(
  said: Pick<Sent, 'orig' | 'div' | 'dest'>,
  { wall }: OutgoingCall,
  { x5u, key }: Signer,
  { crypto }: SignTools,
  opt?: string,
): Promise<string> {
  const input = divInput({ ...said, x5u, iat: Math.floor(wall / 1000) }, opt);
  return identityOver(opt === undefined ? 'div' : 'div-o', input, x5u, await crypto.sign(key, fromLatin1(input)));
}

const identityOver = (ppt: 'shaken' | 'div' | 'div-o', input: string, info: string, signature: Uint8Array): string =>
  writeIdentity({ token: tokenOf(input, signature), info, alg: 'ES256', ppt });

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
