/** Who sends a request to the gateway, by its credential; and who gave wrong ones. */
import { Door, type Verdict } from '#shared/call/register.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import type { World } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { House, type HouseLine } from './house.ts';
import { REFUSALS_LIMIT, type Refusal } from './insight.ts';

export type Sender = { readonly line: HouseLine } | { readonly status: number; readonly headers: [string, string][] };

export class Senders {
  readonly #house: House;
  readonly #world: World;
  readonly #refusals: Refusal[] = [];
  /** Absent until the domain is known. */
  #door: { readonly domain: string; readonly door: Door } | undefined;

  constructor(house: House, world: World) {
    this.#house = house;
    this.#world = world;
  }

  /** The domain in which phones prove who they are. */
  use(domain: string): void {
    if (this.#door?.domain === domain) return;
    const { random, crypto, net } = this.#world;
    const door = new Door({
      realm: domain,
      secret: random.bytes(32),
      hash: sipHash(crypto),
      salt: () => random.bytes(8),
      isOurs: (host) => host === domain || net.addresses().some((one) => one.host === host),
    });
    this.#door = { domain, door };
  }

  /** Wrong credentials of late, oldest first. */
  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  /** The line that a phone proved to be, or how it is refused. */
  judge(message: SipMessage, flow: Flow): Sender {
    const door = this.#door?.door;
    if (door === undefined) return { status: 503, headers: [['Retry-After', '30']] };
    const claimed = door.claimed(message);
    const line = claimed === undefined ? undefined : this.#house.byUsername(claimed.username);
    const verdict: Verdict = door.judge(message, claimed, line, flow.remote.host, this.#world.clock.wall());
    if (!verdict.ok) this.#refused(flow, claimed?.username, verdict);
    if (!verdict.ok)
      return { status: verdict.status, headers: verdict.challenges.map((value) => ['WWW-Authenticate', value]) };
    return line !== undefined && House.owns(line, message) ? { line } : { status: 403, headers: [] };
  }

  /** Remembers who gave wrong credentials; a first question, and one with an old nonce, is no failure. */
  #refused(flow: Flow, username: string | undefined, { status, challenges }: Exclude<Verdict, { ok: true }>): void {
    if (username === undefined || challenges.some((challenge) => /stale=true/i.test(challenge))) return;
    const { clock, log } = this.#world;
    const source = flow.remote.host;
    log.warn('edge.credentials-refused', { source, username: username.slice(0, 64), status });
    this.#refusals.push({ at: clock.wall(), source, username: username.slice(0, 64), status });
    if (this.#refusals.length > REFUSALS_LIMIT) this.#refusals.shift();
  }
}
