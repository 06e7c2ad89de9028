/**
 * Hostile SIP in a repeatable order: sound messages damaged where the grammar has joints (header fields, parameters, URIs, numbers,
 * quotes, folding, bodies and their lengths), rather than at any octet. Each case has its number, so each can be had again.
 */
import { OWN_MESSAGES } from './sip-fuzz-corpus.ts';

/** A number in [0, 1). */
export type Draw = () => number;

/** A message in the parts that the damage is done to. */
export interface Parts {
  start: string;
  /** Header lines, whole. */
  lines: string[];
  body: string;
}

export function partsOf(text: string): Parts {
  const at = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = (at < 0 ? text : text.slice(0, at)).split('\r\n');
  return { start, lines, body: at < 0 ? '' : text.slice(at + 4) };
}

export const joined = ({ start, lines, body }: Parts): string => [start, ...lines, '', body].join('\r\n');

const pick = <T>(list: readonly T[], draw: Draw): T | undefined => list[Math.floor(draw() * list.length)];
const among = (draw: Draw, most: number): number => Math.floor(draw() * most);

const NUMBERS = [
  '0',
  '-1',
  '+1',
  '1e9',
  '007',
  '255',
  '256',
  '65535',
  '65536',
  '2147483648',
  '4294967295',
  '4294967296',
  '18446744073709551616',
  '9'.repeat(40),
  '0x10',
  '1.5',
  '',
];
const WORDS = [
  '',
  '*',
  '"',
  '\\',
  '"\\',
  '""',
  '<',
  '>',
  '<>',
  '<<a>>',
  ';',
  ';;',
  '=',
  ',',
  ',,',
  '(',
  ')',
  '(()',
  '@',
  ':',
  '%',
  '%00',
  '%zz',
  '%41',
  '[',
  ']',
  '[::1]',
  '?',
  '&',
  '/',
  '\t',
  ' ',
  '\0',
  '\\\0',
  '\x7f',
  '\xff\xfe',
  '\xc3\xa9',
  '\xe2\x80\xae',
  '\xf0\x9f\x98\x80',
  '\xc0\xaf',
  '%s%n%x',
  '../../etc',
  '\r',
  '\n',
  '\r\n ',
  'a'.repeat(300),
  'SIP/2.0',
  'z9hG4bK',
  '__proto__',
  'constructor',
];
const URIS = [
  'sip:',
  'sips:b@b.example',
  'tel:+49-30-123456;phone-context=example.com',
  'sip:a@[2001:db8::1]:5060',
  'sip:a@[2001:db8::1',
  'sip:a@2001:db8::1',
  'sip:a@:::1',
  'sip:%@%',
  'sip:a:b:c@d',
  'sip:a@b:99999',
  'sip:a@b;lr;lr;transport=tcp;maddr=127.0.0.1',
  'sip:a@b?Route=%3Csip:x%3E&To=x',
  'urn:service:sos',
  'http://a/',
  'mailto:a@b',
  'sip:@b',
  'sip:a@',
  'sip:a@b@c',
  'sip: a@b',
  `sip:${'a;'.repeat(60)}@b`,
  'SIP:A@B.EXAMPLE.',
];
const METHODS = [
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'UPDATE',
  'INFO',
  'MESSAGE',
  'REFER',
  'NOTIFY',
  'SUBSCRIBE',
  'REGISTER',
  'PRACK',
  'PUBLISH',
  'invite',
  'X',
  "!.%*_+`'~",
  '',
];
const COMPACT: Readonly<Record<string, string>> = {
  via: 'v',
  from: 'f',
  to: 't',
  'call-id': 'i',
  contact: 'm',
  'content-type': 'c',
  'content-length': 'l',
  'content-encoding': 'e',
  subject: 's',
  supported: 'k',
  'refer-to': 'r',
  event: 'o',
  'allow-events': 'u',
  'session-expires': 'x',
};

type Damage = (parts: Parts, draw: Draw) => void;

/** Some header line rewritten; none where there is none. */
function onLine(parts: Parts, draw: Draw, rewrite: (name: string, value: string) => string): void {
  const at = among(draw, parts.lines.length);
  const line = parts.lines[at];
  if (line === undefined) return;
  const colon = line.indexOf(':');
  parts.lines[at] = colon < 0 ? rewrite(line, '') : rewrite(line.slice(0, colon), line.slice(colon + 1));
}

const somewhere = (text: string, draw: Draw): number => among(draw, text.length + 1);

function inserted(text: string, bit: string, draw: Draw): string {
  const at = somewhere(text, draw);
  return text.slice(0, at) + bit + text.slice(at + (draw() < 0.5 ? among(draw, 8) : 0));
}

/** The n-th run of digits replaced. */
function renumbered(text: string, draw: Draw): string {
  const runs = [...text.matchAll(/\d+/g)];
  const run = pick(runs, draw);
  if (run === undefined) return text;
  return text.slice(0, run.index) + (pick(NUMBERS, draw) ?? '') + text.slice(run.index + run[0].length);
}

const anyOther = (draw: Draw): Parts => partsOf(pick(OWN_MESSAGES, draw) ?? '');

/** A count that is mostly small and now and then at or beyond a limit of ours. */
const times = (draw: Draw): number =>
  draw() < 0.97 ? 1 + among(draw, 3) : (pick([17, 64, 127, 128, 129, 256, 257], draw) ?? 2);

const DAMAGES: readonly Damage[] = [
  (parts, draw) => void parts.lines.splice(among(draw, parts.lines.length), 1),
  (parts, draw) => {
    const line = pick(parts.lines, draw);
    if (line !== undefined) parts.lines.push(...new Array<string>(times(draw)).fill(line));
  },
  (parts, draw) => {
    const line = pick(anyOther(draw).lines, draw);
    if (line !== undefined) parts.lines.splice(among(draw, parts.lines.length + 1), draw() < 0.5 ? 1 : 0, line);
  },
  (parts, draw) => {
    const [line] = parts.lines.splice(among(draw, parts.lines.length), 1);
    if (line !== undefined) parts.lines.splice(among(draw, parts.lines.length + 1), 0, line);
  },
  (parts, draw) =>
    onLine(parts, draw, (name, value) => {
      const spelled = [
        COMPACT[name.toLowerCase()] ?? name,
        name.toUpperCase(),
        `${name} `,
        ` ${name}`,
        `${name}\t`,
        inserted(name, pick(WORDS, draw) ?? '', draw),
      ];
      return `${pick(spelled, draw)}:${value}`;
    }),
  (parts, draw) =>
    onLine(parts, draw, (name, value) => {
      const at = somewhere(value, draw);
      const fold = pick(['\r\n ', '\r\n\t', '\r\n  \t ', '\r\n', '\n ', '\r '], draw) ?? '';
      return `${name}:${value.slice(0, at)}${fold}${value.slice(at)}`;
    }),
  (parts, draw) => onLine(parts, draw, (name, value) => `${name}:${renumbered(value, draw)}`),
  (parts, draw) => onLine(parts, draw, (name, value) => `${name}:${inserted(value, pick(WORDS, draw) ?? '', draw)}`),
  (parts, draw) => onLine(parts, draw, (name) => `${name}: ${pick(WORDS, draw)}`),
  (parts, draw) => onLine(parts, draw, (name, value) => `${name}:${value}, ${value.slice(0, 200)}`),
  (parts, draw) => {
    const piece =
      pick(
        [
          ';tag=1',
          ';branch=z9hG4bKx',
          ';lr',
          ';rport',
          ';received=1.2.3.4',
          ';expires=0',
          ';q=2',
          ';a',
          ';=',
          ';"=',
          ';a="\\',
          ';maddr=x',
        ],
        draw,
      ) ?? '';
    onLine(parts, draw, (name, value) => `${name}:${value}${piece.repeat(times(draw))}`);
  },
  (parts, draw) => {
    const deep = pick(['"', '\\"', '"\\', '<', '("', '<"', '\\\\', '"<sip:'], draw) ?? '';
    onLine(
      parts,
      draw,
      (name, value) => `${name}: ${deep.repeat(1 + among(draw, 40))}${value}${draw() < 0.5 ? deep : ''}`,
    );
  },
  (parts, draw) => {
    const uri = pick(URIS, draw) ?? '';
    const words = parts.start.split(' ');
    if (draw() < 0.4 && words.length === 3) parts.start = [words[0], uri, words[2]].join(' ');
    else onLine(parts, draw, (name, value) => `${name}:${value.replace(/sips?:[^>;,\s]*/, () => uri)}`);
  },
  (parts, draw) => {
    const method = pick(METHODS, draw) ?? '';
    const words = parts.start.split(' ');
    if (!parts.start.startsWith('SIP/')) parts.start = [method, ...words.slice(1)].join(' ');
    if (draw() < 0.7)
      parts.lines = parts.lines.map((line) => (/^cseq/i.test(line) ? line.replace(/\S+$/, () => method) : line));
  },
  (parts, draw) => {
    parts.start = inserted(parts.start, pick([...WORDS, ...NUMBERS], draw) ?? '', draw);
  },
  (parts, draw) => {
    parts.body = parts.body === '' ? anyOther(draw).body : renumbered(parts.body, draw);
  },
  (parts, draw) => {
    const lines = parts.body.split('\r\n');
    const line = pick(lines, draw) ?? '';
    lines.splice(among(draw, lines.length), among(draw, 3), ...new Array<string>(among(draw, 3)).fill(line));
    parts.body = lines.join('\r\n');
  },
  (parts, draw) => {
    parts.body = inserted(
      parts.body,
      pick([...WORDS, '--limit', '--limit--', '\r\n\r\n', 'm=audio', 'c=IN IP4 ', 'a=crypto:1 x inline:'], draw) ?? '',
      draw,
    );
  },
  (parts, draw) => {
    const type = pick(
      [
        'application/sdp',
        'multipart/mixed;boundary=limit',
        'multipart/mixed',
        'multipart/mixed;boundary=""',
        'multipart/mixed;boundary=a',
        'message/sip',
        'text/plain',
        'a/',
        '/',
        '',
      ],
      draw,
    );
    parts.lines.push(`Content-Type: ${type}`);
  },
  (parts, draw) => {
    const length = pick(
      [...NUMBERS, String(parts.body.length + 1), String(Math.max(0, parts.body.length - 1)), `${parts.body.length}`],
      draw,
    );
    parts.lines = [
      ...parts.lines.filter((line) => draw() < 0.5 || !/^(content-length|l)\s*:/i.test(line)),
      `Content-Length: ${length}`,
    ];
  },
];

/** Lengths of what is blown up, octets; the last ones are seldom. */
const HUGE = [500, 2_000, 8_000];

/** One hostile message, made of a sound one (`text`) by one to four accidents. */
export function damaged(text: string, draw: Draw): string {
  const parts = partsOf(text);
  for (let left = 1 + among(draw, 4); left > 0; left--) pick(DAMAGES, draw)?.(parts, draw);
  if (draw() < 0.7) fitLength(parts);
  const chance = draw();
  if (chance < 0.03) {
    const piece = pick(['a', '"', ';a=b', ',', ' ', '<', '\\"', '%41', '\r\n ', 'a:'], draw) ?? '';
    const long = piece.repeat(Math.ceil((pick(HUGE, draw) ?? 500) / piece.length));
    onLine(parts, draw, (name, value) => `${name}:${value}${long}`);
  }
  const whole = joined(parts);
  if (chance > 0.97) return whole.slice(0, somewhere(whole, draw));
  if (chance > 0.95) return inserted(whole, pick(WORDS, draw) ?? '', draw);
  return chance > 0.945 ? whole.replaceAll('\r\n', '\n') : whole;
}

/** Gives the message the Content-Length that it has. */
export function fitLength(parts: Parts): void {
  parts.lines = parts.lines.filter((line) => !/^(?:content-length|l)[ \t]*:/i.test(line));
  parts.lines.push(`Content-Length: ${parts.body.length}`);
}
