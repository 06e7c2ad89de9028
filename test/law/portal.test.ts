import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLIENT, portalFaults } from './portal.ts';
import { root, type SourceFile } from './source.ts';

const folder = 'cloud/application-server/portal/web';
const files: SourceFile[] = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|tsx|js|html)$/.test(name) && !name.includes('node_modules') && !name.endsWith('.test.ts'))
  .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(join(root, folder, name), 'utf8') }));

/** A placeholder of a template, as it stands in a source. */
const placeholder = (name: string) => ['$', '{', name, '}'].join('');

describe('the portal', () => {
  it('asks through one client, and only for what the verb table has', () => {
    expect(files.some((file) => file.path === CLIENT)).toBe(true);
    expect(portalFaults(files)).toEqual([]);
  });

  it.each([
    ['a request of its own', `${folder}/src/x.tsx`, "await fetch('/v1/homes')", /asks by itself/],
    ['a stream of its own', `${folder}/src/x.tsx`, "new EventSource('/v1/events')", /asks by itself/],
    ['a path that no verb has', CLIENT, "'GET /v1/secrets'", /no verb has/],
    ['a method that the path lacks', CLIENT, "'DELETE /v1/homes'", /no verb has/],
    ['a template of no verb', CLIENT, `\`/v1/homes/${placeholder('home')}/secrets\``, /no verb has/],
  ])('goes red on %s', (_name, path, text, expected) => {
    expect(portalFaults([{ path, text }]).join()).toMatch(expected);
  });

  it('takes a template of a verb', () => {
    expect(
      portalFaults([{ path: CLIENT, text: `\`/v1/sessions/${placeholder('encodeURIComponent(session)')}/events\`` }]),
    ).toEqual([]);
  });
});
