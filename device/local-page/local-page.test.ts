import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { standing } from '../first-boot/stages.ts';
import type { PairingStatus } from '../pairing/status.ts';
import { causeText, renderPage } from './page.ts';
import { qrSvg, qrText } from './qr.ts';
import { HEAD_LIMIT, readHead } from './request.ts';
import { CONNECTIONS, type LocalPage, REQUEST_TIME, startLocalPage } from './server.ts';

const announced: PairingStatus = {
  at: 'announced',
  gateway: 'gw_1',
  words: 'acorn beach cider drum',
  code: 'BCDF-GHJK',
  qr: `https://cloud.example/pair#code=BCDFGHJK&key=${'ab'.repeat(32)}`,
  online: false,
};
const paired: PairingStatus = {
  at: 'paired',
  gateway: 'gw_1',
  words: 'a b c d',
  online: true,
  home: 'home_1',
  homeName: 'Elm',
};

describe('the page', () => {
  test('shows code, QR and check words until the gateway is paired, and its home afterwards', () => {
    const page = renderPage(announced);
    for (const part of ['BCDF-GHJK', 'acorn beach cider drum', '<svg', 'gw_1', 'Ready to pair'])
      expect(page).toContain(part);
    const after = renderPage(paired);
    expect(after).toContain('Elm');
    expect(after).toContain('Connected to the cloud.');
    expect(after).not.toContain('<svg');
    expect(renderPage({ ...paired, online: false })).toContain('tries again by itself');
  });

  test('says what went wrong and what to do next', () => {
    const page = renderPage({ ...announced, cause: 'pairing_not_connected', problem: 'The cloud cannot be reached.' });
    expect(page).toContain('did not come back with its certificate');
    expect(page).toContain('The cloud cannot be reached.');
    expect(causeText('removed')).toContain('removed');
    expect(causeText('something new')).toContain('something new');
    expect(causeText('__proto__')).toContain('__proto__');
  });

  test('shows the stages, unfolded until all is well, and the Wi-Fi of the house', () => {
    const facts = {
      storage: true,
      links: ['eth0'],
      addresses: ['eth0 192.0.2.5'],
      uplink: true,
      timed: false,
      cloudSet: true,
    };
    const waiting = standing({ ...facts, cloudFound: false, pairing: 'unpaired', online: false });
    const page = renderPage(announced, waiting, { ssid: 'Elm <1>', password: 'a"b' });
    expect(page).toContain('<details open><summary>Stage 7 of 9: cloud');
    expect(page).toContain('aria-current="step"');
    expect(page).toContain('the gateway goes on trying by itself');
    expect(page).toContain('Elm &#60;1&#62;');
    const ready = standing({ ...facts, cloudFound: true, pairing: 'paired', online: true });
    expect(renderPage(paired, ready)).toContain('<details><summary>Stage 9 of 9: ready');
    expect(renderPage(paired)).not.toMatch(/Stage|Wi-Fi/);
  });

  test('a claim that was refused is told without the words of a pairing that was undone', () => {
    expect(causeText('claim_used')).toMatch(/^The claim on the boot partition was used.*claim create/);
  });

  test('is small, loads nothing and lets no text become markup', () => {
    const nasty = '<script>alert(1)</script>"\'&';
    const page = renderPage({ ...announced, gateway: nasty, words: nasty, cause: nasty, problem: nasty });
    expect(utf8(page).length).toBeLessThan(25_000);
    expect(page).not.toContain('<script');
    expect(page).not.toMatch(/\b(src|href)=/);
    expect(renderPage({ ...paired, homeName: nasty })).not.toContain('<script');
  });

  test('draws every dark module of the QR once', () => {
    const svg = qrSvg(announced.qr ?? '', 'x');
    const size = Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1]) - 8;
    const dark = new Set<string>();
    for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
      for (let i = 0; i < Number(run); i++) {
        const module = `${Number(x) + i - 4},${Number(y) - 4}`;
        expect(dark.has(module)).toBe(false);
        dark.add(module);
      }
    }
    expect(size % 4).toBe(1);
    // The three finder patterns have 33 dark modules each; their corners and centres are dark.
    for (const module of ['0,0', '3,3', `${size - 1},0`, `0,${size - 1}`]) expect(dark.has(module)).toBe(true);
    for (const module of ['1,1', '7,7', `${size - 2},1`]) expect(dark.has(module)).toBe(false);
  });

  test('writes the QR on a console: two rows a line, light modules drawn, its border whole', () => {
    const lines = qrText(announced.qr ?? '').split('\n');
    const width = lines[0]?.length ?? 0;
    expect(lines.map((line) => line.length)).toEqual(lines.map(() => width));
    expect([lines.length, (width - 8) % 4]).toEqual([Math.ceil(width / 2), 1]);
    const isLight = (x: number, y: number) =>
      ((y + 4) % 2 === 0 ? '█▀' : '█▄').includes(lines[(y + 4) >> 1]?.[x + 4] ?? '?');
    const size = width - 8;
    for (const [x, y] of [
      [-1, 0],
      [0, -1],
      [size, 0],
      [0, size],
      [1, 1],
      [7, 7],
    ] as const)
      expect(isLight(x, y)).toBe(true);
    for (const [x, y] of [
      [0, 0],
      [3, 3],
      [size - 1, 0],
      [0, size - 1],
      [6, 6],
    ] as const)
      expect(isLight(x, y)).toBe(false);
  });
});

describe('a request', () => {
  const own = (host: string) => host === '192.0.2.1' || host === 'gateway.local' || host === '2001:db8::1';
  test.each([
    ['GET / HTTP/1.1\r\nHost: 192.0.2.1:8088\r\n\r\n', { is: 'whole', path: '/', body: true }],
    ['GET /?x=1 HTTP/1.1\r\nhost:gateway.LOCAL\r\n\r\n', { is: 'whole', path: '/', body: true }],
    ['HEAD /x HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n', { is: 'whole', path: '/x', body: false }],
    ['GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n', { is: 'partial' }],
    ['GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n', { is: 'refused', status: 421 }],
    ['GET / HTTP/1.1\r\nHost: 192.0.2.1.evil.example\r\n\r\n', { is: 'refused', status: 421 }],
    ['GET / HTTP/1.1\r\nHost: \r\n\r\n', { is: 'refused', status: 421 }],
    ['GET / HTTP/1.1\r\nHost: user@192.0.2.1\r\n\r\n', { is: 'refused', status: 421 }],
    ['GET / HTTP/1.1\r\n\r\n', { is: 'refused', status: 400 }],
    ['GET / HTTP/1.1\r\nHost: 192.0.2.1\r\nHost: evil.example\r\n\r\n', { is: 'refused', status: 400 }],
    ['POST / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n', { is: 'refused', status: 405 }],
    ['GET http://192.0.2.1/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n', { is: 'refused', status: 400 }],
    ['GET / HTTP/2.0\r\nHost: 192.0.2.1\r\n\r\n', { is: 'refused', status: 400 }],
    ['\r\n\r\n', { is: 'refused', status: 400 }],
  ])('%j', (text, head) => {
    expect(readHead(utf8(text), own)).toEqual(head);
  });

  test(`of ${HEAD_LIMIT} octets is read, of one more refused`, () => {
    const start = 'GET / HTTP/1.1\r\nHost: 192.0.2.1\r\nX: ';
    const fill = (length: number) => `${start}${'x'.repeat(length - start.length - 4)}\r\n\r\n`;
    expect(readHead(utf8(fill(HEAD_LIMIT)), own)).toMatchObject({ is: 'whole' });
    expect(readHead(utf8(fill(HEAD_LIMIT + 1)), own)).toEqual({ is: 'refused', status: 431 });
  });

  test('that is any octets throws nothing', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void readHead(octets, own)));
  });
});

describe('the server', () => {
  let virtual: VirtualWorld;
  let page: LocalPage;
  beforeEach(async () => {
    virtual = new VirtualWorld({ seed: 1 });
    const world = virtual.host('gateway', ['192.0.2.1']);
    page = await startLocalPage(world, { host: '192.0.2.1', port: 80 }, () => announced, ['gateway.local']);
  });
  afterEach(async () => {
    await page.close();
    virtual[Symbol.dispose]();
  });

  /** What comes back for text sent in pieces, and whether the connection was closed. */
  async function talk(...pieces: readonly string[]): Promise<{ text: string; closed: boolean }> {
    const client = virtual.host('phone', ['192.0.2.9']);
    const stream = await virtual.settle(client.net.connect({ host: '192.0.2.1', port: 80 }));
    const seen = { text: '', closed: false };
    stream.handle({
      data(data) {
        seen.text += latin1(data);
      },
      close() {
        seen.closed = true;
      },
    });
    for (const piece of pieces) {
      stream.write(utf8(piece));
      await virtual.run(50);
    }
    return seen;
  }

  test('serves the page with a policy that loads nothing, also to a slow writer', async () => {
    expect(page.url).toBe('http://192.0.2.1:80');
    const { text, closed } = await talk('GET / HT', 'TP/1.1\r\nHost: gateway', '.local\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain("Content-Security-Policy: default-src 'none'");
    expect(text).toContain('BCDF-GHJK');
    expect(closed).toBe(true);
    expect((await talk('GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n')).text).toMatch(/^HTTP\/1\.1 404 /);
    expect((await talk('GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')).text).toMatch(/^HTTP\/1\.1 421 /);
    const head = (await talk('HEAD / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n')).text;
    expect(head).toMatch(/Content-Length: [1-9]\d+\r\n/);
    expect(head).not.toContain('<html');
  });

  test('closes those who say nothing, and does not keep more than its places', async () => {
    const silent = await Promise.all(Array.from({ length: CONNECTIONS }, () => talk('GET / ')));
    expect(silent.every(({ closed }) => !closed)).toBe(true);
    expect((await talk('GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n')).text).toBe('');
    await virtual.run(REQUEST_TIME);
    expect(silent.every(({ closed }) => closed)).toBe(true);
    expect((await talk('GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n')).text).toContain('200 OK');
  });

  test('says which flag to change where its port is taken', async () => {
    const world = virtual.host('gateway', ['192.0.2.1']);
    await expect(startLocalPage(world, { host: '192.0.2.1', port: 80 }, () => announced)).rejects.toThrow('--page');
  });
});
