/** The farm as the composition root shows it; the verbs that list, stop and start its servers. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { FarmServerName } from '#shared/protocol/servers.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

export type FarmServer = VerbReply<'farm.stop'>;

/** What the composition root offers; stop and start are harmless when the server is in that state already. */
export interface FarmControl {
  list(): readonly FarmServer[];
  stop(name: FarmServerName): Promise<FarmServer>;
  start(name: FarmServerName): Promise<FarmServer>;
}

/** Handlers of `farm.*`. A server that this cloud was started without cannot be switched. */
export function farmHandlers(
  farm: FarmControl,
): Pick<Handlers<'application-server'>, 'farm.list' | 'farm.stop' | 'farm.start'> {
  const change = async (server: FarmServerName, make: (name: FarmServerName) => Promise<FarmServer>) =>
    farm.list().some(({ name }) => name === server)
      ? ok(await make(server))
      : err(fault('not_found', `This cloud runs no ${server} server.`, { pointer: '/server' }));
  return {
    'farm.list': async () => ok({ items: [...farm.list()] }),
    'farm.stop': ({ server }) => change(server, farm.stop),
    'farm.start': ({ server }) => change(server, farm.start),
  };
}
