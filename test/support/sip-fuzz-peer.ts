/**
 * A hostile SIP peer: sends damaged messages of a corpus, answers what it heard, and goes on in the dialogs and transactions that it heard
 * of, soundly or not. It draws all that is random from its user.
 */
import { type Draw, damaged, fitLength, joined, type Parts, partsOf } from './sip-fuzz.ts';

/** Messages that it remembers. */
const REMEMBERED = 48;
/** A description that anybody can take. */
export const SDP =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n';

const pick = <T>(list: readonly T[], draw: Draw): T | undefined => list[Math.floor(draw() * list.length)];

export class HostilePeer {
  readonly #draw: Draw;
  readonly #corpus: readonly string[];
  readonly #at: { readonly us: string; readonly them: string };
  readonly #heard: string[] = [];
  #fresh = 0;

  /** `us`: the host that it attacks; `them`: its own. */
  constructor(draw: Draw, corpus: readonly string[], at: { readonly us: string; readonly them: string }) {
    this.#draw = draw;
    this.#corpus = corpus;
    this.#at = at;
  }

  /** A message came from the attacked side. */
  heard(text: string): void {
    this.#heard.push(text);
    if (this.#heard.length > REMEMBERED) this.#heard.splice(Math.floor(this.#draw() * REMEMBERED), 1);
  }

  /** What it sends next. */
  next(): string {
    const draw = this.#draw;
    const chance = draw();
    const known = chance < 0.5 ? pick(this.#heard, draw) : undefined;
    if (known === undefined) {
      const text = damaged(pick(this.#corpus, draw) ?? '', draw);
      return draw() < 0.7 ? this.#renamed(text) : text;
    }
    const parts = partsOf(known);
    if (known.startsWith('SIP/')) this.#goOn(parts);
    else this.#answerTo(parts);
    fitLength(parts);
    const text = joined(parts);
    return draw() < 0.6 ? damaged(text, draw) : text;
  }

  /** Names of its own, so that it begins something. */
  #renamed(text: string): string {
    const name = `n${++this.#fresh}`;
    return text
      .replace(/branch=z9hG4bK[\w.]*/, `branch=z9hG4bK${name}`)
      .replace(/^(call-id|i)([ \t]*:[ \t]*)[^\r\n]*/im, `$1$2${name}@x`);
  }

  /** A request of the endpoint's becomes a response to it. */
  #answerTo(parts: Parts): void {
    const draw = this.#draw;
    const status = pick(
      [100, 180, 183, 199, 200, 200, 200, 202, 300, 302, 400, 401, 407, 408, 422, 481, 487, 491, 500, 503, 603],
      draw,
    );
    parts.start = `SIP/2.0 ${status} Words`;
    const extra = partsOf(pick(this.#corpus, draw) ?? '').lines.filter((line) =>
      /^(?:WWW|Proxy-A|Min-SE|RSeq|Require|Session)/i.test(line),
    );
    parts.lines = parts.lines.filter((line) => !/^(?:max-forwards|allow|supported|content-|route)/i.test(line));
    parts.lines = parts.lines.map((line) =>
      line.startsWith('To:') && !line.includes(';tag=') ? `${line};tag=${pick(['p1', 'p2'], draw)}` : line,
    );
    parts.lines.push(...extra);
    parts.body = draw() < 0.5 ? SDP : '';
    if (parts.body !== '') parts.lines.push('Content-Type: application/sdp');
  }

  /** An answer of the endpoint's becomes a further request: in its dialog, or for its transaction. */
  #goOn(parts: Parts): void {
    const draw = this.#draw;
    const method =
      pick(
        ['ACK', 'BYE', 'CANCEL', 'INVITE', 'UPDATE', 'INFO', 'PRACK', 'REFER', 'OPTIONS', 'NOTIFY', 'MESSAGE'],
        draw,
      ) ?? '';
    const rseq = parts.lines.find((line) => line.startsWith('RSeq:'))?.slice(5) ?? ' 1';
    parts.start = `${method} sip:us@${this.#at.us} SIP/2.0`;
    const later = draw() < 0.7 ? 1 + Math.floor(draw() * 3) : 0;
    parts.lines = parts.lines.flatMap((line) => {
      if (line.startsWith('Via:'))
        return [later === 0 ? line : line.replace(/branch=[^;]*/, `branch=z9hG4bKn${++this.#fresh}`)];
      if (line.startsWith('CSeq:'))
        return [`CSeq: ${(Number.parseInt(line.slice(5), 10) + later) % 2 ** 31} ${method}`];
      return /^(?:From|To|Call-ID):/.test(line) ? [line] : [];
    });
    if (method === 'PRACK') parts.lines.push(`RAck:${rseq} 4711 INVITE`);
    if (method === 'INVITE' || method === 'UPDATE' || method === 'REFER')
      parts.lines.push(`Contact: <sip:a@${this.#at.them}>`);
    if (method === 'REFER') parts.lines.push('Refer-To: <sip:c@c.example>');
    parts.body = method === 'INVITE' || draw() < 0.2 ? SDP : '';
    if (parts.body !== '') parts.lines.push('Content-Type: application/sdp');
  }
}
