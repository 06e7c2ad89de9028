/** What a credential may hear, and a page of it. */
import type { Handler, Principal } from '#cloud/bus/bus.ts';
import { toCloudEvent } from '#cloud/store/cloud-event.ts';
import { visibleHomes } from '#cloud/store/directory.ts';
import { hears, readCursor, writeCursor } from '#cloud/store/event-reader.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { mayHear } from '../open-api/access.ts';
import type { Feed } from './feed.ts';
import type { Hearing } from './follow.ts';

/** The right of a principal to hear what a request asks for; the guard has checked that it sees the home. */
export function hearingOf(
  principal: Extract<Principal, { readonly kind: 'account' }>,
  { home, types }: VerbRequest<'event.list'>,
): Hearing {
  const homes = visibleHomes(principal);
  const wanted = home === undefined ? homes : homes === 'all' || homes.includes(home) ? [home] : [];
  return {
    filter: { homes: wanted, ...(types === undefined ? {} : { types }) },
    mayHear: (type) => mayHear(principal, type),
  };
}

/** Pages that are read at most for one that says something. */
const PAGES = 5;

/** `event.list`: the page behind `after`; without it only the place where to begin. */
export function eventList(feed: Feed): Handler<'event.list'> {
  return async (request, { principal }) => {
    if (principal.kind !== 'account') return err(fault('forbidden'));
    const hearing = hearingOf(principal, request);
    let cursor = request.after === undefined ? undefined : readCursor(request.after);
    if (cursor === undefined) return ok({ items: [], cursor: writeCursor(await feed.newest()) });
    for (let n = 1; ; n++) {
      const page = await feed.read(cursor);
      const heard = page.items.filter(({ fact }) => hears(hearing.filter, fact) && hearing.mayHear(fact.type));
      cursor = page.cursor;
      const next = page.more ? { next: writeCursor(cursor) } : {};
      if (heard.length > 0 || !page.more || n === PAGES)
        return ok({ items: heard.map(({ fact }) => toCloudEvent(fact)), cursor: writeCursor(cursor), ...next });
    }
  };
}
