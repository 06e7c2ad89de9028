import { describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { Stream } from '#shared/kernel/world.ts';
import { HANDSHAKE_LIMIT } from '#shared/sip/web-socket-handshake.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { agent, optionsText } from '#test/support/sip-agent.ts';
import { openWebSocket } from './sip-web-socket.ts';

const HELLO = [
  'GET /sip HTTP/1.1',
  'Host: 10.0.0.2',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: sip',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

async function server() {
  const world = new VirtualWorld({ seed: 5 });
  const b = agent(world.host('b', ['10.0.0.2']), { limits: { connectionsPerSource: 2 } });
  const at = { host: '10.0.0.2', port: 5066 };
  await b.transport.bind({ ws: { ...at, mayOpen: () => false } });
  const { net } = world.host('a', ['10.0.0.1']);
  const open = async () => {
    const entry = { stream: await world.settle(net.connect(at)), heard: '', closed: false };
    entry.stream.handle({
      data: (data) => (entry.heard += latin1(data)),
      close: () => (entry.closed = true),
    });
    return entry;
  };
  return { world, b, open };
}

/** A text frame with a mask of zeros. */
function frame(text: string): string {
  return `\x81\xfe${String.fromCharCode(text.length >> 8, text.length & 255)}\0\0\0\0${text}`;
}

const cut = (text: string, size: number) => text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? [];

describe('SIP over a WebSocket', () => {
  it.each([1, 7, 100_000])('is answered in frames, when it comes in pieces of %i octets', async (size) => {
    const { world, open } = await server();
    const { stream } = await open();
    let heard = '';
    stream.handle({ data: (data) => (heard += latin1(data)), close: () => {} });
    for (const piece of cut(HELLO + frame(optionsText('WS')), size)) stream.write(fromLatin1(piece));
    await world.run(1000);
    const [head = '', rest = ''] = heard.split(/\r\n\r\n([\s\S]*)/);
    expect(head).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
    expect(rest.slice(0, 2)).toBe('\x81~');
    expect(rest.slice(4)).toMatch(/^SIP\/2\.0 /);
  });

  it('a handshake that is refused, too large or too slow is closed, and gives its place back', async () => {
    const { world, b, open } = await server();
    const refused = await open();
    refused.stream.write(fromLatin1(HELLO.replace('GET /sip', 'GET /other')));
    await world.run(500);
    expect([refused.heard.slice(0, 12), refused.closed]).toEqual(['HTTP/1.1 404', true]);
    const pages = await open();
    pages.stream.write(fromLatin1(HELLO.replace('Host:', 'Origin: https://evil.example\r\nHost:')));
    await world.run(500);
    expect([pages.heard.slice(0, 12), pages.closed]).toEqual(['HTTP/1.1 403', true]);
    const [large, slow] = [await open(), await open()];
    large.stream.write(fromLatin1('x'.repeat(HANDSHAKE_LIMIT + 1)));
    await world.run(500);
    expect([large.closed, slow.closed]).toEqual([true, false]);
    await world.run(21_000);
    expect([slow.closed, slow.heard]).toEqual([true, '']);
    const [one, two, three] = [await open(), await open(), await open()];
    await world.run(500);
    expect([one.closed, two.closed, three.closed]).toEqual([false, false, true]);
    expect(b.transport.counts().connections).toBe(0);
  });

  it('a refused one that is kept open has a place until it is closed, which is soon', async () => {
    const world = new VirtualWorld({ seed: 6 });
    const host = world.host('b', ['10.0.0.2']);
    const said: string[] = [];
    let say: (data: Uint8Array) => void = () => {};
    // A stream whose other end never closes, whatever comes.
    const address = { host: '10.0.0.1', port: 1 };
    const stream: Stream = {
      ...{ local: address, remote: address, peer: { kind: 'none' }, secure: false, buffered: 0 },
      ...{ write: () => true, pause() {}, resume() {}, end: () => void said.push('end') },
      destroy: () => void said.push('destroy'),
      handle: ({ data }) => {
        say = data;
      },
    };
    const failed = (why: string) => void said.push(why);
    openWebSocket(stream, { ...host, within: 20_000, mayOpen: () => false }, () => {}, failed);
    say(fromLatin1(HELLO.replace('GET /sip', 'GET /other')));
    await world.run(100);
    expect(said).toEqual(['end']);
    await world.run(1_000);
    expect(said).toEqual(['end', 'handshake refused with 404', 'destroy']);
  });

  it('a frame that breaks the rules closes with its reason', async () => {
    const { world, b, open } = await server();
    const entry = await open();
    entry.stream.write(fromLatin1(`${HELLO}\x81\x01x`));
    await world.run(500);
    expect(entry.heard.slice(-4)).toBe('\x88\x02\x03\xea');
    expect([entry.closed, b.transport.counts().connections]).toEqual([true, 0]);
  });
});
