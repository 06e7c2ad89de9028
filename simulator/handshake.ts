/** The virtual network's TLS: who both ends of a connection are, by their certificates. */
import type { ConnectOptions, ListenOptions, Peer } from '#shared/kernel/world.ts';
import { type CertificateNames, domainsOf, speaksFor } from '#shared/sip/domain-certificate.ts';
import { certificateFacts } from './crypto.ts';

/** The identities that both ends learn, or why the handshake fails. */
export function handshake(
  client: ConnectOptions,
  server: ListenOptions,
  further: readonly string[],
  now: number,
): { server: Peer; client: Peer } | string {
  if ((client.tls === undefined) !== (server.tls === undefined)) return 'one side speaks TLS, the other does not';
  if (client.tls === undefined || server.tls === undefined)
    return { server: { kind: 'none' }, client: { kind: 'none' } };
  const serverPeer = peerOf(server.tls.certificate, client.tls.ca, now);
  if (serverPeer.kind !== 'certificate' || !serverPeer.trusted) return 'the server’s certificate is not believed';
  const name = client.tls.serverName ?? client.host;
  const { names = [] } = certificateFacts(server.tls.certificate) ?? {};
  if (client.tls.sipDomain === true ? !speaksFor(namesIn(names), name) : !names.includes(name))
    return `the server’s certificate is not for ${name}`;
  return {
    server: serverPeer,
    client:
      client.tls.certificate === undefined
        ? { kind: 'none' }
        : peerOf(client.tls.certificate, server.tls.clientCa, now, further),
  };
}

function peerOf(certificate: string, ca: string | undefined, now: number, further: readonly string[] = []): Peer {
  const facts = certificateFacts(certificate);
  if (facts === undefined) return { kind: 'none' };
  const authority = ca === undefined ? undefined : certificateFacts(ca);
  const inTime = facts.notBefore <= now && now <= facts.notAfter;
  const trusted = authority !== undefined && facts.issuerKeyHash === authority.keyHash && inTime;
  const others = further.flatMap((one) => certificateFacts(one)?.keyHash ?? []);
  const vouched = !trusted && inTime && others.includes(facts.issuerKeyHash);
  return {
    kind: 'certificate',
    subject: facts.subject,
    keyHash: facts.keyHash,
    trusted,
    ...(vouched ? { authority: facts.issuerKeyHash } : {}),
    selfSigned: facts.issuerKeyHash === facts.keyHash,
    serial: facts.serial,
    domains: domainsOf(facts.names.length === 0 ? { subject: facts.subject } : namesIn(facts.names)),
  };
}

/** Alternative names of a virtual certificate, sorted as a true one has them. */
function namesIn(names: readonly string[]): CertificateNames {
  const isUri = (name: string) => name.startsWith('sip:');
  return { alternative: { uris: names.filter(isUri), dns: names.filter((name) => !isUri(name)) } };
}
