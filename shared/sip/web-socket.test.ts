import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, fromLatin1, hex, latin1, utf8 } from '../kernel/bytes.ts';
import type { Framed } from './framing.ts';
import { MESSAGE_LIMIT } from './parse.ts';
import { FRAME_LIMIT, WebSocketFraming } from './web-socket.ts';

/** A frame as a client sends it. */
function masked(op: number, content: Uint8Array | string, { last = true, key = [1, 2, 3, 4] } = {}): Uint8Array {
  const octets = typeof content === 'string' ? fromLatin1(content) : content;
  const { length } = octets;
  const head = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, 0, 0, 0, 0];
  if (length >= 65_536) head.push((length >> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255);
  head[0] = 0x80 | (head[0] ?? 0);
  return Uint8Array.of((last ? 0x80 : 0) | op, ...head, ...key, ...octets.map((octet, i) => octet ^ (key[i & 3] ?? 0)));
}

function all(framing: WebSocketFraming): Framed[] {
  const found: Framed[] = [];
  for (let frame = framing.next(); frame !== undefined; frame = framing.next()) {
    found.push(frame);
    if ('bad' in frame) break;
  }
  return found;
}

function read(...chunks: Uint8Array[]): Framed[] {
  const framing = new WebSocketFraming();
  return chunks.flatMap((chunk) => {
    framing.push(chunk);
    return all(framing);
  });
}

const plain = (op: number, hexText: string) => fromHex(op.toString(16).padStart(2, '0') + hexText);
const closed = (code: number) => plain(0x88, `02${code.toString(16).padStart(4, '0')}`);

describe('frames that come', () => {
  it('the examples of RFC 6455 section 5.7 are read', () => {
    expect(read(fromHex('818537fa213d7f9f4d5158') ?? new Uint8Array())).toEqual([{ message: 'Hello' }]);
    expect(read(fromHex('898537fa213d7f9f4d5158') ?? new Uint8Array())).toEqual([
      { answer: plain(0x8a, '0548656c6c6f') },
    ]);
  });

  it('one message per data message, however it is cut, with control frames between its parts', () => {
    const parts = [
      masked(1, 'INVITE ', { last: false }),
      masked(9, 'x'),
      masked(0, 'sip:a ', { last: false }),
      masked(0, 'SIP/2.0'),
    ];
    expect(read(...parts)).toEqual([{ answer: plain(0x8a, '0178') }, { message: 'INVITE sip:a SIP/2.0' }]);
    const whole = parts.flatMap((part) => [...part]);
    expect(read(...whole.map((octet) => Uint8Array.of(octet)))).toEqual(read(...parts));
  });

  it.each([
    ['text without a mask', Uint8Array.of(0x81, 1, 65), 1002],
    ['a reserved bit', Uint8Array.of(0xc1, 0x81, 0, 0, 0, 0, 65), 1002],
    ['an unknown data opcode', masked(3, 'x'), 1002],
    ['an unknown control opcode', masked(11, 'x'), 1002],
    ['a control frame in parts', masked(9, 'x', { last: false }), 1002],
    ['a continuation of nothing', masked(0, 'x'), 1002],
    ['text that is no UTF-8', masked(1, '\xc3('), 1007],
    ['an overlong form', masked(1, '\xc0\xaf'), 1007],
    ['a surrogate', masked(1, '\xed\xa0\x80'), 1007],
    ['above U+10FFFF', masked(1, '\xf4\x90\x80\x80'), 1007],
    ['a sequence cut short', masked(1, 'a\xe2\x82'), 1007],
  ])('%s closes the connection', (_what, octets, code) => {
    expect(read(octets)).toEqual([{ bad: expect.any(String), answer: closed(code) }]);
  });

  it('a control frame of 126 octets closes; so does a new message inside another', () => {
    expect(read(masked(9, 'x'.repeat(125)))).toHaveLength(1);
    expect(read(masked(9, 'x'.repeat(126)))).toMatchObject([{ answer: closed(1002) }]);
    expect(read(masked(1, 'a', { last: false }), masked(1, 'b'))).toMatchObject([{ answer: closed(1002) }]);
  });

  it('the largest message passes, one octet more is refused before it has come, in one frame or several', () => {
    expect(read(masked(2, 'x'.repeat(MESSAGE_LIMIT)))).toEqual([{ message: 'x'.repeat(MESSAGE_LIMIT) }]);
    const tooLarge = masked(2, 'x'.repeat(MESSAGE_LIMIT + 1));
    expect(read(tooLarge.subarray(0, 14))).toMatchObject([{ answer: closed(1009) }]);
    expect(read(masked(2, 'x'.repeat(MESSAGE_LIMIT), { last: false }), masked(0, 'x'))).toMatchObject([
      { answer: closed(1009) },
    ]);
    expect(read(Uint8Array.of(0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255))).toMatchObject([
      { answer: closed(1009) },
    ]);
  });

  it('a message may come in many frames, but not in one more, though that is empty', () => {
    const parts = (count: number) => [
      masked(1, 'x', { last: false }),
      ...Array.from({ length: count - 2 }, () => masked(0, '', { last: false })),
      masked(0, '', { last: true }),
    ];
    expect(read(...parts(FRAME_LIMIT))).toEqual([{ message: 'x' }]);
    expect(read(...parts(FRAME_LIMIT + 1))).toEqual([{ bad: 'Too Many Frames', answer: closed(1009) }]);
  });

  it('a close is answered with its code, and nothing is read after it', () => {
    expect(read(masked(8, Uint8Array.of(3, 232)), masked(1, 'x'))).toEqual([
      { bad: 'closed by the peer', answer: closed(1000) },
      { bad: 'closed by the peer', answer: closed(1000) },
    ]);
  });

  it('CRLF CRLF is answered, CRLF is heard, and neither is a message', () => {
    expect(read(masked(1, '\r\n\r\n'), masked(1, '\r\n'), masked(10, ''))).toEqual([{ answer: plain(0x81, '020d0a') }]);
  });

  it('knows whether something is unfinished', () => {
    const framing = new WebSocketFraming();
    const states = [masked(1, 'a', { last: false }), masked(0, 'b'), masked(1, 'c').subarray(0, 3)].map((octets) => {
      framing.push(octets);
      all(framing);
      return framing.unfinished;
    });
    expect(states).toEqual([true, false, true]);
  });

  it('any octets give frames or an end, never an exception, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        const one = read(...chunks);
        const joined = read(Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));
        const end = (frames: Framed[]) => frames.findIndex((frame) => 'bad' in frame);
        const cut = (frames: Framed[]) => (end(frames) < 0 ? frames : frames.slice(0, end(frames) + 1));
        expect(cut(one)).toEqual(cut(joined));
      }),
    );
  });
});

describe('messages that leave', () => {
  it('go as text where they are UTF-8, else as octets, never masked', () => {
    const framing = new WebSocketFraming();
    expect(hex(framing.pack(fromLatin1('SIP')))).toBe('8103534950');
    expect(framing.pack(utf8('é'))[0]).toBe(0x81);
    expect(framing.pack(Uint8Array.of(0xff))[0]).toBe(0x82);
    expect(hex(framing.pack(new Uint8Array(126)).subarray(0, 4))).toBe('817e007e');
    expect(hex(framing.pack(new Uint8Array(65_536)).subarray(0, 10))).toBe('817f0000000000010000');
    expect(latin1(framing.ask())).toBe('\x89\x00');
  });
});
