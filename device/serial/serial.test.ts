import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { readSerial } from './adapter-serialport.ts';
import { Console, IDLE } from './console.ts';
import { consoleCode } from './console-code.ts';
import { LINE_LIMIT, LineEditor } from './line-editor.ts';
import { FIRST_BRAKE, judgeLogin, LAST_BRAKE, newLogin, TRIES, waitOf } from './login.ts';

const octets = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe('the line editor', () => {
  test.each([
    ['a line', 'check\r', ['check']],
    ['CR LF as one end', 'a\r\nb\n', ['a', 'b']],
    ['taking back', 'abx\bc\x7f\r', ['ab']],
    ['taking back more than there is', '\b\b\ba\r', ['a']],
    ['dropping the line', 'abc\x15d\r', ['d']],
    ['the line before', 'why\r\x10\r', ['why', 'why']],
    ['cursor keys', 'a\x1b[A\x1bOPb\r', ['ab']],
    ['what is no ASCII', 'a\u00e9\u0000\u0001b\r', ['ab']],
  ])('%s', (_name, text, lines) => {
    const { edits } = new LineEditor().feed(octets(text));
    expect(edits.map((edit) => (edit.is === 'line' ? edit.text : edit.is))).toEqual(lines);
  });

  test('takes no character past the limit', () => {
    const editor = new LineEditor();
    const { show } = editor.feed(octets('x'.repeat(LINE_LIMIT + 1)));
    expect([show.length, show.at(-1)]).toEqual([LINE_LIMIT + 1, '\u0007']);
    expect(editor.feed(octets('\r')).edits).toEqual([{ is: 'line', text: 'x'.repeat(LINE_LIMIT) }]);
  });

  test('interrupts and ends', () => {
    const editor = new LineEditor();
    expect(editor.feed(octets('abc\x03')).edits).toEqual([{ is: 'interrupt' }]);
    expect(editor.feed(octets('a\x04\r')).edits).toEqual([{ is: 'line', text: 'a' }]);
    expect(editor.feed(octets('\x04')).edits).toEqual([{ is: 'end' }]);
  });

  test('shows nothing of a secret, and remembers none', () => {
    const editor = new LineEditor();
    editor.echo = false;
    expect(editor.feed(octets('BCDF\b\x15GH\r')).show).toBe('\r\n');
    editor.echo = true;
    expect(editor.feed(octets('\x10\r')).edits).toEqual([{ is: 'line', text: '' }]);
  });

  test('gives the same however the octets are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 })), fc.integer({ min: 1, max: 7 }), (all, cut) => {
        const whole = new LineEditor().feed(Uint8Array.from(all));
        const pieces = new LineEditor();
        const got = { edits: [] as unknown[], show: '' };
        for (let at = 0; at < all.length; at += cut) {
          const { edits, show } = pieces.feed(Uint8Array.from(all.slice(at, at + cut)));
          got.edits.push(...edits);
          got.show += show;
        }
        expect(got).toEqual(whole);
      }),
      { seed },
    );
  });
});

describe('the lock', () => {
  test('waits after five wrong codes, longer each time up to a bound, and forgets after a right one', () => {
    const login = newLogin();
    let now = 0;
    for (let brake = FIRST_BRAKE; ; brake = Math.min(LAST_BRAKE, brake * 2)) {
      for (let i = 0; i < TRIES; i++) {
        expect(waitOf(login, now)).toBe(0);
        expect(judgeLogin(login, false, now)).toBe(false);
      }
      expect(waitOf(login, now)).toBe(brake);
      now += brake;
      if (brake === LAST_BRAKE) break;
    }
    expect(judgeLogin(login, true, now)).toBe(true);
    expect(login).toEqual(newLogin());
  });

  test('has a code of its own that lasts, and a new one where the file is damaged', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const host = world.host('h', ['10.0.0.9']);
    const code = await consoleCode(host, '/s');
    expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/);
    expect(await consoleCode(host, '/s')).toBe(code);
    world.disk('h').files.set('/s/console-code', octets('AAAA'));
    expect(await consoleCode(host, '/s')).not.toBe(code);
  });
});

/** A console on a virtual clock with a wire that takes what it is given. */
function rig(
  world: VirtualWorld,
  answer = async (verb: string, _body?: unknown) =>
    verb === 'gateway.calls.local' ? ok({ items: [] }) : err(fault('not_found')),
) {
  let heard = '';
  const console = new Console({
    world: world.host('h', ['10.0.0.9']),
    gateway: () => 'gw_1',
    code: 'BCDFGHJK',
    answer,
    write: async (data) => {
      heard += String.fromCharCode(...data);
    },
  });
  const say = async (text: string) => {
    heard = '';
    console.data(octets(text));
    await world.run(10);
    return heard;
  };
  return { console, say, heard: () => heard };
}

describe('the console', () => {
  test('asks for the code, opens by it in any writing, and logs out', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const { console, say, heard } = rig(world);
    console.begin();
    await world.run(10);
    expect(heard()).toBe('\r\nHearthline gateway gw_1\r\nconsole code: ');
    expect(await say('call list\r')).toBe('\r\nwrong code\r\nconsole code: ');
    expect(await say('\r')).toBe('\r\nconsole code: ');
    expect(await say('bcdf-ghjk\r')).toContain('welcome');
    expect(await say('call list\r')).toBe('call list\r\nno calls yet\r\n> ');
    expect(await say('exit\r')).toContain('logged out');
    expect(await say('call list\r')).toContain('wrong code');
    console.end();
  });

  test('brakes guessing, also for the right code', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const { say } = rig(world);
    for (let i = 0; i < TRIES; i++) expect(await say('CCCCCCCC\r')).toContain('wrong code');
    expect(await say('BCDFGHJK\r')).toContain('wait 30 s');
    await world.run(FIRST_BRAKE);
    expect(await say('BCDFGHJK\r')).toContain('welcome');
  });

  test('names unknown commands and wrong flags, and lists what there is', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const { say } = rig(world);
    await say('BCDFGHJK\r');
    expect(await say('reboot\r')).toContain('There is no command reboot.');
    expect(await say('help\r')).toContain('call trace ID');
    expect(await say('check --nonsense\r')).toContain('--nonsense is no option');
    expect(await say('call trace x\r')).toMatch(/no such thing.*\(failed\)/s);
    expect(await say('bundle\r')).toContain('not_found');
    expect(await say('__proto__\r')).toContain('There is no command');
  });

  test('ends a command that goes on by Ctrl-C, and takes no second one meanwhile', async () => {
    using world = new VirtualWorld({ seed: 1 });
    let asked = 0;
    const page = async () => ok({ items: [], last: ++asked });
    const { say } = rig(world, page as never);
    await say('BCDFGHJK\r');
    expect(await say('logs -f\r')).toBe('logs -f\r\n');
    await world.run(5_000);
    expect(asked).toBeGreaterThan(3);
    expect(await say('status\r')).not.toContain('>');
    expect(await say('\x03')).toContain('> ');
    const before = asked;
    await world.run(5_000);
    expect(asked).toBe(before);
  });

  test('logs out after ten minutes of silence and when the line goes', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const { console, say, heard } = rig(world);
    await say('BCDFGHJK\r');
    await world.run(IDLE + 1);
    expect(heard()).toContain('nobody typed for ten minutes');
    await say('BCDFGHJK\r');
    console.end();
    console.begin();
    expect(await say('status\r')).toContain('wrong code');
    console.end();
  });

  test('a bug of a command is told as one and ends nothing', async () => {
    using world = new VirtualWorld({ seed: 1 });
    const { say } = rig(world, () => Promise.reject(new Error('bug')));
    await say('BCDFGHJK\r');
    expect(await say('status\r')).toContain('The gateway made an error.');
    expect(await say('help\r')).toContain('status');
  });
});

describe('what names a line', () => {
  test.each([
    ['/dev/ttyS0', { path: '/dev/ttyS0', baud: 115_200 }],
    ['/dev/serial/by-id/usb-FTDI_A5:9600', { path: '/dev/serial/by-id/usb-FTDI_A5', baud: 9_600 }],
    ['/tmp/pty', { path: '/tmp/pty', baud: 115_200 }],
    ['/dev/ttyS0:9601', undefined],
    ['ttyS0', undefined],
    ['', undefined],
  ])('%s', (text, spec) => {
    expect(readSerial(text)).toEqual(spec);
  });
});
