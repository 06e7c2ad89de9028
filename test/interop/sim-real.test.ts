/** The simulator on the real world: a cloud process, real sockets, real certificates, faults, a kill; and nothing left behind. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-real-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command with its own folder for temporary files. */
function sim(...words: string[]): Promise<{ code: number | null; said: string; left: string[] }> {
  const child = spawn(process.execPath, ['cli/main.ts', 'sim', 'run', ...words], {
    env: { ...process.env, TMPDIR: folder },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => {
      said += text.toString();
    });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, said, left: readdirSync(folder) }));
  });
}

describe('the simulator on the real world', { timeout: 90_000 }, () => {
  it('calls, with light gateways beside and faults on the way', async () => {
    const faults = 'latency=40:1@1s+3s,reorder=0.1@1s+3s,duplicate=0.1@1s+3s';
    const { code, said, left } = await sim('call', '--homes', '4', '--light', '40', '--faults', faults);
    expect(code, said).toBe(0);
    expect(said).toContain('40 light gateways up in');
    expect(said).toMatch(/ok call: 8 of 8 steps/);
    expect(left).toEqual([]);
  });

  it('the cloud is killed while calls are up', async () => {
    const { code, said, left } = await sim('cloud-restart', '--homes', '2');
    expect(code, said).toBe(0);
    expect(left).toEqual([]);
  });

  it('a certificate that is over opens nothing, and a way that is cut fails the run by name', async () => {
    const { code, said, left } = await sim('call', '--homes', '2', '--faults', 'expired-certificate:1@0ms+60s');
    expect(code, said).toBe(2);
    expect(said).toMatch(/replay: hearthline sim run call --seed 1 --homes 2 --faults expired-certificate:1@0ms\+60s/);
    expect(left).toEqual([]);
  });
});
