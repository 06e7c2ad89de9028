/** The Reason header field (RFC 3326): why one side ended, as the other side is told. Pure. */
import type { SipMessage } from './message.ts';
import { decimal, parseParams } from './params.ts';

/** Protocols whose causes are understood, in the form in which they are written, with the lowest and the highest cause. */
const PROTOCOLS: ReadonlyMap<string, readonly [name: string, from: number, to: number]> = new Map([
  ['sip', ['SIP', 100, 699]],
  ['q.850', ['Q.850', 1, 127]],
  // RFC 4411 section 5.
  ['preemption', ['Preemption', 1, 5]],
]);

/**
 * What the request of one side says of the end, as a value for the request that ends the other side (section 2: a proxy copies the Reason of
 * a CANCEL). One cause of each protocol; undefined where none is understood. Texts stay behind: they may say whose words they are.
 */
export function reasonToPass(message: SipMessage): string | undefined {
  const said = new Map<string, string>();
  for (const value of message.headerAll('Reason')) {
    const semicolon = value.indexOf(';');
    if (semicolon < 0) continue;
    const protocol = PROTOCOLS.get(value.slice(0, semicolon).trim().toLowerCase());
    const cause = decimal(parseParams(value, semicolon)?.get('cause') ?? '', 699);
    if (protocol === undefined || cause === undefined) continue;
    const [name, from, to] = protocol;
    if (cause >= from && cause <= to && !said.has(name)) said.set(name, `${name};cause=${cause}${textOf(name, cause)}`);
  }
  return said.size === 0 ? undefined : [...said.values()].join(', ');
}

/** The one text that phones look for. */
const textOf = (protocol: string, cause: number): string =>
  protocol === 'SIP' && cause === 200 ? ';text="Call completed elsewhere"' : '';
