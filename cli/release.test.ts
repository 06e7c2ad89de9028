import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { releaseUploadCommand } from './release.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-release-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Uploads a file with this content to a cloud that is not there. */
async function upload(content: string | undefined): Promise<{ readonly code: number; readonly said: string }> {
  const path = join(folder, 'image.raucb');
  if (content !== undefined) writeFileSync(path, content);
  const said: string[] = [];
  const io = { out: (line: string) => void said.push(line), error: (line: string) => void said.push(line) };
  const values = { cloud: 'http://127.0.0.1:9', token: 't', version: '1.2.3', board: 'hearthline-rpi-arm64' };
  const code = await releaseUploadCommand.run(
    { values, words: content === undefined ? [] : [path] } as never,
    io as never,
  );
  return { code: Number(code), said: said.join('\n') };
}

describe('release upload', () => {
  it.each(['', 'hsq', 'hostname\n', 'sqsh and more'])(
    'refuses what is no bundle before it asks anybody: %j',
    async (content) => {
      const { code, said } = await upload(content);
      expect(code).toBe(2);
      expect(said).toContain('is no bundle');
      expect(said).toContain('Next:');
    },
  );

  it('asks the cloud about a bundle, and says where it cannot be reached', async () => {
    const { code, said } = await upload('hsqs and more');
    expect(code).toBe(3);
    expect(said).toContain('cannot be reached');
  });

  it('wants a file', async () => {
    expect((await upload(undefined)).code).toBe(3);
  });
});
