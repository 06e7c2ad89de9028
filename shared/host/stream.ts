import { createHash, type X509Certificate } from 'node:crypto';
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

/** What TLS proved about the other end; `believed` tells whether an authority of ours was given to check against. */
export function peerOf(socket: TLSSocket, believed: boolean): Peer {
  const raw = socket.getPeerX509Certificate();
  if (raw === undefined) return { kind: 'none' };
  return {
    kind: 'certificate',
    subject: commonName(raw.subject),
    keyHash: spkiHash(raw),
    trusted: believed && socket.authorized,
    selfSigned: raw.subject === raw.issuer && raw.verify(raw.publicKey),
    serial: raw.serialNumber.toLowerCase(),
    domains: sipDomains(raw),
  };
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, lower-case hex. */
export function spkiHash(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}

function commonName(subject: string): string {
  for (const line of subject.split('\n')) if (line.startsWith('CN=')) return line.slice(3);
  return '';
}

/** An IPv4 address that the kernel shows in IPv6 clothes is shown as IPv4; a zone is cut off. */
export function plain(address: string | undefined): string {
  if (address === undefined) return '';
  const zone = address.indexOf('%');
  const bare = zone < 0 ? address : address.slice(0, zone);
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare;
}
