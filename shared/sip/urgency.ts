/**
 * How urgent a message is, by a look at its octets that costs next to nothing: for a server with more to do than it can, which must not
 * read everything to find what to do first. What it is wrong about waits longer, and is judged as always once it is read. Pure.
 *
 * Whatever one peer says inside a call has one rank, so that it keeps its order: a BYE must not overtake the 200 before it. A CANCEL
 * may not overtake its INVITE and goes with the new ones.
 */
export const URGENCY = {
  /** An INVITE that calls for help. */
  help: 0,
  /** Responses, and requests inside a dialog or a transaction. */
  inCall: 1,
  /** An INVITE that brings a credential: its challenge has been paid for. */
  signed: 2,
  /** What begins something else: registrations, subscriptions, messages. */
  other: 3,
  /** New calls. */
  fresh: 4,
} as const;

/** Ranks in all. */
export const URGENCIES = 5;

/** The longest Request-URI that may be one for help, octets. */
const URI_LIMIT = 256;
const INVITE = 'INVITE ';

/** Methods that go on with what there is; all others, but for INVITE, begin something. */
const GOES_ON = ['ACK ', 'BYE ', 'PRACK ', 'UPDATE ', 'INFO '];

/**
 * The rank of a message as it came; `isHelp` is asked about the Request-URI of an INVITE. Undefined: it is no SIP, and takes its turn as
 * if there were no ranks (STUN, by which the wait is measured).
 */
export function urgencyOf(text: string, isHelp: (uri: string) => boolean): number | undefined {
  if (!/^[A-Z]/.test(text)) return undefined;
  if (text.startsWith('SIP/2.0 ')) return URGENCY.inCall;
  if (text.startsWith(INVITE)) return ofInvite(text, isHelp);
  if (GOES_ON.some((method) => text.startsWith(method))) return URGENCY.inCall;
  return text.startsWith('CANCEL ') ? URGENCY.fresh : URGENCY.other;
}

function ofInvite(text: string, isHelp: (uri: string) => boolean): number {
  const end = text.indexOf(' ', INVITE.length);
  if (end > 0 && end <= INVITE.length + URI_LIMIT && isHelp(text.slice(INVITE.length, end))) return URGENCY.help;
  const head = headOf(text);
  if (isTagged(head)) return URGENCY.inCall;
  return /\r\n(?:proxy-)?authorization[ \t]*:/i.test(head) ? URGENCY.signed : URGENCY.fresh;
}

/** Without the body, which may say anything. */
function headOf(text: string): string {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? text : text.slice(0, end);
}

/** To has a tag: the request is inside a dialog. */
function isTagged(head: string): boolean {
  const to = /\r\n(?:to|t)[ \t]*:([^\r\n]*)/i.exec(head)?.[1];
  return to !== undefined && /;[ \t]*tag[ \t]*=/i.test(to);
}
