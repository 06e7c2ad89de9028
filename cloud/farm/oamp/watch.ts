/** Alarms that oamp raises by itself: a paired gateway that stays away, a service server that was stopped. They clear themselves. */
import { gatewayById } from '#cloud/store/directory.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { AS_OAMP, type Oamp } from './parts.ts';

/** Milliseconds that a gateway may be away unremarked: a new certificate or a restart of its agent takes less. */
export const AWAY_GRACE = 5_000;

/** Watches until the returned function is called. */
export function watch(oamp: Oamp): () => void {
  const { bus, world, background } = oamp;
  const waiting = new Map<string, Timer>();
  const raise = (request: Parameters<typeof bus.request<'alarm.raise'>>[1]) =>
    background(bus.request('alarm.raise', request, AS_OAMP).then(() => {}));
  const clear = (request: Parameters<typeof bus.request<'alarm.clear'>>[1]) =>
    background(bus.request('alarm.clear', request, AS_OAMP).then(() => {}));

  const away = async (gateway: string) => {
    const row = await gatewayById(oamp.store, gateway);
    if (row?.state !== 'paired' || row.online === 1) return;
    const text =
      'The gateway is not connected; its phones can be reached only inside the house. Check its power and internet.';
    raise({ cause: 'gateway.offline', severity: 'major', text, gateway });
  };
  const stopPresence = bus.subscribe('gateway.presence', ({ gateway, online }) => {
    waiting.get(gateway)?.cancel();
    waiting.delete(gateway);
    if (online) return clear({ cause: 'gateway.offline', gateway });
    const timer = world.clock.at(world.clock.mono() + AWAY_GRACE, () => {
      waiting.delete(gateway);
      background(away(gateway));
    });
    waiting.set(gateway, timer);
  });
  const stopFarm = bus.subscribe('farm.changed', ({ server, state }) => {
    const cause = `server.stopped.${server}`;
    if (state !== 'stopped') return clear({ cause });
    raise({
      cause,
      severity: 'major',
      text: `The ${server} server is stopped; requests that need it are refused. Start it again: hearthline farm start --server ${server}.`,
    });
  });
  return () => {
    stopPresence();
    stopFarm();
    for (const timer of waiting.values()) timer.cancel();
  };
}
