import { X509Certificate } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { type Address, type HttpClient, type HttpReply, type HttpRequest, NetError } from '#shared/kernel/world.ts';
import { netError } from './net.ts';
import { goesByProxy, throughProxy } from './proxy.ts';
import { spkiHash } from './stream.ts';

/** The real HTTP client (by `proxy` to https on other machines, where one is given): one request per connection, certificates always checked (`ca`, `pin`, or the web's own). */
export function hostHttp(proxy?: Address): HttpClient {
  return {
    async request(request) {
      const url = new URL(request.url);
      const socket = await open(url, await addressOf(url, request), request, proxy);
      const late = new NetError('ETIMEDOUT', `${url.origin}: no whole answer in time`);
      // A reply that may be cut is wanted soon, not whole: octets that trickle in give no more time.
      const timer =
        request.cut === true ? setTimeout(() => socket.destroy(late), request.timeout ?? 10_000) : undefined;
      try {
        return await exchange(url, request, socket);
      } finally {
        clearTimeout(timer);
        socket.destroy();
      }
    },
  };
}

/** The address to connect to where not every one is allowed: looked up once and then used, so that no second answer can differ. */
async function addressOf(url: URL, { allow }: HttpRequest): Promise<string> {
  const host = hostOf(url);
  if (allow === undefined) return host;
  const found = isIP(host) === 0 ? await lookup(host, { all: true }).catch(() => []) : [{ address: host }];
  if (found.length === 0) throw new NetError('ENOTFOUND', `${url.origin}: the name is not known`);
  const address = found.find((one) => allow(one.address))?.address;
  if (address === undefined) throw new NetError('EACCES', `${url.origin}: its address is not allowed`);
  return address;
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

async function open(url: URL, address: string, request: HttpRequest, proxy: Address | undefined): Promise<Socket> {
  const by = url.protocol === 'https:' && goesByProxy(hostOf(url)) ? proxy : undefined;
  const port = url.port === '' ? 443 : Number(url.port);
  const carrier = by === undefined ? undefined : throughProxy(by, { host: address, port });
  if (carrier === undefined) return connected(url, address, request);
  const late = Promise.withResolvers<never>();
  const wait = setTimeout(
    () => late.reject(new NetError('ETIMEDOUT', `${url.origin}: no answer by the proxy in time`)),
    request.timeout ?? 10_000,
  );
  try {
    return await connected(url, address, request, await Promise.race([carrier, late.promise]));
  } catch (error) {
    carrier.then((socket) => socket.destroy()).catch(() => {});
    throw error instanceof NetError ? error : netError(error, url.origin);
  } finally {
    clearTimeout(wait);
  }
}

function connected(url: URL, address: string, request: HttpRequest, carrier?: Socket): Promise<Socket> {
  const host = hostOf(url);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:') return Promise.reject(new NetError('EPROTO', `${url.protocol} is not http`));
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const pinned = request.pin !== undefined;
  return new Promise((resolve, reject) => {
    const socket = secure
      ? tlsConnect({
          host: address,
          port,
          ...(carrier === undefined ? {} : { socket: carrier }),
          rejectUnauthorized: !pinned,
          ...(isIP(host) === 0 ? { servername: host } : {}),
          ...(request.ca === undefined ? {} : { ca: request.ca }),
        })
      : netConnect({ host: address, port });
    socket.setTimeout(request.timeout ?? 10_000, () =>
      socket.destroy(new NetError('ETIMEDOUT', `${url.origin}: no answer in time`)),
    );
    socket.once('error', (error) => reject(error instanceof NetError ? error : netError(error, url.origin)));
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      const wrong = pinned && secure ? pinFault(socket as TLSSocket, host, request.pin ?? '') : undefined;
      if (wrong !== undefined) {
        socket.destroy();
        return reject(new NetError('ECERT', `${url.origin}: ${wrong}`));
      }
      resolve(socket);
    });
  });
}

/** Why the server's certificate does not hang on the pinned authority; undefined if it does. */
function pinFault(socket: TLSSocket, host: string, pin: string): string | undefined {
  const peer = socket.getPeerCertificate(true);
  const chain: X509Certificate[] = [];
  for (
    let at: DetailedPeerCertificate | undefined = peer;
    at?.raw !== undefined && chain.length < 6;
    at = at.issuerCertificate
  ) {
    const certificate = new X509Certificate(at.raw);
    if (chain.some((known) => known.fingerprint256 === certificate.fingerprint256)) break;
    chain.push(certificate);
  }
  const [leaf] = chain;
  const authority = chain.find((certificate) => spkiHash(certificate) === pin);
  if (leaf === undefined || authority === undefined) return 'the certificate is not of the pinned authority';
  for (let i = 0; chain[i] !== authority; i++) {
    const child = chain[i];
    const parent = chain[i + 1];
    if (child === undefined || parent === undefined || !child.checkIssued(parent) || !child.verify(parent.publicKey))
      return 'the certificate chain is broken';
    if (!parent.ca) return 'an issuer in the chain is no authority';
  }
  const now = Date.now();
  if (Date.parse(leaf.validFrom) > now || Date.parse(leaf.validTo) < now)
    return 'the certificate is not valid now; check the clock';
  return checkServerIdentity(host, peer)?.message;
}

function exchange(url: URL, request: HttpRequest, socket: Socket): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const body = request.body;
    const headers: Record<string, string> = { host: url.host, connection: 'close', ...request.headers };
    if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
    const outgoing = httpRequest(
      { method: request.method, path: url.pathname + url.search, headers, createConnection: () => socket },
      (reply) => {
        collect(reply, request).then(resolve, reject);
      },
    );
    outgoing.on('error', (error) => reject(error instanceof NetError ? error : netError(error, url.origin)));
    outgoing.end(body);
  });
}

function collect(reply: IncomingMessage, request: HttpRequest): Promise<HttpReply> {
  const { limit = 1024 * 1024, cut, octets } = request;
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const finish = () => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(reply.headers))
        if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
      const whole = Buffer.concat(parts);
      const status = reply.statusCode ?? 0;
      if (octets === true) resolve({ status, headers, body: '', octets: Uint8Array.from(whole) });
      else resolve({ status, headers, body: whole.toString('utf8') });
    };
    reply.on('data', (part: Buffer) => {
      const room = limit - size;
      size += part.length;
      if (part.length <= room) parts.push(part);
      else if (cut === true) {
        parts.push(part.subarray(0, room));
        reply.destroy();
        finish();
      } else reply.destroy(new NetError('ETOOLARGE', `the reply is larger than ${limit} octets`));
    });
    reply.on('error', reject);
    reply.on('end', finish);
  });
}
