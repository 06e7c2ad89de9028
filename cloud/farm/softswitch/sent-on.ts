/** Lines of a house that sent a call on, as its gateway says (RFC 5806): it speaks for those of its home alone, and what it says is signed for. */
import { type Diverted, readDiversion } from '#shared/sip/diversion.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Lines } from './lines.ts';

/** The oldest first; undefined where nobody did. */
export function sentOnIn(message: SipMessage): readonly Diverted[] | undefined {
  return message.header('Diversion') === undefined ? undefined : readDiversion(message);
}

/** True where all of them are numbers of that home's lines. */
export async function areOf(home: string, said: readonly Diverted[], lines: Pick<Lines, 'byUser'>): Promise<boolean> {
  for (const { number } of said) {
    const line = await lines.byUser(number);
    if (line?.home !== home || line.number !== number) return false;
  }
  return true;
}
