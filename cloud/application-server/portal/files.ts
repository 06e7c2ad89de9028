/** What the portal's folder may hold and how it is sent. Pure. */

const types = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['css', 'text/css; charset=utf-8'],
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
  ['webmanifest', 'application/manifest+json'],
]);

/** The media type of a file by its ending; undefined for one that is not served (source maps, folders). */
export function contentType(name: string): string | undefined {
  const dot = name.lastIndexOf('.');
  return dot < 1 ? undefined : types.get(name.slice(dot + 1));
}

/** Paths of the web app, which its one page serves; `*` stands for the rest. */
export const appPaths: readonly string[] = [
  '/',
  '/sign-in',
  '/pair',
  '/homes',
  '/homes/*',
  '/sessions',
  '/sessions/*',
  ...['/messages', '/mail', '/mail/*', '/apps', '/records', '/access', '/keys', '/more'],
  ...['/gateways', '/gateways/*', '/alarms', '/updates', '/farm', '/e-center'],
];

/** Shown in place of the portal while it has not been built. */
export const NOT_BUILT = `The Hearthline cloud is running; its portal has not been built yet.

Build it with:   npm run prepare
then start the cloud again.

The open API needs no portal: see /openapi.json, /healthz and /v1/...
`;
