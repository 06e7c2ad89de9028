/** What makes the machines of these tests: none outlives the process that switched it on, however that one ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';

const { uboot } = inject('image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-owner-'));
let owner: ChildProcess | undefined;
afterAll(() => {
  owner?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Process ids of emulators whose sockets stand in our folder. */
const machines = () =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0] === 'qemu-system-aarch64' && words.some((word) => word.includes(folder));
    } catch {
      // It ended between the listing and now.
      return false;
    }
  });

test('a machine ends with the process that switched it on', async () => {
  const program = `import { Machine } from './test/image/machine.ts';
    const machine = await Machine.start({ folder: '${folder}', uboot: '${uboot.qemu}', disk: ['-drive', 'driver=null-co,if=none,id=d0'], processors: 1 });
    await machine.line(/U-Boot/);
    console.log('up');`;
  owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: resolve(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await new Promise<string[]>((heard) => owner?.stdout?.once('data', (data) => heard([String(data)])));
  expect(said).toBe('up\n');
  expect(machines()).toHaveLength(1);
  owner.kill('SIGKILL');
  await expect.poll(machines, { timeout: 20_000 }).toEqual([]);
});
