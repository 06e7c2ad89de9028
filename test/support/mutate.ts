/** Accidents for protocol text, in a repeatable order. */

/** A small generator with a seed, so that each case has a number. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

/** What has broken parsers before. */
const BITS = [
  '\r\n',
  '\r',
  '\n',
  '\0',
  '"',
  '\\',
  '<',
  '>',
  ';',
  ',',
  ':',
  '=',
  '@',
  '%',
  '%00',
  '[',
  ']',
  ' ',
  '\t',
  '?',
  '*',
  '-1',
  '99999999999999999999',
  '\xff\xfe',
  'a'.repeat(300),
  '%s%n',
  '();',
  'SIP/2.0',
];

/** `text` with one small accident: something inserted, deleted, replaced, repeated, cut off, or a line twice. */
export function mutate(text: string, next: () => number): string {
  const at = Math.floor(next() * text.length);
  const span = Math.floor(next() * 12);
  const bit = BITS[Math.floor(next() * BITS.length)] ?? '';
  switch (Math.floor(next() * 7)) {
    case 0:
      return text.slice(0, at) + bit + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + span);
    case 2:
      return text.slice(0, at) + bit + text.slice(at + span);
    case 3:
      return text.slice(0, at) + text.slice(at, at + span).repeat(3) + text.slice(at + span);
    case 4:
      return text.slice(0, at);
    case 5:
      return text.slice(0, at) + String.fromCharCode(Math.floor(next() * 256)) + text.slice(at + 1);
    default: {
      const lines = text.split('\r\n');
      lines.splice(Math.floor(next() * lines.length), 0, lines[Math.floor(next() * lines.length)] ?? '');
      return lines.join('\r\n');
    }
  }
}
