/** Getting a package from the portal by its application's id, and judging whether it may run here. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError, type World } from '#shared/kernel/world.ts';
import { type AppPackage, PACKAGE_LIMIT } from '#shared/protocol/applet-manifest.ts';
import { isApproved, packageHash, readPackage } from '#shared/protocol/applet-package.ts';
import type { AppletsDocument } from '#shared/protocol/documents.ts';
import type { CloudUrl } from '#shared/protocol/pairing.ts';
import { inRange } from '#shared/protocol/version.ts';
import type { Agent } from '../agent/agent.ts';

export type Wanted = AppletsDocument['installs'][number];

/** `later`: the way is not there now, try again; `refused`: this package never runs here. */
export type FetchFault = { readonly when: 'later' | 'refused'; readonly why: string };

/** JSON around and inside a package may be escaped; no reply is larger than this. */
const REPLY_LIMIT = 3 * PACKAGE_LIMIT;

/** Asks for a ticket over the gateway's own channel and fetches the package with it. */
export async function fetchPackage(
  world: Pick<World, 'http'>,
  agent: Pick<Agent, 'request'>,
  cloud: CloudUrl,
  { application, version }: Wanted,
): Promise<Result<unknown, FetchFault>> {
  const ticket = await agent.request('applet.ticket', { application, version });
  if (!ticket.ok) {
    const why = `The cloud gave no ticket for ${application} ${version}: ${ticket.fault.detail ?? ticket.fault.code}`;
    return err({ when: ticket.fault.code === 'not_found' ? 'refused' : 'later', why });
  }
  const { path, ticket: shown } = ticket.value;
  try {
    const reply = await world.http.request({
      method: 'GET',
      url: `${cloud.origin}${path}?ticket=${encodeURIComponent(shown)}`,
      limit: REPLY_LIMIT,
      timeout: 20_000,
      ...(cloud.trust === 'pin' ? { pin: cloud.pin } : {}),
    });
    if (reply.status !== 200)
      return err({ when: 'later', why: `The portal answered ${reply.status} for ${application} ${version}.` });
    return ok((JSON.parse(reply.body) as { package?: unknown }).package);
  } catch (error) {
    if (error instanceof NetError || error instanceof SyntaxError)
      return err({ when: 'later', why: `The portal cannot be reached: ${error.message}` });
    throw error;
  }
}

/**
 * A package that may run for this install: the application that was asked for, a version that its cloud half works with, the very
 * text that the cloud named, and the operator's countersignature. Otherwise words that name what was wrong.
 */
export async function admitPackage(
  value: unknown,
  wanted: Wanted,
  operatorKey: string,
  world: Pick<World, 'crypto'>,
): Promise<Result<AppPackage, string>> {
  const read = await readPackage(value, world.crypto);
  if (!read.ok) return err(read.fault);
  const pack = read.value;
  const { id, version } = pack.manifest;
  if (id !== wanted.application)
    return err(`The applet belongs to the application “${id}”; “${wanted.application}” is installed.`);
  if (!inRange(version, wanted.matches))
    return err(
      `The applet’s version ${version} is outside the range ${wanted.matches} that the application works with.`,
    );
  if (!inRange(wanted.version, pack.manifest.matches))
    return err(
      `The applet works with ${pack.manifest.matches} of its application; version ${wanted.version} is installed.`,
    );
  if (version !== wanted.version) return err(`The applet is version ${version}; ${wanted.version} is installed.`);
  if (!(await isApproved(pack, operatorKey, world.crypto)))
    return err('The operator has not countersigned the package.');
  if (packageHash(pack, world.crypto) !== wanted.sha256)
    return err('The package is not the one that the cloud named (SHA-256).');
  return pack.bundles.applet === undefined ? err('The package has no applet.') : ok(pack);
}
