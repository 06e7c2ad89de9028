/** What a phone of the simulator is told when it is switched on. */
import type { Address, TlsClientOptions, World } from '#shared/kernel/world.ts';
import { ALLOW, type EndpointOptions } from '#shared/sip/endpoint.ts';
import type { OpenedProtocol } from '#shared/sip/types.ts';

/** What the phone does with a call that comes in. */
export type Manner = 'answer' | 'ring' | 'busy' | 'decline';

/** How a phone that does not want a call says so. */
export const REFUSALS: Readonly<Partial<Record<Manner, number>>> = { busy: 486, decline: 603 };

export interface PhoneOptions {
  readonly world: World;
  /** This phone's own address. */
  readonly host: string;
  /** Registrar and outbound proxy. */
  readonly server: Address;
  readonly domain: string;
  readonly username: string;
  readonly password: string;
  readonly protocol?: OpenedProtocol;
  /** The user that it says it is in From; default the username. */
  readonly claims?: string;
  /** The address that it believes it has: a private one, where a NAT is between. */
  readonly believes?: string;
  readonly tls?: TlsClientOptions;
  readonly manner?: Manner;
  /** The status with which it refuses every call. */
  readonly refuses?: number;
  /** Further headers of that refusal. */
  readonly refusalHeaders?: readonly (readonly [string, string])[];
  /** The name that stays when it starts anew (RFC 5626), such as `urn:uuid:…`. */
  readonly instance?: string;
  /** Its Contact stays when it connects anew, as of one that listens at a port of its own. */
  readonly keepsContact?: boolean;
  /** The number of this flow among those of the instance (RFC 5626). */
  readonly flowNumber?: number;
  /** The status with which it refuses NOTIFY inside a call. */
  readonly refusesNews?: number;
  /** It refuses every change of a call (re-INVITE). */
  readonly fixed?: boolean;
  /** Milliseconds of ringing before it answers by itself. */
  readonly answerAfter?: number;
  /** What it says, 8 kHz samples, over and over; default silence. */
  readonly voice?: Int16Array;
  readonly trace?: (direction: 'in' | 'out', text: string) => void;
  /** It knows reliable provisional responses (RFC 3262), and as one that is called has sound before it answers. */
  readonly early?: boolean;
  /** Seconds of its session timers (RFC 4028). */
  readonly timer?: number;
  /** It takes fax (T.38) that is offered in a call. */
  readonly fax?: boolean;
}

/** What its stack can do. */
export function abilitiesOf({ early, timer }: PhoneOptions): Omit<EndpointOptions, 'random' | 'hash'> {
  const timed = timer === undefined ? {} : { sessionExpires: timer };
  return { allow: [...ALLOW, 'SUBSCRIBE'], reliable: early === true, ...timed };
}
