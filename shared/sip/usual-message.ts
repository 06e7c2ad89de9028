/**
 * Judges the messages that nearly all are in one pass over their header fields, and lets them keep what it reads on the way. A message that
 * is not of this form is not thereby wrong: the rules of `validate.ts` judge it, one after the other. What is of this form breaks none.
 */
import type { Field } from './fields.ts';
import { CALL_ID, CONTACT, CSEQ, FROM, HEADERS, headerKind, TO, VIA } from './headers.ts';
import type { SipMessage } from './message.ts';
import { methodAt } from './methods.ts';
import { isToken, isTokenCode } from './params.ts';
import { NO_TAG, NOT_USUAL, usualAddress, usualUri } from './usual.ts';
import { usualVia, type Via } from './via.ts';

/** The most values of one header field, over all its lines. */
export const VALUE_LIMIT = 128;

/** Judges the value of a line, or, where it is `whole`, a line that is a list of tokens. */
export interface LineRule {
  readonly whole?: true;
  good(value: string): boolean;
}

/** Reads one message after the other; it is empty again after each. */
class Reading {
  via: Via | undefined;
  vias = 0;
  callId = '';
  fromTag: string | undefined;
  toTag: string | undefined;
  cseq: { readonly n: number; readonly method: string } | undefined;
  /** A bit for each header that was seen, 31 in a number. */
  readonly seen = [0, 0, 0];

  clear(): void {
    this.via = undefined;
    this.cseq = undefined;
    this.vias = 0;
    this.callId = '';
    this.fromTag = undefined;
    this.toTag = undefined;
    this.seen.fill(0);
  }

  /** False where that header was there before. */
  first(id: number): boolean {
    const word = Math.floor(id / 31);
    const bit = 1 << (id % 31);
    const bits = this.seen[word] ?? 0;
    this.seen[word] = bits | bit;
    return (bits & bit) === 0;
  }

  has(id: number): boolean {
    return ((this.seen[Math.floor(id / 31)] ?? 0) & (1 << (id % 31))) !== 0;
  }
}

const reading = new Reading();
const JOIN = headerKind('Join')?.id ?? 0;
const REPLACES = headerKind('Replaces')?.id ?? 0;

/** True where nothing is wrong with the message. `rules`: those of the header fields that are not read here, by id. */
export function isUsualMessage(message: SipMessage, rules: readonly (LineRule | undefined)[]): boolean {
  reading.clear();
  for (const field of message.fields) if (field.id !== 0 && !takes(reading, field, rules)) return false;
  const { via, cseq, callId } = reading;
  if (via === undefined || cseq === undefined || callId === '') return false;
  if (!reading.has(FROM) || !reading.has(TO) || reading.has(JOIN) || reading.has(REPLACES)) return false;
  if (message.kind === 'request') {
    if (cseq.method !== message.method || usualUri(message.uri, 0, message.uri.length) !== message.uri.length)
      return false;
  } else if (!isToken(cseq.method)) return false;
  message.took(via, reading.vias, callId, cseq);
  message.tookTags(reading.fromTag, reading.toTag);
  return true;
}

/** Whether nothing is wrong with one line. */
function takes(read: Reading, field: Field, rules: readonly (LineRule | undefined)[]): boolean {
  const { id, text, start, end } = field;
  if (id === VIA) return takesVia(read, text, start, end);
  if (!read.first(id)) return false;
  switch (id) {
    case FROM:
    case TO: {
      const tag = usualAddress(text, start, end);
      if (tag === NOT_USUAL) return false;
      if (tag === NO_TAG) return true;
      if (id === FROM) read.fromTag = text.slice(tag, end);
      else read.toTag = text.slice(tag, end);
      return true;
    }
    case CALL_ID:
      if (!isCallIdAt(text, start, end)) return false;
      read.callId = text.slice(start, end);
      return true;
    case CSEQ:
      read.cseq = usualCSeq(text, start, end);
      return read.cseq !== undefined;
    case CONTACT:
      return usualAddress(text, start, end) === NO_TAG;
    default:
      return isGood(field, rules[id]);
  }
}

function isGood({ id, text, start, end }: Field, rule: LineRule | undefined): boolean {
  if (rule?.whole) return isTokenListAt(text, start, end);
  if (HEADERS[id - 1]?.list !== true) return rule === undefined || rule.good(text.slice(start, end));
  const further = commas(text, start, end);
  if (rule === undefined) return further < VALUE_LIMIT;
  return further === 0 && rule.good(text.slice(start, end));
}

function takesVia(read: Reading, text: string, start: number, end: number): boolean {
  const via = usualVia(text, start, end);
  read.via ??= via;
  return via !== undefined && ++read.vias <= VALUE_LIMIT;
}

/** `digits method`, parted by one space. */
function usualCSeq(text: string, start: number, end: number): { n: number; method: string } | undefined {
  let n = 0;
  let at = start;
  for (; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    n = n * 10 + digit;
  }
  // Nine digits are always within the limit.
  if (at === start || at - start > 9 || text.charCodeAt(at) !== 32 || at + 1 >= end) return undefined;
  const method = methodAt(text, at + 1, end);
  return method.charCodeAt(0) > 32 ? { n, method } : undefined;
}

/** No white space, comma, semicolon or control, and not nothing (RFC 3261 section 20.8, as lenient as the field needs it). */
export function isCallIdAt(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code <= 32 || code === 127 || code === 44 || code === 59) return false;
  }
  return end > start;
}

/** Tokens parted by commas, of which any may be missing. */
function isTokenListAt(text: string, start: number, end: number): boolean {
  let [values, inToken, behind] = [1, false, false];
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 44) {
      values++;
      behind = false;
      inToken = false;
    } else if (code === 32 || code === 9) behind = inToken;
    else if (behind || !isTokenCode(code)) return false;
    else inToken = true;
  }
  return values <= VALUE_LIMIT;
}

function commas(text: string, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) if (text.charCodeAt(i) === 44) count++;
  return count;
}
