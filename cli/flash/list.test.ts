import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageEntry, readManifest, writeManifest } from '#shared/protocol/image-manifest.ts';
import { flashKeyCommand, flashListCommand, flashSignCommand } from '../flash-sign.ts';
import { LIST_ENTRIES, releaseList } from './list.ts';

const facts = (version: string, url = `hearthline-${version}-rpi-arm64.img.zst`) =>
  writeManifest({
    ...{ version, date: '2026-11-22', url, icon: '' },
    extract: { size: 10, sha256: 'a'.repeat(64) },
    download: { size: 5, sha256: 'b'.repeat(64) },
  });
function entry(version: string, url?: string): ImageEntry {
  const read = readManifest(facts(version, url));
  if (!read.ok) throw new Error(read.fault);
  return read.value;
}
const BASE = 'https://downloads.example/images';

describe('a list of releases', () => {
  test('has the newest first, with whole addresses', () => {
    const list = releaseList(
      [entry('1.2.0'), entry('1.10.0'), entry('1.9.9', 'https://other.example/x.img.zst')],
      BASE,
    );
    const { os_list } = JSON.parse(list.ok ? list.value : '{}') as { os_list: ImageEntry[] };
    expect(os_list.map(({ hearthline, url }) => [hearthline.version, url])).toEqual([
      ['1.10.0', `${BASE}/hearthline-1.10.0-rpi-arm64.img.zst`],
      ['1.9.9', 'https://other.example/x.img.zst'],
      ['1.2.0', `${BASE}/hearthline-1.2.0-rpi-arm64.img.zst`],
    ]);
    expect(os_list[0]).toEqual({ ...entry('1.10.0'), url: os_list[0]?.url });
  });

  test.each(['', 'downloads.example', 'ftp://x/', 'https://', 'https://x/ y', 'https://x/?a'])(
    'has no base %j',
    (base) => expect(releaseList([entry('1.0.0')], base)).toMatchObject({ ok: false }),
  );

  test('names each version once, and is bounded', () => {
    expect(releaseList([entry('1.0.0'), entry('1.1.0'), entry('1.0.0')], BASE)).toEqual({
      ok: false,
      fault: '1.0.0 is there twice',
    });
    const many = Array.from({ length: LIST_ENTRIES + 1 }, (_, index) => entry(`1.${index}.0`));
    expect(releaseList(many.slice(1), BASE)).toMatchObject({ ok: true });
    expect(releaseList(many, BASE)).toMatchObject({ ok: false });
  });
});

describe('hearthline flash list', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-list-'));
  const at = (name: string) => join(folder, name);
  const run = async (command: typeof flashListCommand, words: string[], values = {}) => {
    const [out, errors]: [string[], string[]] = [[], []];
    const io = { out: (line: string) => out.push(line), error: (line: string) => errors.push(line), environment: {} };
    const code = await command.run({ words, values } as never, io as never);
    return { code, out: out.join('\n'), errors: errors.join('\n') };
  };
  const releases = ['1.0.0', '1.1.0'].map((version) => at(`hearthline-${version}.manifest.json`));
  beforeAll(async () => {
    for (const name of ['ours', 'theirs']) await run(flashKeyCommand, [at(name)]);
    for (const [index, path] of releases.entries()) {
      writeFileSync(path, facts(`1.${index}.0`));
      await run(flashSignCommand, [path, at('ours')]);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('lists what is signed by the key that is named', async () => {
    const made = await run(flashListCommand, releases, { base: BASE, key: at('ours.pub') });
    expect(made).toMatchObject({ code: 0, errors: '' });
    expect(made.out).toBe((releaseList([entry('1.0.0'), entry('1.1.0')], BASE) as { value: string }).value.trimEnd());
  });

  test('lists nothing where one is not, or is no manifest', async () => {
    expect(await run(flashListCommand, releases, { base: BASE, key: at('theirs.pub') })).toMatchObject({
      code: 2,
      out: '',
    });
    const [first = '', second = ''] = releases;
    writeFileSync(second, readFileSync(second, 'utf8').replace('gateway', 'Gateway'));
    const changed = await run(flashListCommand, releases, { base: BASE, key: at('ours.pub') });
    expect(changed).toMatchObject({ code: 2, out: '' });
    expect(changed.errors).toContain(second);
    expect(
      await run(flashListCommand, [first, at('none.manifest.json')], { base: BASE, key: at('ours.pub') }),
    ).toMatchObject({ code: 2, out: '' });
    expect(await run(flashListCommand, [], { base: BASE, key: at('ours.pub') })).toMatchObject({ code: 3 });
  });
});
