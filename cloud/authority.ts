/**
 * The operator's certificate authority and the cloud's own server certificate, kept under the data folder. Both begin to
 * be valid long ago, so that a gateway whose clock stands at its image's build date believes them.
 */
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { CloudConfig } from './bus/config.ts';
import type { PartContext } from './bus/part.ts';

const NOT_BEFORE = 1_704_067_200_000;
const YEAR = 365 * 24 * 3600 * 1000;
const RENEW_BEFORE = 30 * 24 * 3600 * 1000;

const DAY = 24 * 3600 * 1000;

export type Credentials = Pick<CloudConfig, 'authority' | 'server'>;

/** Loads or makes both; the server's certificate is made anew when its names changed or its end is near. */
export async function loadCredentials(world: World, folder: string, names: readonly string[]): Promise<Credentials> {
  const authority = await loadAuthority(world, folder);
  const wanted = JSON.stringify([...names].sort());
  const text = async (name: string) => {
    const octets = await world.disk.read(`${folder}/${name}`);
    return octets === undefined ? undefined : latin1(octets);
  };
  const kept = {
    certificate: await text('server.pem'),
    key: await text('server.key'),
    names: await text('server.names'),
  };
  if (kept.certificate !== undefined && kept.key !== undefined && kept.names === wanted) {
    const facts = await world.crypto.readCertificate(kept.certificate);
    if (facts !== undefined && facts.notAfter - world.clock.wall() > RENEW_BEFORE)
      return { authority, server: { certificate: kept.certificate, key: kept.key } };
  }
  const key = await world.crypto.createKey();
  const leaf = await world.crypto.issue({
    subject: names[0] ?? 'hearthline',
    publicKey: key.publicKey,
    issuer: authority.certificate,
    signer: authority.key,
    notBefore: NOT_BEFORE,
    notAfter: world.clock.wall() + YEAR,
    // It also shows itself to carriers that we call.
    use: 'domain',
    names,
  });
  // The authority stands in the chain, so that a client that pins its key finds it.
  const certificate = `${leaf.trimEnd()}\n${authority.certificate}`;
  // Without names nobody takes a half that an end in between leaves.
  await world.disk.write(`${folder}/server.names`, fromLatin1(''));
  await world.disk.write(`${folder}/server.key`, fromLatin1(key.privateKey));
  await world.disk.write(`${folder}/server.pem`, fromLatin1(certificate));
  await world.disk.write(`${folder}/server.names`, fromLatin1(wanted));
  return { authority, server: { certificate, key: key.privateKey } };
}

/**
 * Looks every day whether the server's certificate is near its end; a new one is announced, and shown by every door without a restart.
 * Gives the way to stop that.
 */
export function renewInTime({ world, bus, config }: PartContext, names: readonly string[]): () => void {
  const look = async (): Promise<void> => {
    const { server } = await loadCredentials(world, config.data, names);
    if (server.certificate === config.server.certificate) return;
    Object.assign(config.server, server);
    world.log.info('certificate.renewed', {});
    bus.publish('certificate.renewed', {});
  };
  let timer: Timer;
  const wait = (): void => {
    timer = world.clock.at(world.clock.mono() + DAY, () => {
      look().catch((error: unknown) => world.log.error('certificate.not-renewed', { error: String(error) }));
      wait();
    });
  };
  wait();
  return () => timer.cancel();
}

async function loadAuthority(world: World, folder: string): Promise<CloudConfig['authority']> {
  const [certificate, key] = [
    await world.disk.read(`${folder}/authority.pem`),
    await world.disk.read(`${folder}/authority.key`),
  ];
  if (certificate !== undefined && key !== undefined) {
    const facts = await world.crypto.readCertificate(latin1(certificate));
    if (facts === undefined)
      throw new Error(`${folder}/authority.pem is damaged: restore it from the backup; every gateway hangs on it.`);
    return { certificate: latin1(certificate), key: latin1(key), keyHash: facts.keyHash };
  }
  const pair = await world.crypto.createKey();
  const made = await world.crypto.issue({
    subject: 'Hearthline operator',
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: NOT_BEFORE,
    notAfter: world.clock.wall() + 20 * YEAR,
    use: 'authority',
  });
  await world.disk.write(`${folder}/authority.key`, fromLatin1(pair.privateKey));
  await world.disk.write(`${folder}/authority.pem`, fromLatin1(made));
  return { certificate: made, key: pair.privateKey, keyHash: pair.keyHash };
}
