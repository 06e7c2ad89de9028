/** A call as a ladder: phones on the left, the gateway in the middle, the cloud on the right. Pure. */
import type { Reply } from './command.ts';
import { printable, time } from './text.ts';

type Trace = Reply<'gateway.trace'>;

/** Columns between two posts. */
const REACH = 32;
const isRight = (peer: string): boolean => peer.startsWith('tls ');

/** The ladder, 80 columns wide; `full` puts every message below its rung. */
export function ladder({ call, items }: Trace, full: boolean, seenBy: 'gateway' | 'softswitch' = 'gateway'): string {
  const peers = [...new Set(items.filter(({ kind }) => kind !== 'note').map(({ peer }) => peer))];
  const letter = (peer: string) => String.fromCharCode(65 + (Math.max(0, peers.indexOf(peer)) % 26));
  const start = items[0]?.at ?? 0;
  const lines = [
    `call ${printable(call)}, ${time(start)} UTC`,
    ...peers.map(
      (peer) =>
        `  ${letter(peer)} = ${printable(peer)}${isRight(peer) ? (seenBy === 'gateway' ? ' (cloud)' : ' (gateway)') : ''}`,
    ),
    '',
    seenBy === 'gateway'
      ? `${' '.repeat(10)}house${' '.repeat(REACH - 5)}gateway${' '.repeat(REACH - 7)}cloud`
      : `${' '.repeat(10)}direct phones${' '.repeat(REACH - 16)}softswitch${' '.repeat(REACH - 8)}gateways`,
  ];
  for (const { at, kind, peer, summary, text } of items) {
    const when = `+${((at - start) / 1000).toFixed(3)}`.padEnd(9);
    if (kind === 'note') {
      lines.push(`${when} * ${printable(summary)}`.slice(0, 80));
      continue;
    }
    const right = isRight(peer);
    // Out goes away from the gateway, so to the left on the house's side.
    const arrow = rung(printable(summary), right === (kind === 'out'));
    lines.push(right ? `${when}${' '.repeat(REACH + 2)}|${arrow}${letter(peer)}` : `${when}${letter(peer)} ${arrow}|`);
    if (full && text !== '') lines.push(...text.split(/\r?\n/).map((one) => `    ${printable(one)}`));
  }
  return lines.join('\n');
}

function rung(text: string, toRight: boolean): string {
  const label = text.replace(/ (sips?:[^ ]*)/i, '').slice(0, REACH - 6);
  const line = `-- ${label} ${'-'.repeat(REACH - 6 - label.length)}`;
  return toRight ? `${line}->` : `<-${line}`;
}
