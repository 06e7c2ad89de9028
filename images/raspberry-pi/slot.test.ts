import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { slotFault } from '#test/image/slot-check.ts';
import { hasProgram } from '#test/peers.ts';
import { BLOCK, partition, SECTOR } from './boot/layout.ts';
import { cpio, moduleOrder } from './initrd.ts';
import { makeSlot, packKernel, scriptImage } from './slot.ts';
import { hashTree } from './verity.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-slot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const noise = (bytes: number, seed: number) =>
  Uint8Array.from({ length: bytes }, (_, i) => ((i * seed) ^ (i >> 7)) & 255);

describe.skipIf(!hasProgram('veritysetup') && !hasProgram('../sbin/veritysetup'))('hash trees', () => {
  test.each([2, 127, 128, 129, 300])('of %d blocks are those of veritysetup', (blocks) => {
    const data = noise(blocks * BLOCK, 31);
    const salt = noise(32, 7);
    const [file, tree] = [join(folder, 'data'), join(folder, 'tree')];
    writeFileSync(file, data);
    const made = hashTree(data, salt);
    writeFileSync(tree, made.tree);
    const common = ['--no-superblock', `--data-blocks=${blocks}`, `--salt=${Buffer.from(salt).toString('hex')}`];
    const verify = (root: string) =>
      spawnSync('veritysetup', ['verify', ...common, file, tree, root], {
        env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
      }).status;
    expect(verify(made.root)).toBe(0);
    expect(verify(made.root.replace(/^./, (digit) => (digit === '0' ? '1' : '0')))).not.toBe(0);
  });

  test('want whole blocks', () => {
    for (const bytes of [0, 1, BLOCK, BLOCK + 1])
      expect(() => hashTree(new Uint8Array(bytes), new Uint8Array(32))).toThrow();
  });
});

describe('a slot', () => {
  const root = noise(40 * BLOCK + 5, 3);
  root.set(new TextEncoder().encode('hsqs'));
  new DataView(root.buffer).setUint32(40, root.length, true);
  const parts = { root, kernel: packKernel(noise(70_000, 11)), initrd: noise(5000, 13), epoch: 1 };
  const limit = partition(2).sectors * SECTOR;
  const { image, header: made } = makeSlot(parts, limit);
  const faultOf = (bytes: Uint8Array) => {
    const file = openSync(join(folder, 'disk'), 'w+');
    writeSync(file, bytes, 0, bytes.length, partition(2).start * SECTOR);
    try {
      return slotFault(file, 'A');
    } finally {
      closeSync(file);
    }
  };

  test('is whole as it is made, and the same every time', () => {
    expect(faultOf(image)).toBeUndefined();
    expect(makeSlot(parts, limit).image).toEqual(image);
  });

  test('shows any changed byte of root, header script, tree, kernel or RAM disk', () => {
    const used = image.length - (BLOCK - (parts.initrd.length % BLOCK));
    fc.assert(
      fc.property(fc.nat(used - 1), (at) => {
        const padding = at >= made.kernelAt + parts.kernel.length && at < made.initrdAt;
        const script = at >= 41 * BLOCK && at < 42 * BLOCK;
        if (padding || script) return;
        const changed = image.slice();
        changed[at] = (changed[at] ?? 0) ^ 4;
        expect(faultOf(changed), String(at)).toBeDefined();
      }),
      { numRuns: 25 },
    );
    const header = image.slice();
    header[41 * BLOCK + 100] = (header[41 * BLOCK + 100] ?? 0) ^ 1;
    expect(faultOf(header)).toBe('a damaged header');
  });

  test('over 85 % of its partition is an error', () => {
    expect(() => makeSlot(parts, Math.floor(image.length / 0.85) - 10)).toThrow(/85 %/);
  });

  test.skipIf(!hasProgram('mkimage'))('scripts are those of mkimage', () => {
    const [source, out] = [join(folder, 'text'), join(folder, 'scr')];
    writeFileSync(source, 'echo hello\n');
    execFileSync('mkimage', ['-A', 'arm64', '-T', 'script', '-C', 'none', '-n', 'name', '-d', source, out], {
      env: { ...process.env, SOURCE_DATE_EPOCH: '77' },
    });
    const [theirs, ours] = [execFileSync('cat', [out]), Buffer.from(scriptImage('echo hello\n', 'name', 77))];
    expect(ours.subarray(32)).toEqual(theirs.subarray(32));
    expect(execFileSync('mkimage', ['-l', writeOut(ours)], { encoding: 'utf8' })).toContain(
      'Image Type:   AArch64 Linux Script',
    );
  });
  const writeOut = (bytes: Uint8Array) => {
    writeFileSync(join(folder, 'own.scr'), bytes);
    return join(folder, 'own.scr');
  };
});

describe('the initial RAM disk', () => {
  test('modules load after what they need', () => {
    const dep =
      'kernel/a.ko.xz: kernel/c.ko.xz kernel/b.ko.xz\nkernel/b.ko.xz:\nkernel/c.ko.xz: kernel/b.ko.xz\nkernel/x-y.ko.xz:\n';
    expect(moduleOrder(dep, '', ['a'])).toEqual(['kernel/b.ko.xz', 'kernel/c.ko.xz', 'kernel/a.ko.xz']);
    expect(moduleOrder(dep, 'kernel/in.ko\n', ['x_y', 'in'])).toEqual(['kernel/x-y.ko.xz']);
    expect(() => moduleOrder(dep, '', ['none'])).toThrow('no module none');
  });

  test.skipIf(!hasProgram('cpio'))('its archive is one that cpio reads', () => {
    const archive = cpio([
      { path: 'bin', mode: 0o40755, data: new Uint8Array() },
      { path: 'bin/tool', mode: 0o100755, data: new TextEncoder().encode('abc') },
    ]);
    const listed = execFileSync('cpio', ['-itv', '--quiet'], { input: archive, encoding: 'utf8' });
    expect(listed).toMatch(/^drwxr-xr-x .* bin\n-rwxr-xr-x .* 3 Jan.* bin\/tool\n$/);
  });
});
