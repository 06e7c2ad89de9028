/** What softswitch and gateway both need to carry messages: requests whose outcome is awaited, and bodies as text. */
import { fromLatin1, latin1, utf8 } from '../kernel/bytes.ts';
import type { SipMessage } from '../sip/message.ts';
import type { EndpointOutput, SipEndpoint, TransactionHandle } from '../sip/types.ts';
import type { SipPort } from './call-driver.ts';

/** The largest request that goes out over UDP, octets (RFC 3428 section 8, RFC 3261 section 18.1.1). */
export const MESSAGE_DATAGRAM = 1_300;

/** Milliseconds by which the clock of a sender that is believed may be behind ours. */
export const CLOCK_OFF = 86_400_000;

/** Milliseconds for which a MESSAGE is good from now on (`wall`), by its Expires and Date (RFC 3428 section 7); undefined: it says nothing. */
export function lifeOf(message: SipMessage, wall: number): number | undefined {
  if (message.expires === undefined) return undefined;
  const ago = Math.floor(wall) - Date.parse(message.header('Date') ?? '');
  return Math.max(0, message.expires * 1000 - (ago > 0 && ago < CLOCK_OFF ? ago : 0));
}

/** What came back: a final status, 0 for silence or a broken flow. */
export interface Answer {
  readonly status: number;
  readonly message?: SipMessage;
}

export const isTaken = ({ status }: Answer): boolean => status >= 200 && status < 300;

/** Requests of ours that somebody awaits. */
export class SipAsks {
  readonly #sip: SipPort;
  readonly #waiting = new Map<TransactionHandle, (answer: Answer) => void>();

  constructor(sip: SipPort) {
    this.#sip = sip;
  }

  /** Sends by `run` and resolves with the final answer. */
  send(run: (endpoint: SipEndpoint, now: number, out: EndpointOutput[]) => TransactionHandle): Promise<Answer> {
    return new Promise((resolve) => {
      // Known before anything can be heard of it.
      this.#sip.act((endpoint, now, out) => void this.#waiting.set(run(endpoint, now, out), resolve));
    });
  }

  /** True for the news of a request that was sent here. */
  take(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    const resolve = this.#waiting.get(output.transaction);
    if (resolve === undefined) return false;
    const message = output.do === 'response' ? output.message : undefined;
    if (message !== undefined && message.status < 200) return true;
    this.#waiting.delete(output.transaction);
    resolve({ status: message?.status ?? 0, ...(message === undefined ? {} : { message }) });
    return true;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A body's UTF-8 text; undefined where it is none. */
export function readText(body: string): string | undefined {
  try {
    return decoder.decode(fromLatin1(body));
  } catch {
    return undefined;
  }
}

/** A text as the body of a SIP message: one character per octet of UTF-8. */
export const bodyText = (text: string): string => latin1(utf8(text));
