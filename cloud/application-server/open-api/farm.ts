/** The farm as the composition root shows it; the verbs that list, stop and start its servers. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { ok } from '#shared/kernel/result.ts';
import type { FarmServerName } from '#shared/protocol/servers.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

export type FarmServer = VerbReply<'farm.stop'>;

/** What the composition root offers; stop and start are harmless when the server is in that state already. */
export interface FarmControl {
  list(): readonly FarmServer[];
  stop(name: FarmServerName): Promise<FarmServer>;
  start(name: FarmServerName): Promise<FarmServer>;
}

export function farmHandlers(
  farm: FarmControl,
): Pick<Handlers<'application-server'>, 'farm.list' | 'farm.stop' | 'farm.start'> {
  return {
    'farm.list': async () => ok({ items: [...farm.list()] }),
    'farm.stop': async ({ server }) => ok(await farm.stop(server)),
    'farm.start': async ({ server }) => ok(await farm.start(server)),
  };
}
