/**
 * Certificates of other signers, fetched from the address that a call names: over https alone, from hosts that the operator listed, never
 * elsewhere, whatever a call says; bounded in time, size and number, and kept for a while.
 */
import type { World } from '#shared/kernel/world.ts';

/** Milliseconds for one, octets of one, milliseconds for which one is kept, and for which a failure is. */
export const FETCH_FOR = 2_000;
export const FETCH_LIMIT = 16_384;
export const KEEP_FOR = 3_600_000;
export const KEEP_FAILURE_FOR = 30_000;
/** Addresses that are remembered, and asked at one time. */
export const KEPT = 256;
export const AT_ONCE = 32;

export interface Repositories {
  /** Hosts, with their port where it is not 443. */
  readonly hosts: readonly string[];
  /** PEM; absent: whom the web believes. */
  readonly webAuthorities?: string;
}

export class Certificates {
  readonly #world: Pick<World, 'clock' | 'http' | 'log'>;
  readonly #kept = new Map<string, { readonly until: number; readonly text: Promise<string | undefined> }>();
  #asking = 0;

  constructor(world: Pick<World, 'clock' | 'http' | 'log'>) {
    this.#world = world;
  }

  /** The certificates at that address, PEM; undefined where they cannot or may not be had. */
  async at(address: string, repositories: Repositories): Promise<string | undefined> {
    const url = allowedUrl(address, repositories.hosts);
    if (url === undefined) return undefined;
    const now = this.#world.clock.mono();
    const known = this.#kept.get(url);
    if (known !== undefined && known.until > now) return known.text;
    if (this.#asking >= AT_ONCE) return undefined;
    const text = this.#fetch(url, repositories);
    this.#keep(url, now + KEEP_FOR, text);
    const isGone = (await text) === undefined;
    // Where the operator's settings changed meanwhile, it may be known anew.
    if (isGone && this.#kept.get(url)?.text === text)
      this.#keep(url, this.#world.clock.mono() + KEEP_FAILURE_FOR, text);
    return text;
  }

  /** The operator trusts others now. */
  forget(): void {
    this.#kept.clear();
  }

  #keep(url: string, until: number, text: Promise<string | undefined>): void {
    this.#kept.delete(url);
    this.#kept.set(url, { until, text });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
  }

  /** Whoever sends it in small pieces has no more time than others. */
  #fetch(url: string, repositories: Repositories): Promise<string | undefined> {
    const { clock } = this.#world;
    return new Promise((resolve) => {
      const late = clock.at(clock.mono() + FETCH_FOR, () => resolve(undefined));
      void this.#asked(url, repositories).then((text) => {
        late.cancel();
        resolve(text);
      });
    });
  }

  async #asked(url: string, { webAuthorities }: Repositories): Promise<string | undefined> {
    this.#asking += 1;
    try {
      // One octet too many shows that there are more.
      const asked = { method: 'GET' as const, url, timeout: FETCH_FOR, limit: FETCH_LIMIT + 1, cut: true };
      const reply = await this.#world.http.request({
        ...asked,
        ...(webAuthorities === undefined ? {} : { ca: webAuthorities }),
      });
      // Whoever sends us elsewhere is not followed.
      return reply.status === 200 && reply.body.length <= FETCH_LIMIT ? reply.body : undefined;
    } catch (error) {
      this.#world.log.warn('softswitch.certificates-not-fetched', { host: new URL(url).host, error: String(error) });
      return undefined;
    } finally {
      this.#asking -= 1;
    }
  }
}

/** The address as it is asked, where it may be: https, no credentials, a host of the list. */
export function allowedUrl(address: string, hosts: readonly string[]): string | undefined {
  if (address.length > 512 || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  // `host` has the port only where it is not https' own.
  const listed = hosts.some((host) => host.toLowerCase().replace(/:443$/, '') === url.host);
  return listed ? url.href : undefined;
}
