/** The gateway's own test: what its phones need works. It is the proof of a new system where the cloud is out of reach. */
import type { Address, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { CloudUrl } from '#shared/protocol/pairing.ts';
import type { Probe } from '../diagnostics/facts.ts';
import { tryConnect, tryDiscovery, tryDisk, tryListener, tryMediaPort } from '../diagnostics/probe.ts';
import type { Health } from './states.ts';

export interface Tested {
  readonly world: World;
  readonly engine: MediaEngine;
  /** Where phones register. */
  readonly sip: Address | undefined;
  readonly state: string;
  readonly cloud: CloudUrl | { readonly refused: string };
  readonly paired: () => boolean;
}

const GONE: Probe = { ok: false, code: 'ENONE', text: 'not there' };

/**
 * Whether the cloud's address answers. A system that speaks HTTP no longer must not look like a home without internet: where a
 * connection is taken and no HTTP comes of it, the way is there. A cloud that answers amiss, or by a certificate that is not
 * believed (a clock may be wrong), is none: that is not this system's fault.
 */
async function cloudAnswers(world: World, cloud: CloudUrl): Promise<boolean> {
  const { discovery: found } = await tryDiscovery(world, cloud);
  if (found.ok || found.code === 'EHTTP' || found.code === 'ECERT') return found.ok;
  const { protocol, hostname, port } = new URL(cloud.origin);
  const at = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
  return (await tryConnect(world, at)).ok;
}

/** Phones get an answer, sound has a port, the disk keeps what is written; each try is bounded in time. */
export async function testGateway({ world, engine, sip, state, cloud, paired }: Tested): Promise<Health> {
  const host = sip === undefined || sip.host === '0.0.0.0' ? '127.0.0.1' : sip.host === '::' ? '::1' : sip.host;
  const [phones, media, disk, wan] = await Promise.all([
    sip === undefined ? GONE : tryListener(world, sip),
    tryMediaPort(world, engine, host),
    tryDisk(world, state),
    'refused' in cloud ? false : cloudAnswers(world, cloud),
  ]);
  const wrong = Object.entries({ 'the SIP listener': phones, 'the media engine': media, 'the disk': disk }).flatMap(
    ([name, probe]) => (probe.ok ? [] : [`${name}: ${probe.text}`]),
  );
  const health = { ok: wrong.length === 0, wan, paired: paired() };
  world.log.info('updater.tested', { ...health, why: wrong.join('; ') });
  return wrong.length === 0 ? health : { ...health, why: wrong.join('; ') };
}
