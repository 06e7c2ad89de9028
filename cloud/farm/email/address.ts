/** Mail addresses: `local@domain` of plain ASCII, as RFC 5321 section 4.1.2 has them without quoting. Pure. */

export interface MailAddress {
  /** As written; whoever owns the domain decides what case means. */
  readonly local: string;
  /** Lower case. */
  readonly domain: string;
}

/** The local part, in ASCII letters, digits and the other atext of RFC 5322 section 3.2.3, with single dots between. */
const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Octets of the local part and of the whole address (RFC 5321 section 4.5.3.1; a path is 256 with its brackets). */
const LOCAL_LIMIT = 64;
const ADDRESS_LIMIT = 254;

/** Reads an address without a display name; undefined where it is none that we can carry. */
export function readAddress(text: string): MailAddress | undefined {
  const at = text.lastIndexOf('@');
  if (text.length > ADDRESS_LIMIT || at < 1 || at > LOCAL_LIMIT) return undefined;
  const local = text.slice(0, at);
  const domain = text.slice(at + 1).toLowerCase();
  return LOCAL.test(local) && DOMAIN.test(domain) ? { local, domain } : undefined;
}

export function writeAddress({ local, domain }: MailAddress): string {
  return `${local}@${domain}`;
}

/** The same address always gives the same text: our own mailboxes know no case. */
export function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** What stands before a `+tag`; undefined without one. A number's own plus sign is no tag. */
export function withoutTag(local: string): string | undefined {
  const plus = local.indexOf('+', 1);
  return plus < 0 ? undefined : local.slice(0, plus);
}

/** A local part made from a name that people gave: `Elm Street 1` becomes `elm-street-1`. Empty when nothing is left of it. */
export function localFrom(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 32)
    .replace(/^-+|-+$/g, '');
}
