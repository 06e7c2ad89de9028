/**
 * A RAUC update bundle (verity format) out of a slot image. The signing key is an argument of this step only, never of the build.
 * `bin/node images/raspberry-pi/bundle.ts --slot FILE --version X.Y.Z --signer FOLDER --out FILE.raucb`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { COMPATIBLE } from './boot/layout.ts';

/** Files of a signer, PEM. */
export interface Signer {
  readonly certificate: string;
  readonly key: string;
  /** Certificate between signer and root, where there is one. */
  readonly intermediate?: string;
}

/** The manifest of a bundle with one slot image. */
export const bundleManifest = (version: string, compatible: string = COMPATIBLE): string =>
  `[update]\ncompatible=${compatible}\nversion=${version}\n\n[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=slot.img\n`;

/** Writes the signed bundle to `path` (which must not exist). `compatible` differs only in tests. */
export function writeBundle(
  slot: Uint8Array,
  version: string,
  signer: Signer,
  path: string,
  compatible: string = COMPATIBLE,
): void {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-bundle-'));
  try {
    writeFileSync(join(folder, 'slot.img'), slot);
    writeFileSync(join(folder, 'manifest.raucm'), bundleManifest(version, compatible));
    const chain = signer.intermediate === undefined ? [] : [`--intermediate=${signer.intermediate}`];
    execFileSync(
      'rauc',
      [
        'bundle',
        `--cert=${signer.certificate}`,
        `--key=${signer.key}`,
        ...chain,
        '--mksquashfs-args=-comp zstd -Xcompression-level 3',
        folder,
        path,
      ],
      { stdio: 'pipe' },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      slot: { type: 'string' },
      version: { type: 'string' },
      signer: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const { slot, version, signer, out } = values;
  if (
    slot === undefined ||
    version === undefined ||
    signer === undefined ||
    out === undefined ||
    values.help === true
  ) {
    console.error(
      'usage: bundle --slot FILE.slot --version X.Y.Z --signer FOLDER --out FILE.raucb\n' +
        '  FOLDER holds signer.pem, signer.key and, where the signer is not signed by the root itself, intermediate.pem (dev-ca makes such a folder)',
    );
    process.exit(2);
  }
  const between = join(signer, 'intermediate.pem');
  const files = { certificate: join(signer, 'signer.pem'), key: join(signer, 'signer.key') };
  writeBundle(readFileSync(slot), version, existsSync(between) ? { ...files, intermediate: between } : files, out);
  console.log(out);
}
