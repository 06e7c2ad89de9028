/** The portal uses no other route than the verb table's: what it asks for, read from its sources. */
import { methodsOf, routes } from '#cloud/application-server/open-api/routes.ts';
import type { SourceFile } from './source.ts';

/** The portal's one way to the cloud. */
export const CLIENT = 'cloud/application-server/portal/web/src/api.ts';
const ASKS = /\b(?:fetch|EventSource|WebSocket|XMLHttpRequest|sendBeacon|importScripts)\s*\(/g;
/** A path of the API in quotes or backticks, alone or behind its method. */
const PATH = /['"`](?:(GET|POST|PUT|DELETE) )?(\/v1\/[^'"`\s?]*)/g;

/** Every breach: a request made elsewhere than in the client, and a path that no verb has. */
export function portalFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
    const asks = path === CLIENT ? [] : [...code.matchAll(ASKS)].map(([ask]) => `${path} asks by itself: ${ask}`);
    const strange = [...code.matchAll(PATH)].flatMap(([, method, found = '']) =>
      known(method, found) ? [] : [`${path} names ${method ?? ''} ${found}, which no verb has`],
    );
    return [...asks, ...strange];
  });
}

/** `${…}` stands for a parameter, as `{…}` does in the table. */
function known(method: string | undefined, path: string): boolean {
  const shape = path.replace(/\$?\{[^}]*\}?\)?\}?/g, 'x');
  const methods = methodsOf(shape);
  if (shape === '/v1/events/ws') return routes.some(({ verb }) => verb === 'event.list');
  return method === undefined ? methods.length > 0 : methods.includes(method);
}
