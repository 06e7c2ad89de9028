/** What is wrong with a project is said before anything is packed. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { developerKey, packProject } from './app-project.ts';

const folder = mkdtempSync(join(tmpdir(), 'project-'));
const key = await developerKey(join(folder, 'key.json'));

it.each<[string, string, RegExp]>([
  ['no JSON', '{', /hearthline\.json is no JSON: /],
  ['a list', '[]', /is no JSON object/],
  ['nothing', 'null', /is no JSON object/],
  ['a cloud half that is a number', '{"cloud": 5}', /"cloud" is the name of a file/],
  ['a webhook without its URL', '{"cloud": {}}', /"cloud" is the name of a file/],
  ['an applet that is a list', '{"applet": []}', /"applet" is the name of a file/],
  ['a file that is not there', '{"applet": "nowhere.ts"}', /nowhere\.ts is not there/],
  ['a source that does not parse', '{"applet": "broken.ts"}', /broken\.ts/],
  ['a manifest without a name', '{"id": "x"}', /name/],
])('%s', async (_what, text, words) => {
  writeFileSync(join(folder, 'hearthline.json'), text);
  writeFileSync(join(folder, 'broken.ts'), 'one two (');
  const found = await packProject(folder, key);
  expect(found).toEqual({ ok: false, fault: expect.stringMatching(words) });
  // Whoever reads it in a file or a CI log sees no colours.
  expect(found.ok ? '' : found.fault).not.toContain(String.fromCharCode(27));
});

it('a key that is none is named, and one that was made is found again', async () => {
  expect(await developerKey(join(folder, 'key.json'))).toEqual(key);
  for (const text of ['x', 'null', '{"privateKey": 1}']) {
    writeFileSync(join(folder, 'other.json'), text);
    await expect(developerKey(join(folder, 'other.json'))).rejects.toThrow('other.json is no developer’s key');
  }
});
