/**
 * The door for phones, the same at softswitch and gateway: a digest challenge that tells nothing about who exists, nonces that
 * need no memory, a brake on guessing, and the rule that From and To belong to whoever signed.
 */
import { hex } from '../kernel/bytes.ts';
import {
  challenge,
  checkNonce,
  type DigestAlgorithm,
  type DigestCredentials,
  type DigestHash,
  isFresh,
  makeNonce,
  NonceCounts,
  parseCredentials,
  verify,
} from '../sip/digest.ts';
import type { SipMessage } from '../sip/message.ts';
import { own } from '../sip/params.ts';
import { isAnonymous } from '../sip/privacy.ts';
import { hostOf, userOf } from '../sip/uri.ts';
import { Guesses } from './guesses.ts';
import { readDialled } from './numbers.ts';

/** What the door has to know of a line. */
export interface Account {
  readonly username: string;
  readonly number: string;
  readonly ha1: { readonly md5: string; readonly sha256: string };
}

export interface DoorOptions {
  readonly realm: string;
  /** At least 16 random octets; from another secret all nonces are stale. */
  readonly secret: Uint8Array<ArrayBuffer>;
  readonly hash: DigestHash;
  /** True for a host that is this server: some phones sign its address instead of the Request-URI (RFC 3261 section 22.4 point 5 lets them differ). */
  readonly isOurs?: (host: string) => boolean;
  /** 8 random octets for every nonce. */
  readonly salt: () => Uint8Array;
  /** Stands in every nonce behind its time: which of several processes made it. No hexadecimal digit. */
  readonly mark?: string;
  /** A wrong digest came from there, for that account: other processes that serve the same accounts want to know. */
  readonly onWrong?: (source: string, account: string) => void;
}

export type Verdict =
  | { readonly ok: true }
  /** Answer 401 with these WWW-Authenticate values. */
  | { readonly ok: false; readonly status: 401; readonly challenges: readonly string[] }
  /** Guessed too often: answer 403 and look at nothing. */
  | { readonly ok: false; readonly status: 403; readonly challenges: readonly [] };

/** Nonces of ours that are known without their signature; a power of two. */
const MADE_LIMIT = 16_384;

/** HA1s that nobody has: an unknown user costs the same work as a known one. */
const NOBODY = { md5: '0'.repeat(32), sha256: '0'.repeat(64) };

export class Door {
  readonly #options: DoorOptions;
  readonly #secret: string;
  readonly #counts = new NonceCounts();
  /**
   * Nonces of the last moments, each in a place that its random digits choose: mostly the answer comes at once, and their signature
   * need not be computed again.
   */
  readonly #made: (string | undefined)[] = new Array(MADE_LIMIT).fill(undefined);
  readonly #guesses = new Guesses();
  /** The latest time that was told, and by how much the wall clock has been set back since the beginning. */
  #last = 0;
  #back = 0;

  constructor(options: DoorOptions) {
    this.#options = { ...options, hash: remembering(options.hash) };
    this.#secret = hex(options.secret);
  }

  /** The credentials that a request carries for our realm; whoever they name is not proved by that. */
  claimed(message: SipMessage): DigestCredentials | undefined {
    for (const name of ['Authorization', 'Proxy-Authorization']) {
      for (const value of message.headerAll(name)) {
        const credentials = parseCredentials(value);
        if (credentials?.realm === this.#options.realm) return credentials;
      }
    }
    return undefined;
  }

  /**
   * Judges a request by what it claims and the account of that name, if there is one. `source` is the sender's address, `wall`
   * the wall clock (ms), `secure` whether it came over TLS. Only `ok` proves the account.
   */
  judge(
    message: SipMessage,
    claimed: DigestCredentials | undefined,
    account: Account | undefined,
    source: string,
    wall: number,
    secure = false,
  ): Verdict {
    const now = this.#steady(wall);
    if (this.#guesses.banned(source, claimed?.username, now)) return { ok: false, status: 403, challenges: [] };
    if (claimed === undefined) return this.#challenge(now, secure, false);
    const { hash } = this.#options;
    const ha1 = account?.ha1 ?? NOBODY;
    const uri = this.#signedServer(claimed.uri) ? claimed.uri : message.uri;
    const right = verify({ method: message.method, uri, credentials: claimed, ha1, hash });
    if (!right || account === undefined) {
      this.#guesses.wrong(source, claimed.username, now);
      this.#options.onWrong?.(source, claimed.username);
      return this.#challenge(now, secure, false);
    }
    // After a restart our own nonces look foreign: who knows the password may try again without being asked for it.
    const made = this.#made[placeOf(claimed.nonce)];
    const known = made === claimed.nonce && isFresh(made, now);
    if (!known && checkNonce(claimed.nonce, now, this.#secret, hash) !== 'ok')
      return this.#challenge(now, secure, true);
    const use = this.#counts.take(known ? made : own(claimed.nonce), claimed.nc);
    return use === 'ok' ? { ok: true } : this.#challenge(now, secure, true);
  }

  /** A wrong digest that came to another process. */
  heardWrong(source: string, account: string, wall: number): void {
    this.#guesses.wrong(source, account, this.#steady(wall));
  }

  /** A time that never goes back: else bans would last, and nonces be refused as forgotten ones, until a clock that was set back is where it was. */
  #steady(wall: number): number {
    this.#back = Math.max(this.#back, this.#last - wall);
    this.#last = wall + this.#back;
    return this.#last;
  }

  #signedServer(uri: string): boolean {
    const host = userOf(uri) === undefined ? hostOf(uri) : undefined;
    return host !== undefined && this.#options.isOurs?.(host) === true;
  }

  /**
   * Over TLS both algorithms, the strongest first (RFC 8760 section 2.4). In the clear MD5 alone: phones are common that give up at
   * any challenge which they do not know, wherever it stands (docs/adr/0006-digest-in-the-clear.md).
   */
  #challenge(now: number, secure: boolean, stale: boolean): Verdict {
    const { realm, hash, salt, mark = '' } = this.#options;
    const nonce = makeNonce(now, this.#secret, hash, mark + hex(salt()));
    this.#made[placeOf(nonce)] = nonce;
    const algorithms: readonly DigestAlgorithm[] = secure ? ['SHA-256', 'MD5'] : ['MD5'];
    return { ok: false, status: 401, challenges: challenge({ realm, nonce, stale, algorithms }) };
  }
}

/** The place of a nonce among those made lately: by the last digits of its signature. */
const placeOf = (nonce: string): number => Number.parseInt(nonce.slice(-4), 16) & (MADE_LIMIT - 1);

/** The same digest, computed once for a text that comes again and again: method and URI of every registration. */
function remembering(hash: DigestHash): DigestHash {
  let last = { algorithm: '', text: '', digest: '' };
  return (algorithm, text) => {
    if (!text.startsWith('REGISTER:')) return hash(algorithm, text);
    if (last.text !== text || last.algorithm !== algorithm) last = { algorithm, text, digest: hash(algorithm, text) };
    return last.digest;
  };
}

/** True where a SIP or tel URI names the account: its username or its number in any usual writing. */
export function names(uri: string, account: Pick<Account, 'username' | 'number'>): boolean {
  const user = userOf(uri);
  if (user === undefined || user === account.username) return user !== undefined;
  const read = readDialled(user);
  return read?.kind === 'number' && read.number === account.number;
}

/**
 * True where a request is in the name of whoever signed it, or in nobody's: a caller that wants privacy writes an anonymous From (RFC 3323
 * section 4.1.1.3).
 */
export function isOwn(message: SipMessage, account: Account): boolean {
  if (message.method === 'REGISTER') return mayRegister(message, account);
  return names(message.from.uri, account) || isAnonymous(message.from.uri);
}

/** A registration is for the signer's own address, From and To alike (RFC 3261 section 10.2). */
function mayRegister(message: SipMessage, account: Account): boolean {
  const { from, to } = message;
  return names(to.uri, account) && (from.uri === to.uri || names(from.uri, account));
}
