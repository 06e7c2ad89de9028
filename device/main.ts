/** The user agent's composition root on the real world: media engine, gateway, local page. */
import type { Address, World } from '#shared/kernel/world.ts';
import { attachEngine } from '#shared/media-engine/client.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { type Gateway, type GatewaySettings, startGateway } from './gateway.ts';
import { startLocalPage } from './local-page/server.ts';

export { profiles } from './gateway.ts';

export interface DeviceSettings extends GatewaySettings {
  readonly media: { readonly low: number; readonly high: number };
  readonly page: Address;
}

export interface Device {
  readonly gateway: Gateway;
  /** Address of the local page. */
  readonly page: string;
  stop(): Promise<void>;
}

export async function runDevice(world: World, settings: DeviceSettings): Promise<Device> {
  const { low, high } = settings.media;
  const engine = await attachEngine({ socketPath: engineSocket(`${settings.state}/media`), low, high });
  const gateway = await startGateway(world, settings, engine);
  const page = await startLocalPage(world, settings.page, () => gateway.status().pairing);
  return {
    gateway,
    page: page.url,
    async stop() {
      await page.close();
      await gateway.stop();
      await engine.close(true);
    },
  };
}
