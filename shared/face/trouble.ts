/** What can go wrong, as values: what happened, and what to do next. Pure. */
import { reasonPhrase } from '../sip/status.ts';

export type TroubleCode =
  | 'bad_address'
  | 'no_transport'
  | 'unreachable'
  | 'wrong_password'
  | 'refused'
  | 'not_found'
  | 'offline'
  | 'busy'
  | 'declined'
  | 'no_answer'
  | 'cancelled'
  | 'no_codec'
  | 'overloaded'
  | 'broken';

export interface Trouble {
  readonly code: TroubleCode;
  /** What happened, in words for a person. */
  readonly text: string;
  /** What to do next. */
  readonly next: string;
  /** The final SIP status, where there was one. */
  readonly status?: number;
}

type Words = readonly [text: string, next: string];

const WORDS: Readonly<Record<TroubleCode, Words>> = {
  bad_address: [
    'An address cannot be read.',
    'Write it as sip:user@host, with :port and ;transport=tcp where they differ.',
  ],
  no_transport: [
    'No transport fits that address.',
    'Call createTransport for its protocol (and address family) first.',
  ],
  unreachable: [
    'Nobody answers there.',
    'Check host, port and protocol; for a name over UDP give the endpoint its name servers.',
  ],
  wrong_password: [
    'The server does not take the credentials.',
    'Check username and password; wait a minute, since servers ban those who guess.',
  ],
  refused: ['The other side refuses.', 'Look at the status; the account may not be allowed to do that.'],
  not_found: ['The address exists nowhere.', 'Check the number or name.'],
  offline: ['No phone is there.', 'Try again later.'],
  busy: ['The other side is busy.', 'Try again later.'],
  declined: ['The other side does not want the call.', 'Leave it alone.'],
  no_answer: ['Nobody answered in time.', 'Try again later.'],
  cancelled: ['The call was given up before it was answered.', 'Nothing: that is what was asked for.'],
  no_codec: ['The two sides share no codec.', 'This face speaks G.711 (PCMA, PCMU): allow it at the other side.'],
  overloaded: [
    'The server has too much to do, or no way to go on.',
    'Wait as long as Retry-After says, then try again.',
  ],
  broken: ['The connection broke.', 'Call again; a registration comes back by itself.'],
};

/** Trouble of that kind; `detail` stands for the common words. */
export function trouble(code: TroubleCode, detail?: string, status?: number): Trouble {
  const [text, next] = WORDS[code];
  return { code, text: detail ?? text, next, ...(status === undefined ? {} : { status }) };
}

const BY_STATUS: ReadonlyMap<number, TroubleCode> = new Map([
  [401, 'wrong_password'],
  [407, 'wrong_password'],
  [404, 'not_found'],
  [604, 'not_found'],
  [410, 'not_found'],
  [484, 'not_found'],
  [416, 'bad_address'],
  [408, 'no_answer'],
  [480, 'offline'],
  [486, 'busy'],
  [600, 'busy'],
  [603, 'declined'],
  [607, 'declined'],
  [487, 'cancelled'],
  [488, 'no_codec'],
  [606, 'no_codec'],
  [415, 'no_codec'],
  [503, 'overloaded'],
  [500, 'overloaded'],
]);

/** What a final status of 300 and above means (RFC 3261 section 21); `heard` is false where nobody said it. */
export function troubleOf(status: number, heard = true): Trouble {
  if (!heard) return trouble('unreachable');
  const code = BY_STATUS.get(status) ?? 'refused';
  return trouble(code, `${WORDS[code][0]} (${status} ${reasonPhrase(status)})`, status);
}
