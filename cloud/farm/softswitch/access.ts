/**
 * Who sends a request, from the channel and the credential, never from what it says of itself: a gateway's flow speaks for the
 * lines of its home, anybody else has to prove the line by digest.
 */
import type { LineRow } from '#cloud/store/directory.ts';
import { type Account, type Door, isOwn, type Verdict } from '#shared/call/register.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { assertedIdentities } from '#shared/sip/asserted.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { type Flow, isSecure } from '#shared/sip/types.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { GatewayOfFlow, Gateways, Lines } from './lines.ts';

export type Sender =
  | { readonly kind: 'line'; readonly line: LineRow; readonly gateway?: GatewayOfFlow }
  | { readonly kind: 'refuse'; readonly status: number; readonly headers: readonly (readonly [string, string])[] }
  /** A certificate that we do not trust, or of a gateway that may not come in: the flow is closed. */
  | { readonly kind: 'close' };

type Refused = Extract<Sender, { readonly kind: 'refuse' }>;

const refuse = (status: number, headers: readonly (readonly [string, string])[] = []): Refused => ({
  kind: 'refuse',
  status,
  headers,
});

const refusalBy = ({ status, challenges }: Extract<Verdict, { readonly ok: false }>): Refused =>
  refuse(
    status,
    challenges.map((value) => ['WWW-Authenticate', value] as const),
  );

export class Access {
  readonly #lines: Lines;
  readonly #gateways: Gateways;
  readonly #door: Door;
  readonly #clock: Clock;

  constructor(lines: Lines, gateways: Gateways, door: Door, clock: Clock) {
    this.#lines = lines;
    this.#gateways = gateways;
    this.#door = door;
    this.#clock = clock;
  }

  /** The line that sends this INVITE or REGISTER. */
  sender(message: SipMessage, flow: Flow): Soon<Sender> {
    if (flow.peer.kind === 'none') return this.#byDigest(message, flow);
    return soon(this.#gateways.of(flow), (gateway) =>
      gateway === undefined ? { kind: 'close' } : this.#ofGateway(message, gateway),
    );
  }

  #ofGateway(message: SipMessage, gateway: GatewayOfFlow): Soon<Sender> {
    const asserted = message.method === 'REGISTER' ? message.to.uri : assertedBy(message);
    const user = parseUri(asserted)?.user;
    return soon(user === undefined ? undefined : this.#lines.byUser(user), (line) =>
      line?.home === gateway.home ? { kind: 'line', line, gateway } : refuse(403),
    );
  }

  /** The gateway whose flow it is, whatever line it speaks for. */
  gatewayOf(flow: Flow): Soon<GatewayOfFlow | undefined> {
    return flow.peer.kind === 'none' ? undefined : this.#gateways.of(flow);
  }

  /**
   * The answer to a request that brings no credential where one is due. It depends on nothing but the request, so nothing needs to
   * be kept of it; undefined: `sender` has to judge.
   */
  unsigned(message: SipMessage, flow: Flow): Refused | undefined {
    if (flow.peer.kind !== 'none') return undefined;
    if (message.header('Authorization') !== undefined || message.header('Proxy-Authorization') !== undefined)
      return undefined;
    const verdict = this.#door.judge(
      message,
      undefined,
      undefined,
      flow.remote.host,
      this.#clock.wall(),
      isSecure(flow),
    );
    return verdict.ok ? undefined : refusalBy(verdict);
  }

  #byDigest(message: SipMessage, flow: Flow): Soon<Sender> {
    const claimed = this.#door.claimed(message);
    return soon(claimed === undefined ? undefined : this.#lines.byUser(claimed.username), (line) =>
      this.#judge(message, flow, claimed, line),
    );
  }

  #judge(message: SipMessage, flow: Flow, claimed: ReturnType<Door['claimed']>, line: LineRow | undefined): Sender {
    // A credential is made for the username; nobody signs in by number.
    const account = line?.username === claimed?.username ? accountOf(line) : undefined;
    const secure = isSecure(flow);
    const verdict = this.#door.judge(message, claimed, account, flow.remote.host, this.#clock.wall(), secure);
    if (!verdict.ok) return refusalBy(verdict);
    if (line === undefined || account === undefined) return refuse(403);
    return isOwn(message, account) ? { kind: 'line', line } : refuse(403);
  }
}

function accountOf(line: LineRow | undefined): Account | undefined {
  if (line === undefined) return undefined;
  const { username, number, ha1_md5: md5, ha1_sha256: sha256 } = line;
  return { username, number, ha1: { md5, sha256 } };
}

/** A gateway says for whom it calls in P-Asserted-Identity (RFC 3325), or else in From. */
function assertedBy(message: SipMessage): string {
  return assertedIdentities(message)[0]?.uri ?? message.from.uri;
}
