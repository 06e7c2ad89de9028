/** The files of a new application. */
import { resolve } from 'node:path';
import { SDK } from './app-project.ts';

/** Texts by file name. */
export function appTemplate(id: string): Readonly<Record<string, string>> {
  const project = {
    id,
    version: '0.1.0',
    name: id,
    about: 'What it does, in one sentence for the person who installs it.',
    api: 1,
    matches: '^0.1.0',
    cloud: 'cloud.ts',
    applet: 'applet.ts',
    scopes: ['media:read'],
    events: ['home.session.v1.*'],
    services: [],
    permissions: { 'call.events': {}, 'cloud.send': { perSecond: 5 } },
  };
  const paths = { hearthline: [SDK], 'hearthline/testing': [resolve(SDK, '../testing.ts')] };
  const settings = {
    compilerOptions: {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true,
      types: [],
      paths,
    },
  };
  return {
    'hearthline.json': `${JSON.stringify(project, undefined, 2)}\n`,
    'tsconfig.json': `${JSON.stringify(settings, undefined, 2)}\n`,
    'cloud.ts': CLOUD,
    'applet.ts': APPLET,
    'app.test.ts': TEST,
  };
}

const CLOUD = `/** The cloud half: runs in the operator's application server. */
import { app } from 'hearthline';

app.on('message', async ({ body }) => {
  app.log.info('the applet says', body);
  const { items } = await app.api('media.list', {});
  await app.send({ songs: items.length });
});

app.on('home.session.v1.*', ({ type }) => app.log.info(type));
`;

const APPLET = `/** The user applet: runs on the gateway, also while there is no way to the cloud. */
import { app } from 'hearthline';

app.on('start', () => app.send({ hello: app.version }));
app.on('call', ({ on, call }) => app.log.info('a call is', on, call));
app.on('message', ({ body }) => app.log.info('the cloud half says', body));
`;

const TEST = `import type { AppKit } from 'hearthline/testing';

/** Runs in virtual time with a cloud, a home and the application installed in it. */
export async function test(kit: AppKit): Promise<void> {
  await kit.until(
    () => kit.applet()?.logs.some(({ text }) => text.includes('the cloud half says')) === true,
    'the halves to talk',
  );
}
`;
