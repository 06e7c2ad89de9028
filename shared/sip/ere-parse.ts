/** The grammar of extended regular expressions (POSIX.1 section 9.4), as far as it is defined: what it leaves undefined is refused. Pure. */

/** What a pattern is made of. */
export type EreNode =
  | { readonly is: 'set'; readonly has: (code: number) => boolean }
  | { readonly is: 'start' }
  | { readonly is: 'end' }
  | { readonly is: 'all'; readonly of: readonly EreNode[] }
  | { readonly is: 'any'; readonly of: readonly EreNode[] }
  | { readonly is: 'times'; readonly of: EreNode; readonly least: number; readonly most: number }
  | { readonly is: 'group'; readonly of: EreNode; readonly n: number };

/** Highest count of a repetition (RE_DUP_MAX). */
const COUNT_LIMIT = 255;
/** Groups whose text can be asked for. */
const GROUPS = 9;

const NOTHING: EreNode = { is: 'all', of: [] };

/** Undefined where it is malformed. */
export function parseEre(pattern: string, anyCase: boolean): EreNode | undefined {
  const parser = new Parser(pattern, anyCase);
  const node = parser.choices();
  return parser.broken || !parser.done ? undefined : node;
}

class Parser {
  broken = false;
  readonly #text: string;
  readonly #anyCase: boolean;
  #at = 0;
  #groups = 0;

  constructor(text: string, anyCase: boolean) {
    this.#text = text;
    this.#anyCase = anyCase;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  get #next(): string {
    return this.#text.charAt(this.#at);
  }

  #took(char: string): boolean {
    if (this.#next !== char) return false;
    this.#at += 1;
    return true;
  }

  #fail(): EreNode {
    this.broken = true;
    this.#at = this.#text.length;
    return NOTHING;
  }

  choices(): EreNode {
    const all = [this.#branch()];
    while (this.#took('|')) all.push(this.#branch());
    return { is: 'any', of: all };
  }

  #branch(): EreNode {
    const pieces: EreNode[] = [];
    while (!this.done && this.#next !== '|' && this.#next !== ')') pieces.push(this.#piece());
    return pieces.length === 0 ? this.#fail() : { is: 'all', of: pieces };
  }

  #piece(): EreNode {
    const of = this.#atom();
    const counted = this.#count();
    if (counted === undefined) return of;
    // An anchor is nowhere twice, and one count is enough.
    if (of.is === 'start' || of.is === 'end' || this.#count() !== undefined) return this.#fail();
    return { is: 'times', of, ...counted };
  }

  #count(): { readonly least: number; readonly most: number } | undefined {
    const most = Number.POSITIVE_INFINITY;
    if (this.#took('*')) return { least: 0, most };
    if (this.#took('+')) return { least: 1, most };
    if (this.#took('?')) return { least: 0, most: 1 };
    if (!this.#took('{')) return undefined;
    const least = this.#number();
    const upTo = this.#took(',') ? (this.#next === '}' ? most : this.#number()) : least;
    if (!this.#took('}') || !(least <= upTo)) this.#fail();
    return { least, most: upTo };
  }

  #number(): number {
    const from = this.#at;
    while (/^[0-9]$/.test(this.#next)) this.#at += 1;
    const value = this.#at === from ? Number.NaN : Number(this.#text.slice(from, this.#at));
    if (!(value <= COUNT_LIMIT)) this.#fail();
    return value;
  }

  #atom(): EreNode {
    const char = this.#next;
    this.#at += 1;
    if (char === '(') return this.#group();
    if (char === '[') return this.#bracket();
    if (char === '.') return { is: 'set', has: () => true };
    if (char === '^') return { is: 'start' };
    if (char === '$') return { is: 'end' };
    if ('*+?{'.includes(char)) return this.#fail();
    if (char !== '\\') return this.#literal(char);
    const escaped = this.#next;
    this.#at += 1;
    // Before a letter or digit a backslash means nothing that is defined, a back reference least of all.
    return escaped === '' || /^[A-Za-z0-9]$/.test(escaped) ? this.#fail() : this.#literal(escaped);
  }

  #group(): EreNode {
    this.#groups += 1;
    const n = this.#groups;
    const of = this.choices();
    if (!this.#took(')')) return this.#fail();
    return n > GROUPS ? of : { is: 'group', of, n };
  }

  #literal(char: string): EreNode {
    return this.#set([[char.charCodeAt(0), char.charCodeAt(0)]], false);
  }

  #set(ranges: readonly (readonly [number, number])[], not: boolean): EreNode {
    const within = (code: number) => ranges.some(([low, high]) => low <= code && code <= high);
    const has = this.#anyCase ? (code: number) => within(lower(code)) || within(upper(code)) : within;
    return { is: 'set', has: (code) => has(code) !== not };
  }

  /** `[a-f0-9]`, `[^...]`, `[[:digit:]]`; a `]` may stand first, a `-` first or last. */
  #bracket(): EreNode {
    const not = this.#took('^');
    const ranges: (readonly [number, number])[] = [];
    for (let first = true; first || this.#next !== ']'; first = false) {
      const named = /^\[:([a-z]{1,9}):\]/.exec(this.#text.slice(this.#at, this.#at + 13));
      const known = named === null ? undefined : CLASSES[named[1] ?? ''];
      if (this.done || (named !== null && known === undefined) || /^\[[.=]/.test(this.#text.slice(this.#at)))
        return this.#fail();
      if (known !== undefined) {
        ranges.push(...known);
        this.#at += named?.[0].length ?? 0;
        continue;
      }
      const low = this.#text.charCodeAt(this.#at);
      this.#at += 1;
      const isRange = this.#next === '-' && this.#text.charAt(this.#at + 1) !== ']' && this.#at + 1 < this.#text.length;
      if (isRange) this.#at += 2;
      const high = isRange ? this.#text.charCodeAt(this.#at - 1) : low;
      if (high < low) return this.#fail();
      ranges.push([low, high]);
    }
    this.#at += 1;
    return this.#set(ranges, not);
  }
}

const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);
const upper = (code: number): number => (code >= 97 && code <= 122 ? code - 32 : code);

const DIGIT = [48, 57] as const;
const UPPER = [65, 90] as const;
const LOWER = [97, 122] as const;

const CLASSES: Readonly<Record<string, readonly (readonly [number, number])[] | undefined>> = Object.assign(
  Object.create(null),
  {
    digit: [DIGIT],
    xdigit: [DIGIT, [65, 70], [97, 102]],
    alpha: [UPPER, LOWER],
    alnum: [DIGIT, UPPER, LOWER],
    upper: [UPPER],
    lower: [LOWER],
    space: [
      [9, 13],
      [32, 32],
    ],
    blank: [
      [9, 9],
      [32, 32],
    ],
    punct: [
      [33, 47],
      [58, 64],
      [91, 96],
      [123, 126],
    ],
    print: [[32, 126]],
    graph: [[33, 126]],
    cntrl: [
      [0, 31],
      [127, 127],
    ],
  },
);
