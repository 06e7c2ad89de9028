/**
 * Takes secrets out of what leaves the gateway, and gives numbers and hardware addresses names that are the same wherever the
 * same one stands. Pure. Known secrets go wherever they stand; beyond that fields are shown by a list of harmless names, and texts
 * lose whatever looks like a credential.
 */
import { withoutPin } from '#shared/sip/trace.ts';

/** Names of log fields whose values are shown. Others stay hidden until somebody has thought about them. */
const SHOWN_FIELDS = new Set(
  (
    'gateway host at epoch why cause doc version error code detail lost verb id call callId line status flow remote local reason port ' +
    'interface server device from octets leg session source username profile kind state took result count address name path signal url to'
  ).split(' '),
);

/** Words after which, with `=` or `:` or a space, comes a secret. */
const SECRET_WORD =
  '(?:pass(?:word|wd|phrase|code)?|pwd|psk|pin|secret|token|bearer|basic|api[-_ ]?key|apikey|private[-_ ]?key|wpa[-_a-z]*|key|ha1|nonce|cnonce|response|opaque|auth(?:orization)?|cookie|session[-_ ]?id|credential[s]?|inline|ice-pwd|signature|sig|otp|code)';
const HIDDEN = '(hidden)';

export class Redactor {
  readonly #secrets: readonly string[];
  readonly #known: ReadonlySet<string>;
  readonly #names = new Map<string, string>();

  /** `secrets` go wherever they stand; `known` are long words that are none, such as Call-IDs. */
  constructor(secrets: readonly string[], known: readonly string[] = []) {
    // The longest first, so that no part of one is left by a shorter one inside it.
    this.#secrets = [...new Set(secrets)].filter((one) => one.length >= 4).sort((a, b) => b.length - a.length);
    this.#known = new Set(known);
  }

  /** A text as it may leave the gateway, with pseudonyms. */
  text(text: string): string {
    return this.#pseudonyms(this.scrubbed(text));
  }

  /** The same with numbers and hardware addresses left as they are. */
  scrubbed(text: string): string {
    let shown = withoutPin(text);
    for (const secret of this.#secrets) shown = shown.replaceAll(secret, HIDDEN);
    shown = shown
      .replace(/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, HIDDEN)
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^@/\s"'<>]*@/gi, `$1${HIDDEN}@`)
      .replace(/\b(sips?:[^:@\s<>;"]*):[^@\s<>;"]*@/gi, `$1:${HIDDEN}@`)
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s?#"'<>]*)[?#][^\s"'<>]*/gi, `$1?${HIDDEN}`)
      .replace(/\b(digest|bearer|basic|negotiate)\s+[^\r\n]+/gi, `$1 ${HIDDEN}`)
      .replace(
        new RegExp(`(\\b[\\w-]*${SECRET_WORD}["']?\\s*(?:=>|[=:])\\s*)(?:"[^"]*"|'[^']*'|[^\\s,;&"'}]+)`, 'gi'),
        `$1${HIDDEN}`,
      );
    return shown.replace(/[A-Za-z0-9+_=-]{20,}/g, (word) => (this.#isHarmless(word) ? word : HIDDEN));
  }

  /** The fields of a log line. */
  fields(fields: Readonly<Record<string, string | number | boolean>>): Record<string, string | number | boolean> {
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => {
        if (!SHOWN_FIELDS.has(name)) return [name.replace(/[^\w-]/g, '_').slice(0, 32), HIDDEN];
        return [name, typeof value === 'string' ? this.text(value) : value];
      }),
    );
  }

  /** Any JSON value, its texts as they may leave the gateway. */
  value(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((one) => this.value(one));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [this.text(name), this.value(one)]));
  }

  /** Long words that are names of ours, or plain words: our ids, Call-IDs that we know, words without digits. */
  #isHarmless(word: string): boolean {
    if (this.#known.has(word)) return true;
    if (/^[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{24,35}$/.test(word)) return true;
    return /^[a-z]+(?:[-_][a-z]+)*$/.test(word) || /^(?:z9hG4bK|[=-]+$)/.test(word);
  }

  #pseudonyms(text: string): string {
    return text
      .replace(/\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b/gi, (mac) =>
        this.#named('mac', mac.toLowerCase().replaceAll('-', ':')),
      )
      .replace(
        /(^|[^\w.:+])(\+[0-9]{5,15})(?![\w.])/g,
        (_whole, before: string, number: string) => before + this.#named('number', number.slice(1)),
      )
      .replace(
        /\b((?:sips?|tel):)\+?([0-9]{5,15})(?=[@;>\s]|$)/gi,
        (_whole, scheme: string, number: string) => scheme + this.#named('number', number),
      );
  }

  #named(kind: string, value: string): string {
    const key = `${kind} ${value}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const count = [...this.#names.keys()].filter((one) => one.startsWith(`${kind} `)).length;
    const name = `${kind}-${count + 1}`;
    this.#names.set(key, name);
    return name;
  }
}
