/**
 * A brake on guessing passwords. What counts is a wrong digest of one account from one source; a source as a whole is shut out only when
 * it was wrong for several accounts, so that one phone with an old password behind a NAT does not silence its neighbours. What could not
 * be read, and what only came late, is no guess. Pure.
 */

import { sourceOf } from './source.ts';

/** Wrong credentials of one account that one source may send in a minute, and for how long it is then refused (doubling up to an hour). */
export const GUESS_LIMIT = 10;
export const GUESS_WINDOW = 60_000;
/** Accounts for which a source has to be wrong within that minute to be shut out as a whole. */
export const GUESS_ACCOUNTS = 5;
const FIRST_BAN = 60_000;
const LAST_BAN = 3_600_000;
/** Pairs of source and account, and sources, remembered for guessing. */
export const SOURCE_LIMIT = 10_000;
/** Characters of an account's name that tell it from others. */
const NAME_LIMIT = 64;

interface Tries {
  since: number;
  wrong: number;
  until: number;
  ban: number;
}

interface SourceTries extends Tries {
  readonly accounts: Set<string>;
}

export class Guesses {
  readonly #pairs = new Map<string, Tries>();
  readonly #sources = new Map<string, SourceTries>();

  /** Whether the source of this address is refused: for everybody, or for this account. `wall` in ms. */
  banned(address: string, account: string | undefined, wall: number): boolean {
    // A pair stands for every wrong digest: without one nobody is refused.
    if (this.#pairs.size === 0) return false;
    const source = sourceOf(address);
    if ((this.#sources.get(source)?.until ?? 0) > wall) return true;
    return account !== undefined && (this.#pairs.get(pair(source, account))?.until ?? 0) > wall;
  }

  /** A wrong digest. */
  wrong(address: string, account: string, wall: number): void {
    const source = sourceOf(address);
    count(known(this.#pairs, pair(source, account), fresh(wall)), wall, true);
    const all = known(this.#sources, source, { ...fresh(wall), accounts: new Set<string>() });
    if (wall - all.since > GUESS_WINDOW) all.accounts.clear();
    // More than these tell nothing further.
    if (all.accounts.size <= GUESS_ACCOUNTS) all.accounts.add(account.slice(0, NAME_LIMIT));
    if (count(all, wall, all.accounts.size >= GUESS_ACCOUNTS)) all.accounts.clear();
  }
}

const pair = (source: string, account: string): string => `${source} ${account.slice(0, NAME_LIMIT)}`;

const fresh = (wall: number): Tries => ({ since: wall, wrong: 0, until: 0, ban: FIRST_BAN });

/** The entry of that name, made where there is none; the oldest one gives way. */
function known<T>(map: Map<string, T>, key: string, made: T): T {
  const found = map.get(key);
  if (found !== undefined) return found;
  if (map.size >= SOURCE_LIMIT) {
    const oldest = map.keys().next().value;
    if (oldest !== undefined) map.delete(oldest);
  }
  map.set(key, made);
  return made;
}

/** One more; true where that was one too many. */
function count(tries: Tries, wall: number, mayBan: boolean): boolean {
  if (wall - tries.since > GUESS_WINDOW) {
    tries.since = wall;
    tries.wrong = 0;
  }
  if (++tries.wrong < GUESS_LIMIT || !mayBan) return false;
  tries.until = wall + tries.ban;
  tries.ban = Math.min(tries.ban * 2, LAST_BAN);
  tries.wrong = 0;
  return true;
}
