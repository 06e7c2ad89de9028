/** One number for SIP over UDP and over TCP, since phones expect both there. */
import { type Address, type Net, NetError } from '#shared/kernel/world.ts';

/** Ports that are tried before giving up. */
const TRIES = 16;

/**
 * Where to listen: as asked or, for port 0, at a port that is free for UDP and TCP alike. (The port that UDP gets by itself may well
 * be in use over TCP.) Rejects with a NetError where the host itself cannot be bound.
 */
export async function portForBoth(net: Net, listen: Address): Promise<Address> {
  const { host, port } = listen;
  for (let tries = 1; port === 0; tries++) {
    const socket = await net.udp({ host, port: 0 }, () => {});
    try {
      const listener = await net.listen({ host, port: socket.local.port }, (stream) => stream.destroy());
      await listener.close();
      return { host, port: socket.local.port };
    } catch (error) {
      if (!(error instanceof NetError) || error.code !== 'EADDRINUSE' || tries === TRIES) throw error;
    } finally {
      await socket.close();
    }
  }
  return listen;
}
