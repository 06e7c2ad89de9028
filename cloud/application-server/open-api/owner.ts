/**
 * A thing of another home does not exist: whatever a verb does, an id that leads to a home which the credential does not see is answered
 * as if there were none. Handlers judge again, with what they know better; this is the fence around all of them.
 */
import type { Principal } from '#cloud/bus/bus.ts';
import { homeOfGateway, lineById, sees } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';

/** How the homes of a thing are found, by the name of the field that holds its id. */
const homesOf: Readonly<Record<string, (store: Store, id: string) => Promise<readonly string[]>>> = {
  gateway: async (store, id) => listed(await homeOfGateway(store, id)),
  line: async (store, id) => listed((await lineById(store, id))?.home),
  session: async (store, id) =>
    (await store.all<{ home: string }>('SELECT home FROM session_home WHERE session = ?', [id])).map((row) => row.home),
};

function listed(home: string | undefined): readonly string[] {
  return home === undefined ? [] : [home];
}

/** The fault of a request that names a thing of other homes alone; a thing that nobody knows yet is left to its handler. */
export async function ownerFault(
  store: Store,
  principal: Principal,
  request: Readonly<Record<string, unknown>>,
): Promise<Fault | undefined> {
  if (principal.kind === 'account' && principal.homes === 'all') return undefined;
  for (const [field, find] of Object.entries(homesOf)) {
    const id = request[field];
    if (typeof id !== 'string') continue;
    const homes = await find(store, id);
    if (homes.length > 0 && !homes.some((home) => sees(principal, home)))
      return fault('not_found', `There is no such ${field}.`);
  }
  return undefined;
}
