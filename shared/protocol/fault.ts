/**
 * The one fault table: what can go wrong, what it means and what to do next. HTTP problems (RFC 9457), SIP refusals,
 * MQTT answers and CLI texts all come from here. A fault is a value; it is thrown by nobody.
 */
import { commonFaults } from './faults/common.ts';
import { eCenterFaults } from './faults/e-center.ts';
import { emailFaults } from './faults/email.ts';
import { messagingFaults } from './faults/messaging.ts';
import { oampFaults } from './faults/oamp.ts';
import { platformFaults } from './faults/platform.ts';
import { updateFaults } from './faults/update.ts';
import { voiceFaults } from './faults/voice.ts';
import type { ServerName } from './servers.ts';

export const faults = {
  ...commonFaults,
  ...oampFaults,
  ...updateFaults,
  ...platformFaults,
  ...voiceFaults,
  ...messagingFaults,
  ...emailFaults,
  ...eCenterFaults,
};

export type FaultCode = keyof typeof faults;

export interface Fault {
  readonly code: FaultCode;
  /** What happened this time, in words for the person who asked; never built from secrets. */
  readonly detail?: string;
  /** The server that is missing, for `server_unavailable`. */
  readonly server?: ServerName;
  /** JSON pointer to the field at fault. */
  readonly pointer?: string;
  /** Milliseconds after which another try makes sense. */
  readonly retryAfter?: number;
}

export function fault(code: FaultCode, detail?: string, more?: Omit<Fault, 'code' | 'detail'>): Fault {
  return { code, ...(detail === undefined ? {} : { detail }), ...more };
}

/** The SIP status that tells this fault to a phone. */
export function sipStatus(code: FaultCode): number {
  return faults[code].sip;
}
