/**
 * The envelope of every MQTT message, JSON. All correlation stands in it, so that MQTT 3.1.1 and other carriers do.
 *
 * - `id`: idempotency key of the sender; the receiver answers a repeated id with the first answer.
 * - `type`: the verb's name (or `desired`, with `body` a DesiredEnvelope).
 * - `seq`: counts per gateway and channel from 1 within an epoch; order holds per gateway and channel.
 * - `exp`: wall-clock moment after which the message must be dropped unread.
 * - `re`: in a `res`, the id that it answers; then `body` or `fault` is set.
 * - `traceparent`: W3C trace context.
 *
 * A PUBACK means nothing: an outbox entry goes only on the `res` that names its id, sent after the commit.
 */
import type { Fault } from './fault.ts';
import { faults } from './fault.ts';

export interface Envelope {
  readonly v: 1;
  readonly id: string;
  readonly type: string;
  readonly ts: number;
  readonly epoch: number;
  readonly seq: number;
  readonly exp?: number;
  readonly re?: string;
  readonly traceparent?: string;
  readonly body?: unknown;
  readonly fault?: Fault;
}

/** Octets of one packet's payload at the most; larger ones are refused before they are buffered. */
export const ENVELOPE_LIMIT = 64 * 1024;
const DEPTH_LIMIT = 32;

/** Reads an envelope from text that came from outside; undefined where it is none. Never throws. */
export function readEnvelope(text: string): Envelope | undefined {
  if (text.length > ENVELOPE_LIMIT || deeperThan(text, DEPTH_LIMIT)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const e = value as Record<string, unknown>;
  const good =
    e.v === 1 &&
    isToken(e.id) &&
    typeof e.type === 'string' &&
    e.type.length <= 64 &&
    isCount(e.ts) &&
    isCount(e.epoch) &&
    isCount(e.seq) &&
    (e.exp === undefined || isCount(e.exp)) &&
    (e.re === undefined || isToken(e.re)) &&
    (e.traceparent === undefined || (typeof e.traceparent === 'string' && e.traceparent.length <= 64)) &&
    (e.fault === undefined || isFault(e.fault));
  return good ? (e as unknown as Envelope) : undefined;
}

function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isFault(value: unknown): value is Fault {
  if (typeof value !== 'object' || value === null) return false;
  const code = (value as { code?: unknown }).code;
  return typeof code === 'string' && Object.hasOwn(faults, code);
}

/** True where brackets outside strings nest deeper than `limit`: such text is refused before JSON.parse can overflow on it. */
function deeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 92) i++;
      else if (c === 34) quoted = false;
    } else if (c === 34) quoted = true;
    else if (c === 91 || c === 123) {
      if (++depth > limit) return true;
    } else if (c === 93 || c === 125) depth--;
  }
  return false;
}
