import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageFile, processes, readOwnCode, spawnEntry, startWorker, takeEntry, workers } from './spawn.ts';

const shared = join(import.meta.dirname, '..');

describe('entries of our own', () => {
  it('all have their file in a clone', () => {
    for (const file of [...Object.values(processes), ...Object.values(workers)])
      expect(existsSync(join(shared, file)), file).toBe(true);
  });

  it.each<[string, string[], string | undefined, string[]]>([
    ['an entry', ['x', 'x', '@media-engine', '{}'], 'media-engine', ['x', 'x', '{}']],
    ['another', ['x', 'x', '@applet-sandbox'], 'applet-sandbox', ['x', 'x']],
    ['none of ours', ['x', 'x', '@other'], undefined, ['x', 'x', '@other']],
    ['a name of every object', ['x', 'x', '@constructor'], undefined, ['x', 'x', '@constructor']],
    ['without the mark', ['x', 'x', 'media-engine'], undefined, ['x', 'x', 'media-engine']],
    ['not first', ['x', 'x', 'status', '@media-engine'], undefined, ['x', 'x', 'status', '@media-engine']],
    ['nothing', ['x', 'x'], undefined, ['x', 'x']],
  ])('%s on the command line', (_what, argv, name, left) => {
    expect(takeEntry(argv)).toBe(name);
    expect(argv).toEqual(left);
  });

  it('start from their files, with flags of Node.js before and arguments behind', async () => {
    const flags = ['--permission', ...readOwnCode()];
    const child = spawnEntry('applet-sandbox', ['word'], {
      flags,
      cwd: '/',
      env: {},
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    expect(child.spawnargs.slice(1)).toEqual([...flags, join(shared, 'applet/process.ts'), 'word']);
    const said = await new Promise((resolve) => child.stdout?.once('data', (data) => resolve(String(data))));
    expect(said).toBe('{"on":"ready"}\n');
    child.stdin?.end();
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
  });

  it('a worker gets its data, and package files are found', async () => {
    const worker = startWorker('media-worker', { low: 43_700, high: 43_709 });
    worker.postMessage({ n: 7, do: 'list', args: [] });
    expect(await new Promise((resolve) => worker.once('message', resolve))).toEqual({ n: 7, value: [] });
    await worker.terminate();
    // "\0asm", the magic number of WebAssembly.
    expect([...packageFile('quickjs.wasm').subarray(0, 4)]).toEqual([0, 0x61, 0x73, 0x6d]);
  });
});
