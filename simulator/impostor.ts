/** Someone who stands in the cloud's place and shows a certificate that nobody should believe. */
import type { Address } from '#shared/kernel/world.ts';
import type { AnyStage } from './stage.ts';

const DAY = 86_400_000;

export interface Impostor {
  readonly address: Address;
  close(): Promise<void>;
}

/** `stranger`: signed by an authority of its own; `expired`: signed by the operator's, and over since yesterday. */
export async function startImpostor(stage: AnyStage, who: 'stranger' | 'expired'): Promise<Impostor> {
  const { ground } = stage;
  const { world, address: host } = ground.host('impostor');
  const wall = world.clock.wall();
  const authority = who === 'expired' ? await ground.authority(stage.cloud) : await strangers();
  const key = await world.crypto.createKey();
  const certificate = await world.crypto.issue({
    subject: 'hearthline',
    publicKey: key.publicKey,
    issuer: authority.certificate,
    signer: authority.key,
    notBefore: wall - 2 * DAY,
    notAfter: who === 'expired' ? wall - DAY : wall + DAY,
    use: 'server',
    names: ground.names(stage.cloud),
  });
  const listener = await world.net.listen({ host, port: 0, tls: { certificate, key: key.privateKey } }, (stream) =>
    stream.destroy(),
  );
  return { address: listener.local, close: () => listener.close() };

  async function strangers() {
    const own = await world.crypto.createKey();
    const made = await world.crypto.issue({
      subject: 'Somebody else',
      publicKey: own.publicKey,
      signer: own.privateKey,
      notBefore: wall - 2 * DAY,
      notAfter: wall + DAY,
      use: 'authority',
    });
    return { certificate: made, key: own.privateKey };
  }
}
