/** Streams through an HTTP proxy by CONNECT (RFC 9110, section 9.3.6): what TLS then protects, the proxy only carries. */
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type Address, NetError } from '#shared/kernel/world.ts';

/** Octets of a proxy's answer that are read. */
export const ANSWER_LIMIT = 8_192;

/** Reads `http://host:port`; undefined where it is no such address. */
export function readProxy(text: string): Address | undefined {
  const found = /^http:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})\/?$/.exec(text);
  const [host, port] = [found?.[1] ?? found?.[2], Number(found?.[3])];
  return host === undefined || !(port > 0 && port <= 65_535) ? undefined : { host, port };
}

/** Whether a host is reached by the proxy: this machine itself never is. */
export function goesByProxy(host: string): boolean {
  return !/^(localhost|127\.[0-9.]+|::1)$/i.test(host);
}

/** A socket that the proxy has connected with `to`. Rejects with EPROXY, or with the network's own error. The caller sets the time. */
export function throughProxy(proxy: Address, to: Address): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({ ...proxy, noDelay: true });
    let head = Buffer.alloc(0);
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const closed = () => fail(new NetError('EPROXY', 'the proxy closed the connection'));
    const read = (data: Buffer) => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (head.length > ANSWER_LIMIT) fail(new NetError('EPROXY', 'the proxy does not answer like one'));
        return;
      }
      const status = /^HTTP\/1\.[01] ([0-9]{3})/.exec(head.toString('latin1'))?.[1];
      if (status === undefined || !status.startsWith('2'))
        return fail(new NetError('EPROXY', `the proxy refused (${status ?? 'no HTTP'})`));
      socket.off('data', read).off('error', fail).off('close', closed);
      socket.pause();
      // Nobody speaks before we do: TLS begins with our hello. What came early is put back all the same.
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
      resolve(socket);
    };
    socket.on('data', read).once('error', fail).once('close', closed);
    const target = `${isIP(to.host) === 6 ? `[${to.host}]` : to.host}:${to.port}`;
    socket.once('connect', () => socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`));
  });
}
