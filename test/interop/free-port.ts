/** Ports of the loopback for programs that cannot choose one themselves. */
import { createSocket } from 'node:dgram';

/** One that is free for UDP now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
