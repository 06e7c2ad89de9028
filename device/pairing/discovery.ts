/** Finding the cloud: `/.well-known/hearthline` at the address that the gateway was given, trusted as that address says. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type HttpReply, NetError, type World } from '#shared/kernel/world.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type CloudUrl, DISCOVERY_PATH, Discovery } from '#shared/protocol/pairing.ts';

const LIMIT = 16 * 1024;

export interface Cloud {
  readonly mqtt: { readonly host: string; readonly port: number };
  /** PEM of the operator's authority. */
  readonly authority: string;
  /** Where people open the portal. */
  readonly portal: string;
}

/** Asks the cloud where it listens; otherwise words for the person who set the gateway up. */
export async function discover(world: Pick<World, 'http' | 'crypto'>, cloud: CloudUrl): Promise<Result<Cloud, string>> {
  let reply: HttpReply;
  try {
    reply = await world.http.request({
      method: 'GET',
      url: cloud.origin + DISCOVERY_PATH,
      limit: LIMIT,
      ...(cloud.trust === 'pin' ? { pin: cloud.pin } : {}),
    });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return err(`The cloud at ${cloud.origin} cannot be reached (${error.code}): ${error.message}`);
  }
  if (reply.status !== 200) return err(`${cloud.origin} answered ${reply.status}: is it a Hearthline cloud?`);
  const read = readDiscovery(reply.body);
  if (read === undefined) return err(`${cloud.origin} does not answer like a Hearthline cloud.`);
  const authority = await world.crypto.readCertificate(read.ca);
  if (authority === undefined) return err(`${cloud.origin} names no authority that can be read.`);
  if (cloud.trust === 'pin' && authority.keyHash !== cloud.pin) {
    return err(`The authority that ${cloud.origin} names is not the one behind # in its address.`);
  }
  return ok({ mqtt: hostPort(read.mqtt), authority: read.ca, portal: read.http ?? cloud.origin });
}

/** The document in a reply; undefined where it is none. */
export function readDiscovery(body: string): Discovery | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return misfit(Discovery, value) === undefined ? (value as Discovery) : undefined;
  } catch {
    return undefined;
  }
}

/** `host:port` or `[v6]:port`, as the schema has checked it. */
function hostPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
