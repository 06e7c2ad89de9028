/** What a phone watches of lines (RFC 6665), and what it was told. */
import { newRequest, type SipMessage } from '#shared/sip/message.ts';

interface WatchOptions {
  readonly domain: string;
  /** Its From, and the URI of its Contact. */
  readonly own: () => string;
  readonly contact: () => string;
  readonly send: (request: SipMessage) => Promise<number>;
}

export class PhoneWatches {
  /** Every NOTIFY that came, in order. */
  readonly notified: SipMessage[] = [];
  readonly #o: WatchOptions;

  constructor(options: WatchOptions) {
    this.#o = options;
  }

  /** Subscribes for `expires` seconds, or refreshes what has this tag; resolves with the final status. */
  start(event: string, target: string, expires = 600, tag?: string): Promise<number> {
    const { domain, own, contact, send } = this.#o;
    const uri = `sip:${target}@${domain}`;
    return send(
      newRequest('SUBSCRIBE', uri, [
        ['From', own()],
        ['To', tag === undefined ? `<${uri}>` : `<${uri}>;tag=${tag}`],
        ['Contact', `<${contact()}>`],
        ['Event', event],
        ['Expires', String(expires)],
      ]),
    );
  }
}
