/** What a technician sees of the emergency modem, and what it dials. Pure. */
import type { Registration } from './at-line.ts';
import type { ModemState } from './machine.ts';

export interface ModemReport {
  /** `closed`: the serial line is not there. `silent`: nothing answers on it. */
  readonly state: ModemState['at'];
  readonly registration: Registration;
  readonly sim: string;
  /** dBm. */
  readonly signal?: number;
  /** The port for the call's sound is open. */
  readonly sound: boolean;
  readonly call: boolean;
}

export function reportOf({ at, registration, sim, signal, call }: ModemState, sound: boolean): ModemReport {
  const known = signal === undefined ? {} : { signal };
  return { state: at, registration, sim, ...known, sound, call: call !== undefined };
}

/**
 * What the modem dials for a code: 112 and 911 are help on every mobile network, with or without a subscription; a national code may
 * not be (3GPP TS 22.101 section 10.1.1), so those become 112. Undefined where no code is asked for: the modem calls for help only.
 */
export function dialledAs(code: string): string | undefined {
  if (code === '112' || code === '911') return code;
  return /^[0-9]{2,5}$/.test(code) ? '112' : undefined;
}
