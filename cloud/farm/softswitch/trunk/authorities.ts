/** Authorities that carriers have of their own: who comes with a certificate of one is that carrier, for the names that it speaks for. */
import type { Crypto, Peer } from '#shared/kernel/world.ts';
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';

interface Named {
  readonly id: string;
  readonly settings: TrunkSettings;
}

/** Certificates of authorities of one trunk. */
export const AUTHORITIES = 8;

export class TrunkAuthorities {
  readonly #crypto: Pick<Crypto, 'readCertificate'>;
  /** SHA-256 of their keys, by trunk. */
  #known: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  constructor(crypto: Pick<Crypto, 'readCertificate'>) {
    this.#crypto = crypto;
  }

  /** Reads those of the trunks; gives the certificates that a listener has to believe. */
  async load(trunks: readonly Named[]): Promise<string[]> {
    const known = new Map<string, ReadonlySet<string>>();
    const all = new Set<string>();
    for (const { id, settings } of trunks) {
      const keys = new Set<string>();
      for (const one of certificatesIn(settings.tls?.ca ?? '')) {
        const facts = await this.#crypto.readCertificate(one);
        if (facts === undefined) continue;
        keys.add(facts.keyHash);
        all.add(one);
      }
      known.set(id, keys);
    }
    this.#known = known;
    return [...all];
  }

  /** True where the channel proved that this is the carrier: by its own authority, and for its host's or domain's name (RFC 5922). */
  isCarrier({ id, settings }: Named, peer: Peer): boolean {
    if (peer.kind !== 'certificate' || peer.authority === undefined) return false;
    return names(settings, peer.domains) && this.#known.get(id)?.has(peer.authority) === true;
  }

  /** True where it says so only: anybody can write such a certificate. */
  claimsToBe({ id, settings }: Named, peer: Peer): boolean {
    const has = (this.#known.get(id)?.size ?? 0) > 0;
    return has && peer.kind === 'certificate' && !peer.trusted && names(settings, peer.domains);
  }
}

function names({ host, domain }: TrunkSettings, domains: readonly string[] = []): boolean {
  return domains.some((one) => one === host.toLowerCase() || one === domain?.toLowerCase());
}

/** The first certificates of a PEM text, one by one. */
export function certificatesIn(text: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.slice(0, AUTHORITIES);
}
