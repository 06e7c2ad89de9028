import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Peer, Stream, StreamHandlers } from '#shared/kernel/world.ts';

import { sipDomains } from './certificate-names.ts';

const HIGH_WATER = 64 * 1024;

/** Octets that a stream without an owner keeps before it stops reading; the owner comes within the same turn. */
export function hostStream(socket: Socket, peer: Peer, onClose: () => void): Stream {
  let handlers: StreamHandlers | undefined;
  let failure: string | undefined;
  let closed = false;
  const local = { host: plain(socket.localAddress), port: socket.localPort ?? 0 };
  const remote = { host: plain(socket.remoteAddress), port: socket.remotePort ?? 0 };
  socket.setNoDelay(true);
  socket.pause();
  socket.on('data', (data: Buffer) => handlers?.data(data));
  socket.on('drain', () => handlers?.drain?.());
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? 'EFAILED';
  });
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    closed = true;
    onClose();
    handlers?.close(failure);
  });
  return {
    local,
    remote,
    secure: socket instanceof TLSSocket,
    peer,
    get buffered() {
      return socket.writableLength;
    },
    write(data) {
      if (closed || socket.destroyed || socket.writableEnded) return true;
      socket.write(data);
      return socket.writableLength <= HIGH_WATER;
    },
    end: () => socket.end(),
    destroy: () => socket.destroy(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    handle(next) {
      handlers = next;
      if (closed) queueMicrotask(() => next.close(failure));
      else socket.resume();
    },
  };
}

/**
 * What TLS proved about the other end; `believed` tells whether an authority of ours was given to check against. With `further`, other
 * authorities were too: then it is told apart whose certificate it is.
 */
export function peerOf(socket: TLSSocket, believed: boolean, further?: Authorities): Peer {
  const raw = socket.getPeerX509Certificate();
  if (raw === undefined) return { kind: 'none' };
  const good = believed && socket.authorized;
  const own = good && (further === undefined || issuerOf(raw, further.own) !== undefined);
  const other = good && !own && further !== undefined ? issuerOf(raw, further.others) : undefined;
  return {
    kind: 'certificate',
    subject: commonName(raw.subject),
    keyHash: spkiHash(raw),
    trusted: own,
    ...(other === undefined ? {} : { authority: spkiHash(other) }),
    selfSigned: raw.subject === raw.issuer && raw.verify(raw.publicKey),
    serial: raw.serialNumber.toLowerCase(),
    domains: sipDomains(raw),
  };
}

/** Certificates of authorities: ours, and others. */
export interface Authorities {
  readonly own: readonly X509Certificate[];
  readonly others: readonly X509Certificate[];
}

/** Certificates between one and its authority that are gone through. */
const CHAIN = 5;

/**
 * The authority that a certificate hangs on, by signatures all the way. TLS has checked that it hangs on one of all that are believed, by
 * times and uses; the peer's own list of issuers could lead astray as to which one.
 */
function issuerOf(leaf: X509Certificate, authorities: readonly X509Certificate[]): X509Certificate | undefined {
  let one: X509Certificate | undefined = leaf;
  for (let n = 0; n < CHAIN && one !== undefined; n++) {
    const link: X509Certificate = one;
    const found = authorities.find((authority) => isIssued(link, authority));
    if (found !== undefined) return found;
    const next: X509Certificate | undefined = link.issuerCertificate;
    one = next !== undefined && isIssued(link, next) ? next : undefined;
  }
  return undefined;
}

const isIssued = (link: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && link.checkIssued(issuer) && link.verify(issuer.publicKey);

/** Reads PEM blocks; one that is no certificate is left out. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, lower-case hex. */
export function spkiHash(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

/** Node gives undefined for the subject of a certificate that has none. */
function commonName(subject: string | undefined): string {
  for (const line of subject?.split('\n') ?? []) if (line.startsWith('CN=')) return line.slice(3);
  return '';
}

/** An IPv4 address that the kernel shows in IPv6 clothes is shown as IPv4; a zone is cut off. */
export function plain(address: string | undefined): string {
  if (address === undefined) return '';
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare;
}
