/**
 * JSON (RFC 8259) as people write it by hand: read on through what is wrong, with the place of each mistake and what to write
 * instead. Strict all the same: text with any problem is not to be used.
 */

/** Counted from 1; a column is a character of the line. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Place {
  /** What is wrong, without a full stop. */
  readonly what: string;
  /** What to do about it, as a command: `write "DE"`. */
  readonly fix: string;
}

/** A value with the place where it begins; `start` and `end` are offsets in the text. */
export type JsonNode = { readonly at: Place; readonly start: number; readonly end: number } & (
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonMember> }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'scalar'; readonly value: string | number | boolean | null }
);

export interface JsonMember {
  /** Where the name stands. */
  readonly at: Place;
  readonly node: JsonNode;
}

export interface JsonReading {
  /** Undefined where nothing could be read at all. */
  readonly node: JsonNode | undefined;
  readonly problems: readonly Problem[];
}

/** Characters of a file, problems that are told, and levels of nesting. */
export const TEXT_LIMIT = 16_384;
export const PROBLEM_LIMIT = 20;
const DEPTH_LIMIT = 8;

const OPENING = /['\u2018\u2019\u201a\u201b`\u00b4\u201c\u201d\u201e\u00ab\u00bb]/;
const CLOSING = /['\u2018\u2019`\u00b4\u201c\u201d\u00ab\u00bb"]/;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WORDS = new Map<string, string>([
  ...['true', 'yes', 'on'].map((word) => [word, 'true'] as const),
  ...['false', 'no', 'off'].map((word) => [word, 'false'] as const),
  ...['null', 'none', 'nil', 'undefined'].map((word) => [word, 'null'] as const),
]);
const ESCAPES = new Map(
  Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }),
);

/** Reads `text`. Never throws; takes time in proportion to its length. */
export function readJson(text: string): JsonReading {
  if (text.length > TEXT_LIMIT) {
    const what = `the file is longer than ${TEXT_LIMIT} characters`;
    return { node: undefined, problems: [{ line: 1, column: 1, what, fix: 'keep only the settings in it' }] };
  }
  const reader = new Reader(text);
  return { node: reader.whole(), problems: reader.problems.slice(0, PROBLEM_LIMIT) };
}

/** The plain value of a node; objects have no prototype. */
export function plainValue(node: JsonNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'array') return node.items.map(plainValue);
  const value: Record<string, unknown> = Object.create(null);
  for (const [name, member] of node.members) value[name] = plainValue(member.node);
  return value;
}

class Reader {
  readonly problems: Problem[] = [];
  readonly #text: string;
  #pos = 0;
  #line = 1;
  /** Offset of the line's first character. */
  #lineStart = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    // A byte order mark, as some editors write it, is no fault of the person.
    if (text.startsWith('\ufeff')) this.#lineStart = this.#pos = 1;
  }

  whole(): JsonNode | undefined {
    this.#skip();
    if (this.#pos >= this.#text.length) {
      this.#problem('the file is empty', 'write {} and the settings between the braces');
      return undefined;
    }
    const node = this.#value();
    this.#skip();
    if (this.#pos < this.#text.length)
      this.#problem('there is more text after the end of the settings', 'take it out, or move it before the last }');
    return node;
  }

  get #char(): string {
    return this.#text.charAt(this.#pos);
  }

  #place(): Place {
    return { line: this.#line, column: this.#pos - this.#lineStart + 1 };
  }

  #problem(what: string, fix: string, at: Place = this.#place()): void {
    if (this.problems.length < PROBLEM_LIMIT) this.problems.push({ ...at, what, fix });
  }

  #advance(count = 1): void {
    for (let i = 0; i < count; i++) {
      if (this.#char === '\n') {
        this.#line++;
        this.#lineStart = this.#pos + 1;
      }
      this.#pos++;
    }
  }

  /** White space and, with a problem each, comments. */
  #skip(): void {
    for (;;) {
      if (/\s/.test(this.#char)) {
        this.#advance();
        continue;
      }
      const rest = this.#text.slice(this.#pos, this.#pos + 2);
      const block = rest === '/*';
      if (!block && rest !== '//' && !rest.startsWith('#')) return;
      this.#problem('a comment; JSON has none', 'take the comment out');
      const close = this.#text.indexOf(block ? '*/' : '\n', this.#pos);
      this.#advance((close < 0 ? this.#text.length : close + (block ? 2 : 0)) - this.#pos);
    }
  }

  #value(): JsonNode {
    const [at, start] = [this.#place(), this.#pos];
    if (this.#depth >= DEPTH_LIMIT) {
      this.#problem('braces are nested too deep', 'take this level out');
      this.#advance(this.#text.length - this.#pos);
      return { at, start, end: this.#pos, kind: 'scalar', value: null };
    }
    this.#depth++;
    const what = this.#inner();
    this.#depth--;
    return { at, start, end: this.#pos, ...what };
  }

  #inner() {
    if (this.#char === '{') return { kind: 'object', members: this.#object() } as const;
    if (this.#char === '[') return { kind: 'array', items: this.#array() } as const;
    return { kind: 'scalar', value: this.#scalar() } as const;
  }

  #scalar(): string | number | boolean | null {
    const quoted = this.#quoted();
    if (quoted !== undefined) return quoted;
    const at = this.#place();
    const word = this.#word();
    if (NUMBER.test(word)) return Number(word);
    const known = WORDS.get(word.toLowerCase());
    if (known === undefined) {
      const fix = word === '' ? 'write a value, such as "…" or true' : `write ${JSON.stringify(word)}`;
      this.#problem(word === '' ? 'a value is missing' : `${word} stands without quotes`, fix, at);
      return word === '' ? null : word;
    }
    if (known !== word) this.#problem(`${word} is no word of JSON`, `write ${known}`, at);
    return known === 'null' ? null : known === 'true';
  }

  #word(): string {
    const word = /^[^\s,:;={}[\]"]*/.exec(this.#text.slice(this.#pos))?.[0] ?? '';
    this.#advance(word.length);
    return word;
  }

  /** Text in quotes of any kind; undefined where none begins here. */
  #quoted(): string | undefined {
    if (this.#char === '"') return this.#string();
    if (!OPENING.test(this.#char)) return undefined;
    const at = this.#place();
    this.#advance();
    let text = '';
    while (this.#char !== '' && this.#char !== '\n' && !CLOSING.test(this.#char)) {
      text += this.#char;
      this.#advance();
    }
    if (CLOSING.test(this.#char)) this.#advance();
    this.#problem(
      'text stands in other quotes than "',
      `write ${JSON.stringify(text)}, with straight double quotes`,
      at,
    );
    return text;
  }

  #string(): string {
    const at = this.#place();
    this.#advance();
    let text = '';
    for (;;) {
      const char = this.#char;
      if (char === '' || char === '\n' || char === '\r') {
        this.#problem(
          'the closing " of this text is missing',
          `write ${JSON.stringify(text.replace(/,\s*$/, ''))}`,
          at,
        );
        return text;
      }
      if (char < ' ') this.#problem('a tabulator or another control character inside a text', 'write \\t, or a blank');
      if (char === '\\') text += this.#escape();
      else {
        text += char;
        this.#advance();
        if (char === '"') return text.slice(0, -1);
      }
    }
  }

  #escape(): string {
    const next = this.#text.charAt(this.#pos + 1);
    const unicode = /^\\u([0-9A-Fa-f]{4})/.exec(this.#text.slice(this.#pos, this.#pos + 6))?.[1];
    const known = ESCAPES.get(next);
    if (unicode === undefined && known === undefined)
      this.#problem('a single backslash', 'write \\\\ for one backslash');
    this.#advance(unicode !== undefined ? 6 : known === undefined ? 1 : 2);
    return unicode === undefined ? (known ?? '\\') : String.fromCharCode(Number.parseInt(unicode, 16));
  }

  #object(): Map<string, JsonMember> {
    const members = new Map<string, JsonMember>();
    this.#list('}', () => {
      const at = this.#place();
      const quoted = this.#quoted();
      const name = quoted ?? this.#word();
      if (quoted === undefined && name !== '')
        this.#problem(`the name ${name} stands without quotes`, `write ${JSON.stringify(name)}`, at);
      this.#skip();
      if (this.#char === ':' || this.#char === '=') {
        if (this.#char === '=') this.#problem('= between name and value', 'write : in its place');
        this.#advance();
      } else this.#problem(`there is no : after the name ${JSON.stringify(name)}`, 'write : and the value');
      this.#skip();
      const node = this.#value();
      const first = members.get(name);
      if (first === undefined) members.set(name, { at, node });
      else this.#problem(`"${name}" stands twice (first in line ${first.at.line})`, 'take one of the two out', at);
    });
    return members;
  }

  #array(): JsonNode[] {
    const items: JsonNode[] = [];
    this.#list(']', () => items.push(this.#value()));
    return items;
  }

  /** What stands between a bracket and its `close`, separated by commas; each turn takes at least one character. */
  #list(close: '}' | ']', item: () => void): void {
    const opened = this.#place();
    this.#advance();
    let comma: Place | undefined;
    for (let first = true; ; first = false) {
      this.#skip();
      if (this.#char === '') {
        this.#problem(`the ${close} that belongs to this bracket is missing`, `write ${close} at the end`, opened);
        return;
      }
      if (this.#char === close) {
        if (comma !== undefined) this.#problem(`a comma before ${close}`, 'take the comma out', comma);
        this.#advance();
        return;
      }
      const before = this.#pos;
      if (!first && comma === undefined) this.#problem('a comma is missing', 'write , at the end of the line before');
      if (this.#char !== ',') item();
      else this.#problem('a comma with nothing before it', 'take the comma out');
      this.#skip();
      comma = this.#char === ',' || this.#char === ';' ? this.#place() : undefined;
      if (this.#char === ';') this.#problem('; between two settings', 'write , in its place');
      if (comma !== undefined) this.#advance();
      if (this.#pos === before) this.#stray();
    }
  }

  #stray(): void {
    this.#problem(`${this.#char} has no place here`, 'take it out');
    this.#advance();
  }
}
