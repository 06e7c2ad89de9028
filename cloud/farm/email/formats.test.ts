/** The formats: addresses, octets, composed mails and reports, read back by a parser that is not ours. */
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import { describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { localFrom, readAddress, withoutTag } from './address.ts';
import { compose, type Draft, words } from './compose.ts';
import {
  FIELD_LIMIT,
  fieldValue,
  HEADER_LIMIT,
  HOP_LIMIT,
  isRefusal,
  LINE_LIMIT,
  MAIL_LIMIT,
  octetFault,
  readHeader,
  withHeader,
} from './octets.ts';
import { ATTACHMENT_LIMIT, parseHeader, parseMail, TEXT_LIMIT } from './parse.ts';
import { writeReport } from './report.ts';
import { FIRST_PAUSE, GIVE_UP, LONGEST_PAUSE, nextTry, statusOf } from './retry.ts';
import { exchangers } from './route.ts';

describe('addresses', () => {
  it.each([
    ['a@b', 'a', 'b'],
    ['Elm.Street+x@Example.ORG', 'Elm.Street+x', 'example.org'],
    ['+15550100001@hearthline', '+15550100001', 'hearthline'],
    [`${'a'.repeat(64)}@b.c`, 'a'.repeat(64), 'b.c'],
  ])('%s', (text, local, domain) => expect(readAddress(text)).toEqual({ local, domain }));

  it.each([
    '',
    'a',
    '@b',
    'a@',
    'a@b..c',
    'a@-b',
    'a@b-',
    '.a@b',
    'a.@b',
    'a..b@c',
    'a b@c',
    '"a b"@c',
    'a@[10.0.0.1]',
    'ä@b',
    'a@b\r\nRCPT TO:<x@y>',
    'a\0@b',
    `${'a'.repeat(65)}@b`,
    `a@${'b'.repeat(64)}`,
    `a@${'b.'.repeat(130)}c`,
  ])('no address: %j', (text) => expect(readAddress(text)).toBeUndefined());

  it('a tag stands behind a plus sign that is not the first character', () => {
    expect([withoutTag('app+x'), withoutTag('+1555'), withoutTag('+1555+x'), withoutTag('a')]).toEqual([
      'app',
      undefined,
      '+1555',
      undefined,
    ]);
  });

  it.each([
    ['Elm Street 1', 'elm-street-1'],
    ['日本', ''],
    [' -- ', ''],
  ])('%s becomes %s', (name, local) => expect(localFrom(name)).toBe(local));
});

const mail = (header: string, body = 'text\r\n') => fromLatin1(`${header}\r\n${body}`);

describe('octets that are refused', () => {
  const line = (n: number) => mail('From: a@b\r\n', `${'x'.repeat(n)}\r\n`);
  it.each([
    ['a bare LF', mail('From: a@b\r\n', 'x\ny\r\n'), /bare LF/],
    ['a smuggled end', mail('From: a@b\r\n', 'x\n.\nMAIL FROM:<x@y>\r\n'), /bare LF/],
    ['a smuggled end by CR', mail('From: a@b\r\n', 'x\r.\r\n'), /bare CR/],
    ['a CR at the end', mail('From: a@b\r\n', 'x\r'), /bare CR/],
    ['an LF at the start', fromLatin1('\nFrom: a@b\r\n\r\n'), /bare LF/],
    ['a NUL', mail('From: a@b\r\n', 'x\0\r\n'), /NUL/],
    ['a line of one octet too many', line(LINE_LIMIT + 1), /more than 998/],
    ['the same without its end', mail('From: a@b\r\n', 'x'.repeat(LINE_LIMIT + 1)), /more than 998/],
    ['a mail of one octet too many', new Uint8Array(MAIL_LIMIT + 1), /5\.3\.4/],
  ])('%s', (_what, raw, why) => expect(octetFault(raw)?.text).toMatch(why));

  it('at the limits all is well', () => {
    expect(octetFault(line(LINE_LIMIT))).toBeUndefined();
    expect(octetFault(new Uint8Array())).toBeUndefined();
  });

  it.each([
    ['a line that is no field', 'From: a@b\r\nnonsense\r\n', /no field/],
    ['a name with a blank in it', 'Fr om: a@b\r\n', /no field/],
    ['a folded line first', ' x\r\n', /no field/],
    ['one field too many', 'X: y\r\n'.repeat(FIELD_LIMIT + 1), /1000 fields/],
    ['one octet too many', `X: ${'y'.repeat(900)}\r\n`.repeat(Math.ceil(HEADER_LIMIT / 905)), /65536 octets/],
    ['a loop', 'Received: x\r\n'.repeat(HOP_LIMIT + 1), /loop/],
  ])('a header with %s', (_what, header, why) => {
    const read = readHeader(mail(header));
    expect(isRefusal(read) && read.text).toMatch(why);
  });
});

describe('headers', () => {
  it('fields are unfolded, replaced and dropped; the body stays', () => {
    const raw = mail('From: a@b\r\nSubject: one\r\n\ttwo\r\nBcc: c@d\r\n', 'body\r\n');
    const header = readHeader(raw);
    if (isRefusal(header)) throw new Error(header.text);
    expect(fieldValue(header, 'subject')).toBe('one\ttwo');
    const made = withHeader(raw, header, ({ name }) => name !== 'bcc', 'X: y\r\n');
    expect(latin1(made)).toBe('X: y\r\nFrom: a@b\r\nSubject: one\r\n\ttwo\r\n\r\nbody\r\n');
  });

  it.each([
    ['', ''],
    ['From: a@b', 'From: a@b\r\n'],
    ['\r\nbody', ''],
  ])('%j has the fields %j', (text, fields) => {
    const header = readHeader(fromLatin1(text));
    expect(!isRefusal(header) && header.fields.map((field) => field.text).join('')).toBe(fields);
  });

  it('any octets are a header or a refusal, and what is kept of them is theirs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (raw) => {
        const header = readHeader(raw);
        if (isRefusal(header)) return;
        const whole = latin1(withHeader(raw, header, () => true, ''));
        expect(whole.endsWith(latin1(raw.subarray(header.body)))).toBe(true);
      }),
    );
  });

  it('authors are all addresses of all From fields', async () => {
    const facts = await parseHeader(
      mail('From: "x@y" <a@b>, c@d\r\nFrom: e@f\r\nMessage-ID: <1@2>\r\nSubject: =?utf-8?B?w6Q=?=\r\n'),
    );
    expect(facts).toEqual({ from: 'a@b', authors: ['a@b', 'c@d', 'e@f'], subject: 'ä', messageId: '1@2' });
  });
});

const draft: Draft = { from: { address: 'a@b' }, to: ['c@d'], subject: 's', text: 't', messageId: 'm@b', at: 0 };
const token = 'tokentokentoken';

describe('composed mails', () => {
  it('say what was meant, whatever was meant', async () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 200 })
      .map((one) => one.toWellFormed().replace(/\p{Cc}/gu, ' '));
    const body = fc.array(text, { maxLength: 5 }).map((lines) => lines.join('\n'));
    const file = fc.record({
      name: text.filter((name) => name.trim() === name && name !== ''),
      octets: fc.uint8Array({ maxLength: 200 }),
    });
    await fc.assert(
      fc.asyncProperty(text, body, text, fc.array(file, { maxLength: 3 }), async (subject, words, name, files) => {
        const attachments = files.map((one) => ({ ...one, type: 'application/octet-stream' }));
        const raw = compose({ ...draft, subject, text: words, from: { name, address: 'a@b' }, attachments }, token);
        expect(octetFault(raw)).toBeUndefined();
        const read = await PostalMime.parse(raw);
        expect(read.subject ?? '').toBe(
          subject.trim().replace(/\s+/g, ' ') === subject ? subject : (read.subject ?? ''),
        );
        expect((read.text ?? '').replaceAll('\r\n', '\n').replace(/\n+$/, '')).toBe(words.replace(/\n+$/, ''));
        expect(read.from?.address).toBe('a@b');
        expect(read.attachments.map(({ content }) => new Uint8Array(content as ArrayBuffer))).toEqual(
          files.map(({ octets }) => octets),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('a field cannot be ended by what it says', async () => {
    const raw = compose({ ...draft, subject: 'x\r\nBcc: e@f', from: { name: 'n"\r\nX: y', address: 'a@b' } }, token);
    const read = await PostalMime.parse(raw);
    expect(read.subject).toBe('x  Bcc: e@f');
    expect(read.headers.map(({ key }) => key)).not.toContain('bcc');
    expect(read.headers.map(({ key }) => key)).not.toContain('x');
  });

  it('words are encoded in pieces of 75 characters at the most', () => {
    for (const line of words('ä'.repeat(200)).split('\r\n ')) expect(line.length).toBeLessThanOrEqual(75);
    expect(words('=?utf-8?B?eA==?=')).not.toBe('=?utf-8?B?eA==?=');
  });
});

describe('shown mails', () => {
  it('text and attachments beyond the limits are cut', async () => {
    const long = await parseMail(mail('From: a@b\r\n', 'x'.repeat(TEXT_LIMIT + 1)));
    expect([long.cut, long.text.length]).toEqual([true, TEXT_LIMIT]);
    const part = '--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n';
    const many = mail('Content-Type: multipart/mixed; boundary=b\r\n', part.repeat(ATTACHMENT_LIMIT + 1));
    expect((await parseMail(many)).parts).toHaveLength(ATTACHMENT_LIMIT);
  });

  it('parts within parts without end, and any octets, are shown somehow', async () => {
    const deep = Array.from(
      { length: 300 },
      (_none, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
    );
    expect(await parseMail(fromLatin1(deep.join('')))).toMatchObject({ parts: [] });
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (raw) => void (await parseMail(raw))));
  });

  it('a file name cannot leave its folder', async () => {
    const raw = mail(
      'Content-Type: text/x; name="../../etc/passwd"\r\nContent-Disposition: attachment; filename="../../etc/passwd"\r\n',
    );
    expect((await parseMail(raw)).parts[0]?.name).toBe('.._.._etc_passwd');
  });
});

describe('reports', () => {
  it('have the three parts of RFC 3462 and the fields of RFC 3464', async () => {
    const raw = writeReport(
      {
        domain: 'hearthline',
        to: 'elm@hearthline',
        messageId: 'r@hearthline',
        at: 0,
        arrived: 0,
        original: 'From: elm@hearthline\r\nSubject: lost\r\n',
        failed: [
          { recipient: 'x@y', status: '5.1.1', reply: '550 5.1.1 none\r\nX: y', server: 'mx.y' },
          { recipient: 'z@y', status: '4.0.0', reply: 'nobody was reached' },
        ],
      },
      token,
    );
    expect(octetFault(raw)).toBeUndefined();
    const read = await PostalMime.parse(raw, { forceRfc822Attachments: true, attachmentEncoding: 'utf8' });
    expect(read.headers.find(({ key }) => key === 'content-type')?.value).toMatch(
      /^multipart\/report; report-type=delivery-status;/,
    );
    expect(read.headers.find(({ key }) => key === 'auto-submitted')?.value).toBe('auto-replied');
    const text = latin1(raw);
    for (const field of [
      'Reporting-MTA: dns; hearthline',
      'Final-Recipient: rfc822; x@y\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.y',
      'Diagnostic-Code: smtp; 550 5.1.1 none X: y',
      '\r\n\r\nFinal-Recipient: rfc822; z@y',
      'Diagnostic-Code: x-hearthline; nobody was reached',
      'Content-Type: text/rfc822-headers\r\n\r\nFrom: elm@hearthline\r\nSubject: lost',
    ])
      expect(text).toContain(field);
  });
});

describe('retrying', () => {
  it('begins after 5 minutes, doubles to 4 hours, and ends after 4 days', () => {
    const pauses: number[] = [];
    let at = 0;
    for (let n = 1; ; n++) {
      const next = nextTry(0, n, at);
      if (next === undefined) break;
      pauses.push(next - at);
      at = next;
    }
    expect(pauses.slice(0, 7).map((ms) => ms / 60_000)).toEqual([5, 10, 20, 40, 80, 160, 240]);
    expect([pauses[0], Math.max(...pauses), at]).toEqual([FIRST_PAUSE, LONGEST_PAUSE, GIVE_UP]);
  });

  it.each([
    ['550 5.1.1 no', 'permanent', '5.1.1'],
    ['451-4.7.1 later', 'temporary', '4.7.1'],
    ['550 no such user', 'permanent', '5.0.0'],
    ['connection refused', 'temporary', '4.0.0'],
  ] as const)('%s', (reply, is, status) => expect(statusOf(reply, is)).toBe(status));
});

describe('which servers take a domain’s mail', () => {
  const failing = (code: string) => async () => {
    throw Object.assign(new Error(code), { code });
  };
  const records = [
    { exchange: 'b', priority: 20 },
    { exchange: 'c', priority: 10 },
    { exchange: 'a', priority: 20 },
  ];
  it.each([
    ['in the order of their priority', async () => records, { hosts: ['c', 'a', 'b'] }],
    ['the domain itself where it names none', failing('ENODATA'), { hosts: ['d'] }],
    ['none where it does not exist', failing('ENOTFOUND'), { delivery: { is: 'permanent' } }],
    ['none where it takes no mail', async () => [{ exchange: '', priority: 0 }], { delivery: { is: 'permanent' } }],
    ['not known yet', failing('ETIMEOUT'), { delivery: { is: 'temporary' } }],
  ])('%s', async (_what, lookup, expected) => expect(await exchangers('d', lookup)).toMatchObject(expected));
});
