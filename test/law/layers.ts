/** The layer rule of docs/architecture.md as a function from imports to faults. */
import { type Import, isTest, type SourceFile } from './source.ts';

const PURE = ['shared/kernel', 'shared/protocol', 'shared/sip', 'shared/rtp', 'shared/call'] as const;

/** Folders of ours that each layer may import, itself included. */
const ALLOWED: readonly (readonly [string, readonly string[]])[] = [
  ['shared/kernel', ['shared/kernel']],
  ['shared/protocol', ['shared/kernel', 'shared/protocol']],
  ['shared/sip', ['shared/kernel', 'shared/sip']],
  ['shared/rtp', ['shared/kernel', 'shared/rtp']],
  ['shared/call', ['shared/kernel', 'shared/protocol', 'shared/sip', 'shared/rtp', 'shared/call']],
  ['shared/host', ['shared/kernel', 'shared/protocol', 'shared/sip', 'shared/rtp', 'shared/call', 'shared/host']],
  [
    'shared/media-engine',
    [
      'shared/kernel',
      'shared/protocol',
      'shared/sip',
      'shared/rtp',
      'shared/call',
      'shared/host',
      'shared/media-engine',
    ],
  ],
  [
    'shared/face',
    [
      'shared/kernel',
      'shared/protocol',
      'shared/sip',
      'shared/rtp',
      'shared/host',
      'shared/media-engine',
      'shared/face',
    ],
  ],
  ['examples', ['shared/face', 'examples']],
  ['shared/applet', ['shared/kernel', 'shared/protocol', 'shared/host', 'shared/applet']],
  ['device', ['shared', 'device']],
  ['cloud', ['shared', 'cloud', 'apps/services']],
  ['apps/services', ['shared', 'apps/services']],
  ['apps', ['sdk', 'apps']],
  ['sdk', ['sdk', 'simulator/app-kit.ts']],
  ['cli', ['shared', 'cli', 'cloud', 'device', 'simulator', 'apps/services']],
  ['simulator', ['shared', 'cloud', 'device', 'simulator', 'apps']],
  ['images', ['shared', 'images']],
  ['bench', ['shared', 'cloud', 'device', 'simulator', 'bench', 'test/support', 'test/peers.ts']],
];

/** Libraries that do I/O, and the files that may name them: `server.ts`, `adapter-*.ts`, or the rows here. */
const IO_LIBRARIES = [
  'fastify',
  'oidc-provider',
  'ws',
  'quickjs-emscripten-core',
  'rolldown',
  'smtp-server',
  'nodemailer',
  'mailauth',
  'node:dns',
  'node:dns/promises',
  'aedes',
  'mqtt',
  'node:sqlite',
  'node-ssdp',
  'bonjour-service',
  'serialport',
  'mqtt-packet',
  'node:child_process',
  'node:worker_threads',
  'node:dgram',
  'node:net',
  'node:tls',
  'node:http',
  'node:https',
  'node:fs',
  'node:fs/promises',
];
const IO_FOLDERS = [
  'shared/host',
  'shared/media-engine',
  'shared/applet',
  'cli',
  'simulator',
  'test',
  'bench',
  'images',
] as const;
const IO_FILES = ['cloud/main.ts', 'device/main.ts'] as const;

const under = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** The part of the cloud that a file belongs to: `farm/media`, `session-manager` … */
function part(path: string): string {
  const [, first = '', second = ''] = path.split('/');
  return first === 'farm' ? `farm/${second}` : first;
}

/** What is wrong with one import; undefined where it keeps the rule. */
function fault({ from, to, own, dynamic }: Import): string | undefined {
  const layer = ALLOWED.find(([folder]) => under(from, folder));
  if (layer === undefined) return undefined;
  if (!own) {
    if (PURE.some((folder) => under(from, folder)) && to !== 'typebox' && !to.startsWith('typebox/'))
      return `${from} is pure and imports ${to}`;
    const wires =
      /(^|\/)(server|adapter-[a-z0-9-]+|[a-z0-9-]*worker|process)\.ts$/.test(from) ||
      IO_FOLDERS.some((folder) => under(from, folder)) ||
      IO_FILES.some((file) => file === from);
    return IO_LIBRARIES.includes(to) && !wires ? `${from} is no wiring and imports ${to}` : undefined;
  }
  if (!layer[1].some((folder) => under(to, folder))) return `${from} may not import ${to}`;
  if (to.endsWith('/main.ts') && !under(from, 'cli') && !under(from, 'simulator') && !under(from, 'bench'))
    return `${from} imports the composition root ${to}`;
  if (under(from, 'cli') && !under(to, 'cli') && !under(to, 'shared') && !dynamic)
    return `${from} loads ${to} statically; the device's executable would carry it`;
  if (under(from, 'cloud') && under(to, 'cloud') && from !== 'cloud/main.ts' && from !== 'cloud/farm/farm.ts') {
    const [a, b] = [part(from), part(to)];
    if (a !== b && b !== 'bus' && b !== 'store')
      return `${from} reaches into ${to}: parts of the cloud speak over the bus`;
  }
  return undefined;
}

/** Cycles among our own files, each as its files in order. */
function cycles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to, own } of imports) if (own) next.set(from, [...(next.get(from) ?? []), to]);
  const state = new Map<string, 'open' | 'done'>();
  const found: string[] = [];
  const visit = (path: string, trail: string[]) => {
    state.set(path, 'open');
    for (const to of next.get(path) ?? []) {
      if (state.get(to) === 'open') found.push(`import cycle: ${[...trail.slice(trail.indexOf(to)), to].join(' -> ')}`);
      else if (!state.has(to)) visit(to, [...trail, to]);
    }
    state.set(path, 'done');
  };
  for (const path of next.keys()) if (!state.has(path)) visit(path, [path]);
  return found;
}

/** Names of the platform that pure code must not take, as text (tsc and Biome guard them too). */
const WORLD =
  /\b(?:Date|setTimeout|setInterval|setImmediate|queueMicrotask|Buffer|process|performance)\s*[.(]|\bnew Date\b|\bMath\.random\b/;
/** Real clocks and randomness that cloud and device code must not take either. */
const CLOCKS = /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bsetTimeout\(|\bsetInterval\(|\bperformance\.now\b/;

function takesWorld(file: SourceFile): string | undefined {
  const text = file.text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
  if (PURE.some((folder) => under(file.path, folder)) && WORLD.test(text))
    return `${file.path} takes the world: ${WORLD.exec(text)?.[0]}`;
  const browser = under(file.path, 'cloud/application-server/portal/web');
  if ((under(file.path, 'cloud') || under(file.path, 'device')) && !browser && CLOCKS.test(text))
    return `${file.path} takes a clock or randomness: ${CLOCKS.exec(text)?.[0]}`;
  return undefined;
}

/** Every breach of the layer rule in a set of files. */
export function layerFaults(files: readonly SourceFile[], importsOf: (file: SourceFile) => Import[]): string[] {
  const code = files.filter((file) => !isTest(file.path));
  const imports = code.flatMap(importsOf);
  const faults = imports.map(fault).filter((text) => text !== undefined);
  return [...faults, ...cycles(imports), ...code.map(takesWorld).filter((text) => text !== undefined)];
}
