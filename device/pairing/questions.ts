/** What an unpaired gateway asks the cloud over its applicant's link. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { codeHash } from '#shared/protocol/pairing.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { ApplicantLink } from '../agent/applicant.ts';
import type { DeviceKey } from './device-key.ts';
import type { Identity } from './states.ts';

/** Makes the code known; what travels is its hash. */
export function announce(
  { crypto }: Pick<World, 'crypto'>,
  link: ApplicantLink,
  { code, profile, version }: { code: string } & Omit<VerbRequest<'pairing.announce'>, 'codeHash'>,
): Promise<Result<VerbReply<'pairing.announce'>, Fault>> {
  const hash = codeHash((data) => crypto.hash('sha256', data), code);
  return link.request('pairing.announce', { codeHash: hash, profile, version });
}

/** Makes a key and asks for its certificate. What comes back is believed only if it is of that key and of this gateway. */
export async function requestCertificate(
  { crypto }: Pick<World, 'crypto'>,
  link: ApplicantLink,
  device: DeviceKey,
): Promise<Result<Identity, Fault>> {
  const key = await crypto.createKey();
  const answer = await link.request('pairing.request', { request: await crypto.createRequest(key, device.gateway) });
  if (!answer.ok) return answer;
  const { gateway, home, certificate, authority } = answer.value;
  const facts = await crypto.readCertificate(certificate);
  const mine = gateway === device.gateway && facts?.subject === gateway && facts.keyHash === key.keyHash;
  if (!mine || (await crypto.readCertificate(authority)) === undefined) {
    return err(fault('pairing_request_invalid', 'Another certificate came than the one asked for.'));
  }
  return ok({ gateway, home, certificate, key: key.privateKey, authority });
}
