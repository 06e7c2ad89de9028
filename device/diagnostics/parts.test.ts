import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { SipTrace } from '#shared/sip/trace.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { readNameservers, readRoute } from './board.ts';
import { CALLS_LIMIT, CallBook } from './call-book.ts';
import { span } from './check.ts';
import { readSince } from './commands/following.ts';
import { ladder } from './commands/ladder.ts';
import { printable, WIDTH, wrap } from './commands/text.ts';
import { LOG_LIMIT, LogBook } from './log-book.ts';
import { nameQuery, readNameAnswer } from './name-query.ts';
import { serialPorts } from './serial-ports.ts';
import { tar } from './tar.ts';
import { Watch } from './watch.ts';

describe('what Linux tells', () => {
  test.each([
    ['Iface\tDestination\tGateway\neth0\t00000000\t0102A8C0\t0003\n', { router: '192.168.2.1', interface: 'eth0' }],
    ['Iface\neth0\t0002A8C0\t00000000\n', null],
    ['', null],
    ['junk\nx\t00000000\tzz\n', null],
  ])('the default route (%#)', (text, route) => {
    expect(readRoute(text)).toEqual(route);
  });

  test('at most three name servers, comments left out', () => {
    expect(
      readNameservers(
        '#nameserver 9.9.9.9\nnameserver 1.1.1.1\n nameserver fd00::1\nnameserver 2.2.2.2\nnameserver 3.3.3.3',
      ),
    ).toEqual(['1.1.1.1', 'fd00::1', '2.2.2.2']);
  });

  test('serial ports with hardware, none without', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const files = world.disk('h').files;
    const put = (path: string, text: string) => files.set(`/sys/class/tty/${path}`, utf8(text));
    put('tty1/dev', '4:1');
    put('ttyS0/device/uevent', 'DRIVER=port\n');
    put('ttyS0/type', '4\n');
    put('ttyS1/device/uevent', 'DRIVER=serial8250\n');
    put('ttyS1/type', '0\n');
    put('ttyUSB0/device/uevent', 'DRIVER=ftdi_sio\n');
    put('ttyUSB0/device/../uevent', 'PRODUCT=403/6001/600\n');
    put('ttyUSB0/device/../../serial', 'A50285BI\n');
    expect(await serialPorts(world.disk('h'))).toEqual([
      { path: '/dev/ttyS0', driver: 'port' },
      { path: '/dev/ttyUSB0', driver: 'ftdi_sio', usb: '0403:6001', serial: 'A50285BI' },
    ]);
  });
});

describe('a question to a name server', () => {
  const answer = (id: number, code: number) => {
    const data = nameQuery(id, 'cloud.example');
    data[2] = 0x81;
    data[3] = 0x80 | code;
    return data;
  };
  test.each([
    ['known, of another family', answer(7, 0), []],
    ['unknown', answer(7, 3), 'unknown'],
    ['a server that fails', answer(7, 2), undefined],
    ['another question’s', answer(8, 0), undefined],
    ['the question itself', nameQuery(7, 'cloud.example'), undefined],
    ['too short', new Uint8Array(11), undefined],
  ])('%s', (_name, data, meaning) => {
    expect(readNameAnswer(7, data)).toEqual(meaning);
  });
  const records = (...all: number[][]) => {
    const head = answer(7, 0);
    head[7] = all.length;
    return Uint8Array.from([...head, ...all.flat()]);
  };
  const at = (last: number) => [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, last];
  const alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 120, 0xc0, 12];
  test.each<[string, Uint8Array, string[]]>([
    ['one', records(at(1)), ['10.0.0.1']],
    ['behind an alias', records(alias, [1, 120, ...at(2)]), ['10.0.0.2']],
    ['as many as are shown, and one more', records(...[1, 2, 3, 4, 5].map(at)), [1, 2, 3, 4].map((n) => `10.0.0.${n}`)],
    ['one that is cut off', records(at(1), at(2)).slice(0, -1), ['10.0.0.1']],
    ['less than the beginning of one', records(at(1)).slice(0, -6), []],
    ['more than there are', records(at(1), []), ['10.0.0.1']],
  ])('its addresses: %s', (_name, data, addresses) => {
    expect(readNameAnswer(7, data)).toEqual(addresses);
  });
  test('labels go by their lengths', () => {
    expect([...nameQuery(1, 'ab.c').slice(12)]).toEqual([2, 97, 98, 1, 99, 0, 0, 1, 0, 1]);
  });
});

describe('the log', () => {
  async function book(world: VirtualWorld) {
    const log = new LogBook(world.host('h', ['10.0.0.9']), '/log');
    await log.start();
    return log;
  }
  const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

  test('is kept across a restart, numbered on, with a torn line left out', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const first = await book(world);
    first.tee(quiet, { part: 'x' }).warn('one', { a: 1, gone: undefined });
    first.tee(quiet).debug('never');
    await world.run(6_000);
    first.tee(quiet).child({ b: true }).error('two');
    await first.stop();
    const [path = '', data = new Uint8Array()] = [...world.disk('h').files][0] ?? [];
    world.disk('h').files.set(path, utf8(`${new TextDecoder().decode(data)}{"n":9,"at":1,"lev`));
    const second = new LogBook(world.host('h', ['10.0.0.9']), '/log');
    second.tee(quiet).info('three');
    await second.start();
    expect(second.entries.map(({ n, level, event, fields }) => [n, level, event, fields])).toEqual([
      [1, 'warn', 'one', { part: 'x', a: 1 }],
      [2, 'error', 'two', { b: true }],
      [3, 'info', 'three', {}],
    ]);
    await second.stop();
  });

  test('is bounded in memory, on the disk and in every field', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const log = await book(world);
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 500; i++) log.tee(quiet).info('x'.repeat(99), { text: 'y'.repeat(2_000) });
      await log.flush();
    }
    expect(log.entries.length).toBeLessThanOrEqual(LOG_LIMIT.entries * 1.25);
    expect(log.entries[0]?.fields.text).toHaveLength(LOG_LIMIT.value);
    const files = [...world.disk('h').files.values()].map(({ length }) => length);
    expect(files.length).toBeLessThanOrEqual(2);
    expect(Math.max(...files)).toBeLessThanOrEqual(LOG_LIMIT.file);
    await log.stop();
  });

  test('goes on where the disk is full, and writes again once it is not', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const log = await book(world);
    world.disk('h').faults.capacity = 0;
    log.tee(quiet).info('lost');
    await world.run(6_000);
    delete world.disk('h').faults.capacity;
    log.tee(quiet).info('kept');
    await log.stop();
    expect(log.entries).toHaveLength(2);
    expect(new TextDecoder().decode([...world.disk('h').files.values()].at(-1))).toContain('kept');
  });
});

describe('what only time tells', () => {
  test('a jump is told for an hour, a slow clock is none', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const watch = new Watch(world.host('h', ['10.0.0.9']), '/starts.json');
    await watch.start();
    world.skew('h', 200);
    await world.run(10_000);
    expect(watch.jump()).toBe(0);
    world.skew('h', -7_000);
    expect(watch.jump()).toBe(-7_000);
    await world.run(3_590_000);
    expect(watch.jump()).toBe(-7_000);
    await world.run(20_000);
    expect(watch.jump()).toBe(0);
    await watch.stop();
  });

  test('starts after a crash are counted over restarts; old ones, damage and those that ended as asked are not', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const host = world.host('h', ['10.0.0.9']);
    world.disk('h').files.set('/starts.json', utf8('{"no":1'));
    for (const expected of [1, 2, 3]) {
      const watch = new Watch(host, '/starts.json');
      await watch.start();
      expect(watch.starts()).toBe(expected);
      await world.run(1_000);
    }
    for (let i = 0; i < 3; i++) {
      const watch = new Watch(host, '/starts.json');
      await watch.start();
      expect(watch.starts()).toBe(4);
      await watch.stop();
    }
    await world.run(700_000);
    const late = new Watch(host, '/starts.json');
    await late.start();
    expect(late.starts()).toBe(1);
    await late.stop();
  });
});

describe('calls', () => {
  const started = (call: string) =>
    ({ at: 'started', call, callId: `${call}@x`, from: '+1', to: '+2', wall: 5 }) as const;

  test('are found by id, by the start of it, and by any of their Call-IDs', () => {
    const trace = new SipTrace();
    const book = new CallBook(trace);
    book.note(started('c1xabc'));
    book.note({ at: 'invited', call: 'c1xabc', callId: 'leg@cloud' });
    book.note({ at: 'answered', call: 'c1xabc', wall: 6 });
    book.note({ at: 'over', call: 'c1xabc', reason: 'hangup', wall: 9 });
    book.note({ at: 'over', call: 'nobody', reason: 'hangup', wall: 9 });
    trace.message('out', 'tls c:1', 'INVITE sip:2 SIP/2.0\r\nCall-ID: leg@cloud\r\n\r\n', 7);
    for (const name of ['c1xabc', 'c1x', 'leg@cloud', 'c1xabc@x'])
      expect(book.find(name)).toMatchObject({ id: 'c1xabc', answeredAt: 6, endedAt: 9, reason: 'hangup' });
    expect(book.trace('c1')?.items.map(({ summary }) => summary)).toEqual([
      'call c1xabc from +1 to +2',
      'the call is up',
      'the call ended: hangup',
      'INVITE sip:2',
    ]);
    expect(book.trace('nothing')).toBeUndefined();
  });

  test('one past the limit makes the oldest go', () => {
    const book = new CallBook(new SipTrace());
    for (let i = 0; i <= CALLS_LIMIT; i++) book.note(started(`c${i}y`));
    expect([book.list().length, book.find('c0y'), book.find('c1y')?.id]).toEqual([CALLS_LIMIT, undefined, 'c1y']);
  });

  test('of any length show their beginning and their end in a packet’s room', () => {
    const trace = new SipTrace();
    const book = new CallBook(trace);
    book.note(started('c1'));
    for (let i = 0; i < 600; i++)
      trace.message(
        'in',
        'udp a:1',
        `INFO sip:${i} SIP/2.0\r\nCall-ID: c1@x\r\nContact: <sip:${'a'.repeat(300)}@b>\r\n\r\n`,
        i,
      );
    book.note({ at: 'over', call: 'c1', reason: 'hangup', wall: 9 });
    const shown = book.trace('c1');
    expect(JSON.stringify(shown).length).toBeLessThan(60_000);
    expect([shown?.items[0]?.summary, shown?.items.at(-1)?.summary]).toEqual([
      'call c1 from +1 to +2',
      'the call ended: hangup',
    ]);
  });
});

describe('text for narrow terminals', () => {
  test('is never wider, and loses no word', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,100}$/), { minLength: 1 }),
        fc.integer({ min: 0, max: 30 }),
        (words, indent) => {
          const lines = wrap(words.join(' '), ' '.repeat(indent)).split('\n');
          expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(WIDTH);
          expect(lines.join('').replaceAll(' ', '')).toBe(words.join(''));
        },
      ),
      { seed },
    );
  });

  test('carries nothing that a terminal obeys', () => {
    expect(printable('a\u001b[2Jb\u0007\u009bc\nd')).toBe('a?[2Jb??c\nd');
  });

  test('a ladder has three posts and 80 columns', () => {
    const item = {
      at: 1_000,
      text: 'x',
      peer: 'udp 10.0.0.1:5060',
      kind: 'in',
      summary: `INVITE sip:${'7'.repeat(99)} +SDP`,
    } as const;
    const text = ladder(
      {
        call: 'c1',
        items: [
          item,
          { ...item, kind: 'out', peer: 'tls 10.0.0.9:5061' },
          { ...item, kind: 'note', peer: '', summary: 'the call is up' },
        ],
      },
      false,
    );
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(WIDTH);
    expect(text).toMatch(/A -- INVITE \+SDP -+->\|/);
    expect(text).toMatch(/\|-- INVITE \+SDP -+->B/);
    expect(text).toContain('* the call is up');
  });

  test.each([
    ['90s', 910_000],
    ['2m', 880_000],
    ['1h', 0],
    ['1970-01-01T00:10:00Z', 600_000],
    ['soon', undefined],
    ['-5m', undefined],
  ])('%s before a million is %s', (text, at) => {
    expect(readSince(text, 1_000_000)).toBe(at);
  });

  test.each([
    [1_234, '1.2 s'],
    [-30_000, '30 s'],
    [600_000, '10 min'],
    [10_000_000, '3 h'],
    [400_000_000, '5 days'],
  ])('%d ms is %s', (ms, text) => {
    expect(span(ms)).toBe(text);
  });
});

describe('the archive', () => {
  test('is read by tar', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hearthline-tar-'));
    try {
      writeFileSync(
        join(folder, 'a.tar'),
        tar(
          [
            { name: 'one.txt', text: 'grün\n' },
            { name: 'calls/two.txt', text: 'x'.repeat(1_025) },
          ],
          1_700_000_000_000,
        ),
      );
      execFileSync('tar', ['xf', 'a.tar'], { cwd: folder });
      expect(readFileSync(join(folder, 'one.txt'), 'utf8')).toBe('grün\n');
      expect(readFileSync(join(folder, 'calls/two.txt'), 'utf8')).toHaveLength(1_025);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
