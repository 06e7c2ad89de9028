/** The certificate that the cloud shows at its doors: kept in the data folder, made anew in time, and then shown without a restart. */
import { latin1 } from '#shared/kernel/bytes.ts';
import type { PartContext } from './part.ts';

type Own = PartContext['config']['server'];

/** Calls `show` with each new certificate, which also stands in `config.server` then. Gives the way to stop that. */
export function onRenewed({ bus, config, world }: PartContext, show: (own: Own) => void): () => void {
  const read = async (): Promise<void> => {
    const texts = ['server.pem', 'server.key'].map(async (name) => world.disk.read(`${config.data}/${name}`));
    const [certificate, key] = await Promise.all(texts);
    if (certificate === undefined || key === undefined) return;
    Object.assign(config.server, { certificate: latin1(certificate), key: latin1(key) });
    show(config.server);
  };
  return bus.subscribe('certificate.renewed', () => {
    read().catch((error: unknown) => world.log.error('certificate.not-shown', { error: String(error) }));
  });
}
