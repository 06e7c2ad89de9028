/** What is refused before anything is kept of it: what brings no credential where one is due, and what is too much at the moment. */
import type { Refusal } from '#shared/sip/checks.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Access } from './access.ts';
import type { Emergency } from './emergency/emergency.ts';
import type { Incoming } from './incoming.ts';
import type { Location } from './location.ts';
import type { OverloadGuard } from './overload/guard.ts';

export interface ScreenOptions {
  readonly access: Pick<Access, 'unsigned'>;
  readonly incoming: Pick<Incoming, 'unsigned'>;
  readonly location: Pick<Location, 'keeps'>;
  readonly overload: Pick<OverloadGuard, 'judge'>;
  readonly emergency: Pick<Emergency, 'maybe'>;
  /** Whose addresses are known without a word. */
  readonly trunks: { of(flow: Flow): unknown };
  /** Milliseconds for which what is being taken in has waited. */
  readonly late: () => number;
  /** What is being taken in was let in by another process. */
  readonly passed?: () => boolean;
}

export class Screen {
  readonly #o: ScreenOptions;

  constructor(options: ScreenOptions) {
    this.#o = options;
  }

  judge(message: SipMessage, flow: Flow): Refusal | undefined {
    const { access, incoming, location, emergency } = this.#o;
    // Whoever registered over this flow only says that it still is there: a phone is not lost for a busy moment.
    if (message.method === 'REGISTER') return this.#turnedAway(location.keeps(flow)) ?? access.unsigned(message, flow);
    if (message.method !== 'INVITE' || this.#o.passed?.() === true) return undefined;
    const signed = message.header('Authorization') !== undefined;
    const away = emergency.maybe(message.uri) ? undefined : this.#turnedAway(signed);
    return away ?? incoming.unsigned(message, flow);
  }

  /** Over UDP anybody can write any address: until a credential is seen, only a trunk's is believed. */
  isUnproven(flow: Flow): boolean {
    return flow.protocol === 'udp' && this.#o.passed?.() !== true && this.#o.trunks.of(flow) === undefined;
  }

  /** Somebody who may have been called over that flow: a phone, a gateway or a trunk. */
  isKnown(flow: Flow): boolean {
    const { location, trunks } = this.#o;
    return (flow.peer.kind !== 'none' && flow.peer.trusted) || location.keeps(flow) || trunks.of(flow) !== undefined;
  }

  /** The switch has more to do than it can: what nothing was spent on yet goes first. */
  #turnedAway(isKnown: boolean): Refusal | undefined {
    const seconds = this.#o.overload.judge(isKnown, this.#o.late());
    return seconds === undefined ? undefined : { status: 503, headers: [['Retry-After', String(seconds)]] };
  }
}
