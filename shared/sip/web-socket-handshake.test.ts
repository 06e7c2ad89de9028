import { describe, expect, it } from 'vitest';
import { opened, readOpening, refused } from './web-socket-handshake.ts';

const usual: Readonly<Record<string, string>> = {
  Host: 'sip.example.com',
  Upgrade: 'websocket',
  Connection: 'keep-alive, Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  Origin: 'https://www.example.com',
  'Sec-WebSocket-Protocol': 'sip',
  'Sec-WebSocket-Version': '13',
};

function head(change: Readonly<Record<string, string | undefined>> = {}, line = 'GET /sip HTTP/1.1'): string {
  const fields = Object.entries({ ...usual, ...change }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return [line, ...fields].join('\r\n');
}

const mayOpen = (origin: string) => origin === 'https://www.example.com';

describe('the opening handshake', () => {
  it('gives the key of a good request: of RFC 7118 section 4.1, of a program without Origin, with several subprotocols', () => {
    const good = { key: 'dGhlIHNhbXBsZSBub25jZQ==' };
    expect(readOpening(head(), mayOpen)).toEqual(good);
    expect(readOpening(head({ Origin: undefined }), mayOpen)).toEqual(good);
    expect(readOpening(head({ 'Sec-WebSocket-Protocol': 'chat, SIP' }), mayOpen)).toEqual(good);
    expect(readOpening(head({}, 'GET /?x HTTP/1.1'), mayOpen)).toEqual(good);
  });

  it.each([
    ['another method', head({}, 'POST /sip HTTP/1.1'), 405],
    ['another path', head({}, 'GET /v1/homes HTTP/1.1'), 404],
    ['another version of HTTP', head({}, 'GET /sip HTTP/1.0'), 400],
    ['a request line with more words', head({}, 'GET /sip HTTP/1.1 x'), 400],
    ['no host', head({ Host: undefined }), 400],
    ['a line that is no field', `${head()}\r\nnonsense`, 400],
    ['a folded line', `${head()}\r\n folded: x`, 400],
    ['no upgrade', head({ Upgrade: undefined }), 426],
    ['an upgrade to something else', head({ Upgrade: 'h2c' }), 426],
    ['a connection that is kept', head({ Connection: 'keep-alive' }), 426],
    ['another version', head({ 'Sec-WebSocket-Version': '8' }), 426],
    ['a short key', head({ 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400],
    ['no subprotocol', head({ 'Sec-WebSocket-Protocol': undefined }), 400],
    ['another subprotocol', head({ 'Sec-WebSocket-Protocol': 'mqtt' }), 400],
    ['a page of another site', head({ Origin: 'https://evil.example' }), 403],
    ['a page without a site', head({ Origin: 'null' }), 403],
  ])('%s is refused', (_what, request, status) => {
    expect(readOpening(request, mayOpen)).toMatchObject({ status });
  });

  it('answers as both RFCs say', () => {
    expect(opened('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')).toContain(
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n',
    );
    expect(refused({ status: 426, headers: [['Sec-WebSocket-Version', '13']] })).toMatch(
      /^HTTP\/1\.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n$/,
    );
  });
});
