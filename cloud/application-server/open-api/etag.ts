/**
 * Entity tags (RFC 9110 section 8.8.3) of what GET shows, and the preconditions that stand on them. The tag is a hash of the
 * representation, so it changes when anything that one sees has changed. A request with If-Match is judged and carried out alone among
 * those that name the same resource with If-Match: of two with one tag, one wins.
 */
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Route, routes } from './routes.ts';

/** The strong tag of a body. */
export function etagOf({ crypto }: Pick<World, 'crypto'>, body: string): string {
  return `"${hex(crypto.hash('sha256', utf8(body))).slice(0, 32)}"`;
}

/** Whether a list of tags (If-Match, If-None-Match) names this one; `*` names any. Weak tags match in weak comparison alone. */
export function names(list: string, tag: string, comparison: 'weak' | 'strong'): boolean {
  return list.split(',').some((one) => {
    const text = one.trim();
    if (text === '*' || text === tag) return true;
    return comparison === 'weak' && text === `W/${tag}`;
  });
}

/** The GET that shows the resource which a changing route is about: the longest one whose path the route's begins with. */
export function shownBy(route: Route): Route | undefined {
  if (route.http.method === 'GET') return undefined;
  return routes
    .filter(({ http }) => http.method === 'GET' && http.stream === undefined && http.path.endsWith('}'))
    .filter(({ http }) => route.http.path === http.path || route.http.path.startsWith(`${http.path}/`))
    .sort((a, b) => b.http.path.length - a.http.path.length)[0];
}
