/** Puts the machine's questions to the cloud, over the connection that it names, and turns answers into inputs. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault, faults } from '#shared/protocol/fault.ts';
import { codeHash } from '#shared/protocol/pairing.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { ApplicantLink } from '../agent/applicant.ts';
import type { AgentHolder } from './agent-holder.ts';
import type { DeviceKey } from './device-key.ts';
import type { Identity, PairingInput, PairingOutput } from './states.ts';

export interface Asker {
  readonly world: Pick<World, 'clock' | 'crypto'>;
  readonly link: ApplicantLink | undefined;
  readonly agent: AgentHolder;
  readonly key: DeviceKey | undefined;
  /** The text of a claim from the boot partition. */
  readonly claim: string | undefined;
  /** The code in clear: what travels is its hash. */
  readonly announcement: { readonly code: string } & Omit<VerbRequest<'pairing.announce'>, 'codeHash'>;
}

export async function putQuestion(
  { what, ticket, over }: Extract<PairingOutput, { do: 'ask' }>,
  { world, link, agent, key, claim, announcement }: Asker,
): Promise<PairingInput> {
  if (what === 'standing' && over === 'agent') {
    return standing(ticket, world, await agent.request('pairing.standing', {}));
  }
  if (link === undefined || key === undefined) return refusal(ticket, fault('timeout'));
  switch (what) {
    case 'standing':
      return standing(ticket, world, await link.request('pairing.standing', {}));
    case 'certificate': {
      const answer = await requestCertificate(world, link, key);
      return answer.ok ? { on: 'certified', ticket, identity: answer.value } : refusal(ticket, answer.fault);
    }
    case 'claim': {
      const { profile, version } = announcement;
      if (claim === undefined) return refusal(ticket, fault('claim_unknown'));
      const answer = await link.request('pairing.claim', { claim, profile, version });
      return answer.ok ? { on: 'claim-taken', ticket, wall: world.clock.wall() } : refusal(ticket, answer.fault);
    }
    case 'announce': {
      const { code, ...rest } = announcement;
      const hash = codeHash((data) => world.crypto.hash('sha256', data), code);
      const answer = await link.request('pairing.announce', { codeHash: hash, ...rest });
      return answer.ok ? { on: 'announced', ticket } : refusal(ticket, answer.fault);
    }
  }
}

type StandingInput = Extract<PairingInput, { on: 'standing' }>;

function standing(
  ticket: number,
  { clock }: Pick<World, 'clock'>,
  answer: Result<Pick<StandingInput, 'state' | 'cause'>, Fault>,
): PairingInput {
  return answer.ok ? { on: 'standing', ticket, wall: clock.wall(), ...answer.value } : refusal(ticket, answer.fault);
}

function refusal(ticket: number, { code }: Fault): PairingInput {
  return { on: 'refused', ticket, code, final: code.startsWith('pairing_') || faults[code].retry === 'never' };
}

/** Makes a key and asks for its certificate. What comes back is believed only if it is of that key and of this gateway. */
async function requestCertificate(
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
