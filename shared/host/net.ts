import { X509Certificate } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket, type SocketOptions } from 'node:dgram';
import { lookup } from 'node:dns';
import { createServer, isIP, isIPv6, connect as netConnect, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { checkServerIdentity, createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls';
import {
  type Address,
  type ConnectOptions,
  type InterfaceAddress,
  type Listener,
  type ListenOptions,
  type Net,
  NetError,
  type Stream,
  type UdpOptions,
  type UdpSocket,
} from '#shared/kernel/world.ts';
import { speaksFor } from '../sip/domain-certificate.ts';
import { namesOf } from './certificate-names.ts';
import { Handshakes } from './handshakes.ts';
import { goesByProxy, throughProxy } from './proxy.ts';
import { type Authorities, certificatesOf, hostStream, peerOf, plain } from './stream.ts';

/** The real network; TLS streams to others than this machine go by `proxy`, where one is given. */
export function hostNet(proxy?: Address): Net {
  return { udp: openUdp, listen, connect: (options) => connectVia(options, proxy), addresses };
}

export function netError(error: unknown, what: string): NetError {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'EFAILED';
  return new NetError(code, `${what}: ${error instanceof Error ? error.message : String(error)}`);
}

/** Octets that the kernel is asked to hold for a datagram socket, so that a busy moment loses none; it grants what it may (`net.core.rmem_max`). */
const UDP_BUFFER = 4 * 1024 * 1024;

/** Linux tells twice of what it grants: its own books are kept in the other half. */
const TOLD = process.platform === 'linux' ? 2 : 1;

/** The address to which a datagram went last, and its family. */
let last = { host: '', family: 0 };

/** Datagrams go to literal addresses, which Node's own look-up would give back only in a later turn. */
const atOnce: NonNullable<SocketOptions['lookup']> = (host, options, callback) => {
  if (host !== last.host) last = { host, family: isIP(host) };
  const { family } = last;
  if (family === 0) lookup(host, options, (error, address, found) => callback(error, address, found));
  else callback(null, host, family);
};

function openUdp(
  options: UdpOptions,
  onMessage: (data: Uint8Array, from: { host: string; port: number }) => void,
): Promise<UdpSocket> {
  const six = isIPv6(options.host);
  const socket = createSocket({
    type: six ? 'udp6' : 'udp4',
    reuseAddr: options.shared === true,
    recvBufferSize: UDP_BUFFER,
    lookup: atOnce,
  });
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      // Node keeps the descriptor of a socket that could not be bound.
      socket.close();
      reject(netError(error, `UDP ${options.host}:${options.port}`));
    };
    socket.once('error', refuse);
    socket.bind({ address: options.host, port: options.port }, () => {
      socket.off('error', refuse);
      // A peer whose port is closed makes the kernel report ECONNREFUSED here; a datagram's fate is nobody's error.
      socket.on('error', () => {});
      try {
        reachOut(socket, options);
      } catch (error) {
        return refuse(error);
      }
      const local = socket.address();
      socket.on('message', (data, from) => onMessage(data, { host: plain(from.address), port: from.port }));
      let open = true;
      resolve({
        local: { host: local.address, port: local.port },
        room: { granted: Math.floor(socket.getRecvBufferSize() / TOLD), wished: UDP_BUFFER },
        soon(run) {
          setImmediate(run);
        },
        send(data, to) {
          // Node throws at a port that is none, and a peer may name any, or come from port 0.
          if (!open || !(to.port > 0 && to.port < 65_536)) return;
          socket.send(data, to.port, six && isIP(to.host) === 4 ? `::ffff:${to.host}` : to.host);
        },
        close() {
          if (!open) return Promise.resolve();
          open = false;
          return new Promise((done) => socket.close(() => done()));
        },
      });
    });
  });
}

/** Throws where the interface is gone. */
function reachOut(socket: DatagramSocket, { broadcast, multicast }: UdpOptions): void {
  if (broadcast === true) socket.setBroadcast(true);
  if (multicast === undefined) return;
  socket.addMembership(multicast.group, multicast.interface);
  socket.setMulticastInterface(multicast.interface);
}

function listen(options: ListenOptions, onStream: (stream: Stream) => void): Promise<Listener> {
  const open = new Set<Socket>();
  const tls = options.tls;
  let server: Server;
  let further: Authorities | undefined;
  let believe: Listener['believe'] = () => {};
  let renew: Listener['renew'] = () => {};
  if (tls === undefined) {
    server = createServer({ noDelay: true }, (socket) => accept(socket));
  } else {
    const ca = tls.clientCa;
    let context = { cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' as const };
    const handshakes = new Handshakes();
    const made = createTlsServer(
      {
        ...context,
        requestCert: tls.asksNone !== true,
        rejectUnauthorized: false,
        handshakeTimeout: 10_000,
        ...(ca === undefined ? {} : { ca }),
      },
      (socket: TLSSocket) => {
        handshakes.end(plain(socket.remoteAddress), socket.remotePort ?? 0);
        onStream(hostStream(socket, peerOf(socket, ca !== undefined, further), () => {}));
      },
    );
    server = made;
    believe = (authorities) => {
      if (ca === undefined) return;
      const others = authorities.flatMap(certificatesOf);
      further = others.length === 0 ? undefined : { own: certificatesOf(ca), others };
      use();
    };
    const use = () =>
      made.setSecureContext({ ...context, ...(ca && { ca: [ca, ...(further?.others ?? []).map(String)] }) });
    renew = ({ certificate, key }) => {
      context = { ...context, cert: certificate, key };
      use();
    };
    server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
    server.on('connection', (socket: Socket) => {
      const [host, port] = [plain(socket.remoteAddress), socket.remotePort ?? 0];
      socket.on('error', () => {});
      if (!handshakes.begin(host, port)) return void socket.destroy();
      open.add(socket);
      socket.on('close', () => {
        open.delete(socket);
        handshakes.end(host, port);
      });
    });
  }
  function accept(socket: Socket) {
    open.add(socket);
    onStream(hostStream(socket, { kind: 'none' }, () => open.delete(socket)));
  }
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(netError(error, `TCP ${options.host}:${options.port}`)));
    server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
      server.on('error', () => {});
      const address = server.address();
      if (address === null || typeof address === 'string') return reject(new NetError('EFAILED', 'no address'));
      resolve({
        local: { host: address.address, port: address.port },
        believe: (authorities) => believe(authorities),
        renew: (own) => renew(own),
        close() {
          for (const socket of open) socket.destroy();
          return new Promise((done) => server.close(() => done()));
        },
      });
    });
  });
}

async function connectVia(options: ConnectOptions, proxy: Address | undefined): Promise<Stream> {
  if (proxy === undefined || options.tls === undefined || !goesByProxy(options.host)) return connect(options);
  const { timeout = 10_000 } = options;
  const what = `TLS ${options.host}:${options.port} by the proxy`;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new NetError('ETIMEDOUT', `${what}: no answer in time`)), timeout);
  const opening = throughProxy(proxy, options);
  try {
    return await connect(options, await Promise.race([opening, late.promise]));
  } catch (error) {
    opening.then((socket) => socket.destroy()).catch(() => {});
    throw error instanceof NetError ? error : netError(error, what);
  } finally {
    clearTimeout(timer);
  }
}

/** `carrier` is a socket that leads there already. */
function connect(options: ConnectOptions, carrier?: Socket): Promise<Stream> {
  const what = `${options.tls === undefined ? 'TCP' : 'TLS'} ${options.host}:${options.port}`;
  return new Promise((resolve, reject) => {
    const tls = options.tls;
    const name = tls?.serverName ?? options.host;
    const socket =
      tls === undefined
        ? netConnect({ host: options.host, port: options.port, noDelay: true })
        : tlsConnect({
            host: options.host,
            port: options.port,
            ...(carrier === undefined ? {} : { socket: carrier }),
            minVersion: 'TLSv1.2',
            ...(isIP(name) === 0 ? { servername: name } : {}),
            checkServerIdentity: (_host, certificate) =>
              tls.sipDomain === true && isIP(name) === 0
                ? sipIdentity(name, certificate.raw)
                : checkServerIdentity(name, certificate),
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
            ...(tls.key === undefined ? {} : { key: tls.key }),
          });
    const timer = setTimeout(
      () => fail(new NetError('ETIMEDOUT', `${what}: no connection in time`)),
      options.timeout ?? 10_000,
    );
    const fail = (error: unknown) => {
      clearTimeout(timer);
      socket.off('close', closed);
      socket.destroy();
      reject(error instanceof NetError ? error : netError(error, what));
    };
    const closed = () => fail(new NetError('ECONNRESET', `${what}: closed`));
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      socket.off('close', closed);
      const peer = tls === undefined ? ({ kind: 'none' } as const) : peerOf(socket as TLSSocket, true);
      resolve(hostStream(socket, peer, () => {}));
    });
  });
}

/** RFC 5922 section 7: undefined where the certificate speaks for that SIP domain. */
function sipIdentity(domain: string, raw: Uint8Array): Error | undefined {
  if (speaksFor(namesOf(new X509Certificate(raw)), domain)) return undefined;
  return new NetError('ECERT', `the certificate does not speak for the SIP domain ${domain}`);
}

function addresses(): readonly InterfaceAddress[] {
  const found: InterfaceAddress[] = [];
  for (const [name, list] of Object.entries(networkInterfaces())) {
    for (const item of list ?? []) {
      const prefix = Number(item.cidr?.split('/')[1] ?? (item.family === 'IPv4' ? 32 : 128));
      found.push({
        name,
        host: plain(item.address),
        family: item.family === 'IPv4' ? 4 : 6,
        loopback: item.internal,
        mac: item.mac,
        prefix,
      });
    }
  }
  return found.sort((a, b) => Number(a.loopback) - Number(b.loopback));
}
