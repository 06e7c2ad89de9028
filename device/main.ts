/** The user agent's composition root on the real world: media engine, gateway, local page. */
import { processSandbox } from '#shared/applet/adapter-process.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { attachEngine } from '#shared/media-engine/client.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { serveLocal } from './diagnostics/adapter-socket.ts';
import { controlSocket } from './diagnostics/control-socket.ts';
import { type Gateway, type GatewaySettings, startGateway } from './gateway.ts';
import { startLocalPage } from './local-page/server.ts';
import type { SerialSpec } from './serial/adapter-serialport.ts';
import { startConsole } from './serial/server.ts';

export { profiles } from './gateway.ts';
export { qrText } from './local-page/qr.ts';
export { readSerial } from './serial/adapter-serialport.ts';

export interface DeviceSettings extends GatewaySettings {
  readonly media: { readonly low: number; readonly high: number };
  readonly page: Address;
  /** The serial line on which a technician finds the gateway’s console. */
  readonly console?: SerialSpec;
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
  const gateway = await startGateway(world, { ...settings, sandbox: processSandbox() }, engine);
  const page = await startLocalPage(world, settings.page, () => gateway.status().pairing);
  const answer: typeof gateway.diagnostics.answer = (verb, body) => gateway.diagnostics.answer(verb, body);
  const control = await serveLocal(world.clock, controlSocket(settings.state), answer).catch((error: unknown) => {
    // A folder that takes no socket costs the local commands alone; another gateway on it is an error of its own.
    if ((error as { code?: unknown }).code === undefined) throw error;
    world.log.error('control.no-socket', { error: String(error) });
    return undefined;
  });
  const serial =
    settings.console === undefined
      ? undefined
      : await startConsole(world, {
          state: settings.state,
          line: settings.console,
          gateway: () => gateway.status().pairing.gateway,
          answer,
        });
  return {
    gateway,
    page: page.url,
    async stop() {
      await serial?.close();
      await control?.close();
      await page.close();
      await gateway.stop();
      // What is up keeps its sound for the next process; without one the engine ends by itself.
      await engine.close(gateway.status().voice.calls === 0);
    },
  };
}
