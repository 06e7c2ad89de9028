/** Chooses the kernel modules of the image: those named in `modules.txt`, and what they depend on. */
import { err, ok, type Result } from '#shared/kernel/result.ts';

const moduleName = (path: string) =>
  path
    .replace(/^.*\//, '')
    .replace(/\.ko(?:\..*)?$/, '')
    .replaceAll('-', '_');

/**
 * The files to keep, from the text of `modules.dep` (`file: what it needs …`). An error names the modules that the kernel does
 * not have; a name with `?` before it may be missing, since some kernels carry it built in.
 */
export function chooseModules(wanted: readonly string[], dependencies: string): Result<Set<string>, string> {
  const needs = new Map<string, string[]>();
  const files = new Map<string, string>();
  for (const line of dependencies.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const file = line.slice(0, colon);
    needs.set(
      file,
      line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .filter((one) => one !== ''),
    );
    files.set(moduleName(file), file);
  }
  const missing = wanted.filter((name) => !name.startsWith('?') && !files.has(name.replaceAll('-', '_')));
  if (missing.length > 0) return err(`the kernel has no module ${missing.join(', ')}`);
  const kept = new Set<string>();
  for (const name of wanted) {
    const file = files.get(name.replace(/^\?/, '').replaceAll('-', '_'));
    if (file === undefined) continue;
    kept.add(file);
    for (const other of needs.get(file) ?? []) kept.add(other);
  }
  return ok(kept);
}
