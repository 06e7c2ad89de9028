/** The sockets of a worker: Node's datagrams, with every error counted and none fatal. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { GraphReceiver, GraphSocket } from './graph-host.ts';

/** Kernel buffer for what waits while the thread is busy, octets: about 1 s of one call. */
const RECEIVE_BUFFER = 64 * 1024;

/** Binds a UDP socket; rejects with Node's error and its `code`. */
export function bindDatagram(host: string, port: number, receive: GraphReceiver): Promise<GraphSocket> {
  return new Promise((resolve, reject) => {
    const six = isIPv6(host);
    const family = six ? 6 : 4;
    const socket = createSocket({
      type: six ? 'udp6' : 'udp4',
      ipv6Only: six,
      recvBufferSize: RECEIVE_BUFFER,
      // Addresses are literal: the resolver and its turn of the event loop are spared for every packet.
      lookup: (name, _options, callback) => callback(null, name, family),
    });
    const refuse = (error: Error) => {
      // Node keeps the descriptor of a socket that could not be bound.
      socket.close();
      reject(error);
    };
    socket.once('error', refuse);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', refuse);
      // A refused or full send is a lost packet; RTP expects those.
      socket.on('error', () => undefined);
      socket.on('message', (data, from) => receive(data, from.address, from.port));
      let open = true;
      resolve({
        port: socket.address().port,
        send(data, length, to, at) {
          // Node throws at a port that is none; a description may name any number.
          if (open && Number.isInteger(at) && at > 0 && at < 65_536) socket.send(data, 0, length, at, to);
        },
        close() {
          if (!open) return;
          open = false;
          socket.close();
        },
      });
    });
  });
}
