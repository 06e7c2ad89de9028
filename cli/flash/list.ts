/** The list of all releases for Raspberry Pi Imager, out of their manifests: newest first, every address whole. Pure. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { ImageEntry } from '#shared/protocol/image-manifest.ts';
import { compareVersions } from '#shared/protocol/version.ts';

/** Releases in one list, at the most. */
export const LIST_ENTRIES = 100;

/**
 * The list's text. An address in a manifest that is no more than a file's name is taken as a file below `base` (`https://…`); fails, in
 * words, where `base` is no address, where there are too many releases, or where two are of one version.
 */
export function releaseList(entries: readonly ImageEntry[], base: string): Result<string, string> {
  if (!/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/.test(base))
    return err(`${base === '' ? 'nothing' : base} is no address such as https://downloads.example/images`);
  if (entries.length > LIST_ENTRIES) return err(`${entries.length} releases; a list holds ${LIST_ENTRIES}`);
  const folder = base.replace(/\/*$/, '/');
  const sorted = entries.toSorted((a, b) => compareVersions(b.hearthline.version, a.hearthline.version));
  const twice = sorted.find(({ hearthline }, index) => sorted[index + 1]?.hearthline.version === hearthline.version);
  if (twice !== undefined) return err(`${twice.hearthline.version} is there twice`);
  const whole = (address: string) => (address === '' ? '' : new URL(address, folder).href);
  const list = sorted.map((entry) => ({ ...entry, url: whole(entry.url), icon: whole(entry.icon) }));
  return ok(`${JSON.stringify({ os_list: list }, undefined, 2)}\n`);
}
