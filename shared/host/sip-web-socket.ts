/** Opens a WebSocket for SIP on a stream that came in: the handshake, and the framing of what follows. */
import type { Clock, Crypto, Stream } from '#shared/kernel/world.ts';
import { toBase64 } from '../kernel/base64.ts';
import { fromLatin1 } from '../kernel/bytes.ts';
import { WebSocketFraming } from '../sip/web-socket.ts';
import { HANDSHAKE_LIMIT, opened, readOpening, refused, WEB_SOCKET_GUID } from '../sip/web-socket-handshake.ts';
import { octetsToText, textToOctets } from './sip-connection.ts';

/** Milliseconds that a refusal may take to leave. */
const LINGER = 1_000;

export interface OpeningOptions {
  readonly clock: Clock;
  readonly crypto: Crypto;
  /** Milliseconds for the whole handshake. */
  readonly within: number;
  /** Whether a page of that origin (`https://host:port`) may open one. */
  readonly mayOpen: (origin: string) => boolean;
}

/** Exactly one of the two is called: the framing with what came already, or why nothing was opened (the stream is closed then). */
export function openWebSocket(
  stream: Stream,
  options: OpeningOptions,
  ready: (framing: WebSocketFraming) => void,
  failed: (why: string) => void,
): void {
  let head = '';
  let over = false;
  let refusal: string | undefined;
  const { clock } = options;
  const fail = (why: string) => {
    if (over) return;
    over = true;
    timer.cancel();
    failed(why);
    stream.destroy();
  };
  /** Its place is taken until it is gone: who keeps its side open is not waited for. */
  const refuse = (why: string, answer: string) => {
    refusal = why;
    timer.cancel();
    timer = clock.at(clock.mono() + LINGER, () => fail(why));
    stream.write(textToOctets(answer));
    stream.end();
  };
  let timer = clock.at(clock.mono() + options.within, () => fail('no handshake in time'));
  stream.handle({
    close: () => fail(refusal ?? 'closed'),
    data(data) {
      if (over || refusal !== undefined) return;
      head += octetsToText(data);
      const end = head.indexOf('\r\n\r\n');
      if (end > HANDSHAKE_LIMIT || (end < 0 && head.length > HANDSHAKE_LIMIT)) return fail('handshake too large');
      if (end < 0) return;
      const asked = readOpening(head.slice(0, end), options.mayOpen);
      if ('status' in asked) return refuse(`handshake refused with ${asked.status}`, refused(asked));
      over = true;
      timer.cancel();
      const digest = options.crypto.hash('sha1', fromLatin1(asked.key + WEB_SOCKET_GUID));
      stream.write(textToOctets(opened(toBase64(digest))));
      const framing = new WebSocketFraming();
      framing.push(textToOctets(head.slice(end + 4)));
      ready(framing);
    },
  });
}
