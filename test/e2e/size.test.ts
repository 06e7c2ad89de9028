import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { buildPortal } from './rig.ts';

const LIMIT = 60_000;

test(`the portal’s first load is at most ${LIMIT} octets, compressed`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-size-'));
  try {
    await buildPortal(folder);
    const assets = readdirSync(join(folder, 'assets')).map((name) => join(folder, 'assets', name));
    const octets = [join(folder, 'index.html'), join(folder, 'icon.svg'), ...assets].map(
      (path) => gzipSync(readFileSync(path)).length,
    );
    const sum = octets.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(5_000);
    expect(sum).toBeLessThanOrEqual(LIMIT);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
