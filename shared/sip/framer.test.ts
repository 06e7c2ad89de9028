import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Frame, Framer } from './framer.ts';
import { MESSAGE_LIMIT } from './parse.ts';

const message = (body: string, ...more: string[]): string =>
  ['MESSAGE sip:h SIP/2.0', ...more, `Content-Length: ${body.length}`, '', body].join('\r\n');

function drain(framer: Framer): Frame[] {
  const frames: Frame[] = [];
  for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
    frames.push(frame);
    if ('bad' in frame) break;
  }
  return frames;
}

function feed(...chunks: string[]): Frame[] {
  const framer = new Framer();
  return chunks.flatMap((chunk) => {
    framer.push(chunk);
    return drain(framer);
  });
}

const one = message('');
const two = message('a\r\n\r\nb', 'X: 1');

describe('Framer', () => {
  it.each<[string, string[], Frame[]]>([
    ['nothing', [''], []],
    ['one message', [one], [{ message: one }]],
    ['two in one piece', [one + two], [{ message: one }, { message: two }]],
    ['one and a half', [one + two.slice(0, 30), two.slice(30)], [{ message: one }, { message: two }]],
    ['a body that comes late', [two.slice(0, -3), two.slice(-3)], [{ message: two }]],
    ['a ping', ['\r\n\r\n'], [{ ping: true }]],
    ['a ping in four pieces', ['\r', '\n', '\r', '\n'], [{ ping: true }]],
    ['three pings', ['\r\n'.repeat(6)], [{ ping: true }, { ping: true }, { ping: true }]],
    ['a ping and a message', [`\r\n\r\n${one}`], [{ ping: true }, { message: one }]],
    ['a pong and a message', [`\r\n${one}`], [{ message: one }]],
    ['a pong, later a message', ['\r\n', one], [{ message: one }]],
    ['a compact length', [one.replace('Content-Length', 'l ')], [{ message: one.replace('Content-Length', 'l ') }]],
    ['no length', ['A sip:h SIP/2.0\r\nX: 1\r\n\r\n'], [{ bad: 'Missing Content-Length' }]],
    ['a negative length', ['A\r\nContent-Length: -1\r\n\r\n'], [{ bad: 'Bad Content-Length' }]],
    ['a signed length', ['A\r\nContent-Length: +1\r\n\r\n'], [{ bad: 'Bad Content-Length' }]],
    ['two lengths', ['A\r\nl: 1\r\nContent-Length: 1\r\n\r\n'], [{ bad: 'Repeated Content-Length' }]],
    ['a folded length', ['A\r\nl: 1\r\n 0\r\n\r\n'], [{ bad: 'Bad Content-Length' }]],
    ['a length beyond all limits', ['A\r\nl: 99999999999\r\n\r\n'], [{ bad: 'Message Too Large' }]],
  ])('reads %s', (_, chunks, frames) => {
    expect(feed(...chunks)).toEqual(frames);
  });

  it('finds the same frames however the stream is cut', () => {
    const part = fc.constantFrom(one, two, '\r\n\r\n', message('x'.repeat(200)));
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), cuts, (parts, steps) => {
        const stream = parts.join('');
        const chunks: string[] = [];
        for (let at = 0; at < stream.length; ) {
          const { value } = steps.next();
          chunks.push(stream.slice(at, at + Number(value)));
          at += Number(value);
        }
        const expected = parts.map((text) => (text === '\r\n\r\n' ? { ping: true } : { message: text }));
        expect(feed(...chunks)).toEqual(expected);
        expect(feed(stream)).toEqual(expected);
      }),
    );
  });

  it('takes the longest message and none longer', () => {
    const head = 'A\r\nl: 65500\r\n\r\n';
    const longest = `A${'B'.repeat(MESSAGE_LIMIT - 65_500 - head.length)}${head.slice(1)}${'x'.repeat(65_500)}`;
    expect(longest).toHaveLength(MESSAGE_LIMIT);
    expect(feed(longest)).toEqual([{ message: longest }]);
    expect(feed(`A${longest}`)).toEqual([{ bad: 'Message Too Large' }]);
  });

  it('gives up on headers without an end, and says so for good', () => {
    const framer = new Framer();
    framer.push('x'.repeat(MESSAGE_LIMIT));
    expect(framer.next()).toBeUndefined();
    framer.push('x');
    expect(framer.next()).toEqual({ bad: 'Message Too Large' });
    framer.push(one);
    expect(framer.next()).toEqual({ bad: 'Message Too Large' });
  });

  it('does not recurse over what would have killed a recursive splitter', () => {
    expect(feed('x\r\n\r\n'.repeat(11_000))).toEqual([{ bad: 'Missing Content-Length' }]);
    expect(feed('\r\n'.repeat(30_000))).toHaveLength(15_000);
  });

  it('reads 64,000 octets that come one by one', () => {
    const text = message('y'.repeat(60_000), 'X: \r', 'Z: \n\r\n'.slice(0, 4));
    expect(feed(...text)).toEqual([{ message: text }]);
  });
});
