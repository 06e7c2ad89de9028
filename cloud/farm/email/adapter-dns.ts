/** The DNS that mail asks: for other domains' servers, and for what they say of their mails. */
import { Resolver } from 'node:dns/promises';
import type { Mx } from './route.ts';

/** Looks up records as `node:dns` gives them; rejects with `code` ENOTFOUND, ENODATA or another. */
export type Lookup = (name: string, type: string) => Promise<string[] | string[][]>;

/** The system's resolver, or the DNS server at an address (`host:port`). */
export function createLookup(server: string | undefined): {
  readonly lookup: Lookup;
  readonly mx: (domain: string) => Promise<Mx[]>;
} {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  return {
    lookup: (name, type) => resolver.resolve(name, type) as Promise<string[]>,
    mx: (domain) => resolver.resolveMx(domain),
  };
}
