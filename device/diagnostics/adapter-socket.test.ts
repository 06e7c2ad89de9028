import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hostClock } from '#shared/host/clock.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { SOCKET_LIMIT, serveLocal } from './adapter-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-socket-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const path = () => join(folder, `${count++}.sock`);
const echo = async (verb: string, body: unknown) => (verb === 'no' ? err(fault('not_found')) : ok({ verb, body }));
const clock = hostClock();

/** Writes a text and gives what came back until the other side closed or a line is whole. */
function talk(at: string, text: string): Promise<string> {
  return new Promise((done) => {
    let heard = '';
    const socket = connect(at, () => socket.write(text));
    socket.on('data', (data) => {
      heard += data;
      if (heard.split('\n').length > text.split('\n').length - 1) socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => done(heard));
  });
}

describe('the local socket', () => {
  test('is its owner’s alone, answers line by line in order, and is gone after the end', async () => {
    const at = path();
    const served = await serveLocal(clock, at, echo);
    expect(statSync(at).mode & 0o777).toBe(0o600);
    const heard = await talk(at, '{"verb":"a","body":{"n":1}}\n{"verb":"no"}\n');
    expect(
      heard
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([{ value: { verb: 'a', body: { n: 1 } } }, { fault: { code: 'not_found' } }]);
    await served.close();
    expect(existsSync(at)).toBe(false);
  });

  test.each([
    ['no JSON', 'nonsense\n'],
    ['no verb', '{"body":{}}\n'],
    ['null', 'null\n'],
    ['a line past the limit', `{"verb":"${'x'.repeat(SOCKET_LIMIT.question)}"}\n`],
    ['an endless line', 'x'.repeat(SOCKET_LIMIT.question + 1)],
  ])('closes on %s', async (_name, text) => {
    const at = path();
    await using served = await disposable(at);
    expect(await talk(at, text)).toBe('');
    expect(await talk(served.path, '{"verb":"a"}\n')).toContain('"a"');
  });

  test('takes over what a killed process left, and never what is in use', async () => {
    const at = path();
    writeFileSync(at, '');
    await using served = await disposable(at);
    await expect(serveLocal(clock, served.path, echo)).rejects.toThrow('Another gateway runs');
    expect(await talk(at, '{"verb":"a"}\n')).toContain('"a"');
  });

  test('lets one connection too many wait outside', async () => {
    const at = path();
    await using _served = await disposable(at);
    const sockets = await Promise.all(
      Array.from(
        { length: SOCKET_LIMIT.connections },
        () =>
          new Promise<ReturnType<typeof connect>>((done) => {
            const socket = connect(at, () => socket.write('{"verb":"a"}\n'));
            socket.on('data', () => done(socket));
          }),
      ),
    );
    expect(await talk(at, '{"verb":"a"}\n')).toBe('');
    for (const socket of sockets) socket.destroy();
  });
});

async function disposable(at: string) {
  const served = await serveLocal(clock, at, echo);
  return { path: at, [Symbol.asyncDispose]: () => served.close() };
}
