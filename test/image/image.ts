/** What the image tests boot: the real root with a shell on a second serial line, made once for all files of a run. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { partition, SECTOR } from '#images/raspberry-pi/boot/layout.ts';
import { type Authority, makeAuthority } from '#images/raspberry-pi/dev-ca.ts';
import { writeDisk } from '#images/raspberry-pi/disk.ts';
import { makeInitrd } from '#images/raspberry-pi/initrd.ts';
import { makeRoot } from '#images/raspberry-pi/root.ts';
import { makeSlot, packKernel, packRoot } from '#images/raspberry-pi/slot.ts';
import { cacheFolder } from '#images/raspberry-pi/tools.ts';

/** Seconds since 1970 of the test images: the time of everything in them, and the floor of a gateway's clock. */
export const EPOCH = Math.floor(Date.UTC(2026, 10, 1) / 1000);
const source = join(import.meta.dirname, '../../images/raspberry-pi');
const executable = join(import.meta.dirname, '../../dist/pkg/hearthline-linux-arm64');

/** A root shell on the second serial line (a PCI card that no Raspberry Pi has). */
const SHELL = `mkdir -p /run/systemd/system/sysinit.target.wants
cat > /run/systemd/system/test-shell.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh /run/test-shell.sh
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
Restart=always
Environment=PATH=/usr/bin:/usr/sbin
UNIT
cat > /run/test-shell.sh <<'LINES'
stty -echo -onlcr
echo SHELL READY
while read -r line; do eval "$line"; done
LINES
ln -s ../test-shell.service /run/systemd/system/sysinit.target.wants/test-shell.service
# qemu's Raspberry Pi has no timer behind its watchdog: to arm it is to restart at once.
if grep -q Raspberry /proc/device-tree/model 2> /dev/null; then
  mkdir -p /run/systemd/system.conf.d
  printf '[Manager]\\nRuntimeWatchdogSec=0\\nRebootWatchdogSec=0\\n' > /run/systemd/system.conf.d/zz-emulated.conf
fi
`;

/** What a slot of the tests differs in. */
export interface Variant {
  readonly version?: string;
  /** The agent ends at once with an error. */
  readonly broken?: boolean;
}

/** Where the pieces of this run's image stand. */
export interface TestImage {
  readonly folder: string;
  readonly uboot: { readonly rpi: string; readonly qemu: string };
  /** Firmware and device trees of the boot partition. */
  readonly firmware: string;
  readonly authority: Authority;
  /** The disk image with version 1.0.0 in slot A. */
  readonly disk: string;
  readonly modules: string;
  readonly parts: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    image: TestImage;
  }
}

function testLines({ version, broken }: Variant): string {
  const lines = [SHELL];
  if (version !== undefined)
    lines.push(
      `sed 's/"version":"[^"]*"/"version":"${version}"/' /root/etc/hearthline/image.json > /run/image.json`,
      'mount --bind /run/image.json /root/etc/hearthline/image.json',
      `sed 's/^\\(VERSION_ID\\|IMAGE_VERSION\\)=.*/\\1=${version}/' /root/usr/lib/os-release > /run/os-release`,
      'mount --bind /run/os-release /root/usr/lib/os-release',
    );
  if (broken === true)
    lines.push(
      'mkdir -p /run/systemd/system/hearthline.service.d',
      "printf '[Unit]\\nStartLimitBurst=2\\n[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > /run/systemd/system/hearthline.service.d/broken.conf",
    );
  return `${lines.join('\n')}\n`;
}

/** A slot image of the same root and kernel with other words in front of it. */
export function testSlot(image: TestImage, variant: Variant = {}): Uint8Array {
  const read = (name: string) => readFileSync(join(image.folder, name));
  const initrd = makeInitrd({ ...image, test: testLines(variant) });
  const parts = { root: read('root.squashfs'), kernel: read('kernel.gz'), initrd, epoch: EPOCH };
  return makeSlot(parts, partition(2).sectors * SECTOR).image;
}

/** Builds the root, the slot and the disk. */
function makeTestImage(folder: string): TestImage {
  if (!existsSync(executable)) throw new Error('dist/pkg/hearthline-linux-arm64 is missing: npm run pkg');
  const authority = makeAuthority(join(folder, 'ca'));
  const root = makeRoot({
    ...{ source, cache: cacheFolder(), folder: join(folder, 'tree'), version: '1.0.0', epoch: EPOCH, executable },
    keyring: authority.keyring,
  });
  packRoot(root.folder, join(folder, 'root.squashfs'), EPOCH, 3);
  writeFileSync(join(folder, 'kernel.gz'), packKernel(readFileSync(root.kernel)));
  const { uboot, firmware, modules, parts } = root;
  const image = { folder, uboot, firmware, authority, disk: join(folder, 'disk.img'), modules, parts };
  writeDisk({ firmware, uboot: uboot.rpi, slot: testSlot(image), epoch: EPOCH }, image.disk);
  return image;
}

/** Before the first file of a run: the image, or the one in HEARTHLINE_IMAGE (a kept folder of an earlier run). */
export function setup(project: TestProject): () => void {
  const kept = process.env.HEARTHLINE_IMAGE;
  const record = (folder: string) => join(folder, 'image.json');
  if (kept !== undefined && existsSync(record(kept))) {
    project.provide('image', JSON.parse(readFileSync(record(kept), 'utf8')) as TestImage);
    return () => undefined;
  }
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'hearthline-image-'));
  mkdirSync(folder, { recursive: true });
  const image = makeTestImage(folder);
  writeFileSync(record(folder), JSON.stringify(image));
  project.provide('image', image);
  return () => {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  };
}
