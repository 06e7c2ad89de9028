/** The user agent's composition root on the real world: media engine, gateway, local page. */
import { processSandbox } from '#shared/applet/adapter-process.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { attachEngine, leaveEngine } from '#shared/media-engine/client.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { serveLocal } from './diagnostics/adapter-socket.ts';
import { controlSocket } from './diagnostics/control-socket.ts';
import type { ModemLines } from './emergency-modem/server.ts';
import { boardLed } from './first-boot/adapter-led.ts';
import { type Stages, watchStages } from './first-boot/server.ts';
import { type Gateway, type GatewaySettings, startGateway } from './gateway.ts';
import type { HouseWifi } from './local-page/page.ts';
import { type PageExtras, startLocalPage } from './local-page/server.ts';
import { keepSerial, type SerialSpec } from './serial/adapter-serialport.ts';
import { startConsole } from './serial/server.ts';
import { raucBoard } from './updater/adapter-rauc.ts';

export { stageLine } from './first-boot/stages.ts';
export { profiles } from './gateway.ts';
export { qrText } from './local-page/qr.ts';
export { readSerial } from './serial/adapter-serialport.ts';

export interface DeviceSettings extends GatewaySettings {
  readonly media: { readonly low: number; readonly high: number };
  readonly page: Address;
  /** The serial line on which a technician finds the gateway’s console. */
  readonly console?: SerialSpec;
  /** Where the stage of the start is written, for whoever answers on the boot partition. */
  readonly stage?: string;
  /** File with name and password of the house's own Wi-Fi network, where the image makes one. */
  readonly wifi?: string;
  /** The LED that shows the stage. */
  readonly led?: string;
  /** Takes the stages' lines for the console. */
  readonly say?: (line: string) => void;
  /** Serial lines of the emergency modem: its commands, and the sound of its calls. */
  readonly emergency?: { readonly control: SerialSpec; readonly audio?: SerialSpec };
  /** Socket of the update helper, on an image with two systems. */
  readonly helper?: string;
}

export interface Device {
  readonly gateway: Gateway;
  /** Address of the local page. */
  readonly page: string;
  readonly stages: Stages;
  stop(): Promise<void>;
}

/** Rejects where something cannot start; then nothing that was started stays, but the sound of calls of before. */
export async function runDevice(world: World, settings: DeviceSettings): Promise<Device> {
  const { low, high } = settings.media;
  const engine = await attachEngine({ socketPath: engineSocket(`${settings.state}/media`), low, high });
  try {
    return await runOn(engine, world, settings);
  } catch (error) {
    await leaveEngine(engine);
    throw error;
  }
}

async function runOn(engine: MediaEngine, world: World, settings: DeviceSettings): Promise<Device> {
  const board = settings.helper === undefined ? {} : { board: raucBoard(world.clock, settings.helper) };
  const modem = settings.emergency === undefined ? {} : { modem: modemLines(world, settings.emergency) };
  const gateway = await startGateway(world, { ...settings, ...board, ...modem, sandbox: processSandbox() }, engine);
  const pairing = () => gateway.status().pairing;
  let stages: Stages | undefined;
  const names = [`${new TextDecoder().decode(await world.disk.read('/proc/sys/kernel/hostname')).trim()}.local`];
  const page = await startLocalPage(world, settings.page, pairing, names, {
    stages: () => stages?.standing(),
    ...(await houseWifi(world, settings.wifi)),
  });
  stages = await watchStages({
    world,
    state: settings.state,
    pairing,
    cloudSet: settings.cloudUrl !== '',
    ...pagePort(settings, page.url),
    ...(settings.led === undefined ? {} : { led: boardLed(settings.led) }),
    ...(settings.stage === undefined ? {} : { file: settings.stage }),
    say: settings.say ?? (() => {}),
  });
  gateway.onChange(() => stages.look());
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
    stages,
    async stop() {
      await stages.stop();
      await serial?.close();
      await control?.close();
      await page.close();
      await gateway.stop();
      // What is up keeps its sound for the next process; without one the engine ends by itself.
      await engine.close(gateway.status().voice.calls === 0);
    },
  };
}

function modemLines(world: World, { control, audio }: NonNullable<DeviceSettings['emergency']>): ModemLines {
  return {
    control: (handlers) => keepSerial(world, control, handlers),
    ...(audio === undefined ? {} : { audio: (handlers) => keepSerial(world, audio, handlers) }),
  };
}

/** The page's port, where others on the LAN reach it: then the gateway tells of itself there. */
function pagePort({ profile, page }: DeviceSettings, url: string): { page?: number } {
  const closed = profile !== 'residential-gateway' || /^(127\.|::1$|localhost$)/.test(page.host);
  return closed ? {} : { page: Number(/\d+$/.exec(url)?.[0] ?? 80) };
}

/** What the image's first step has written of the house's own Wi-Fi network; nothing where it makes none. */
async function houseWifi({ disk }: Pick<World, 'disk'>, path: string | undefined): Promise<Pick<PageExtras, 'wifi'>> {
  const file = path === undefined ? undefined : await disk.read(path).catch(() => undefined);
  return file === undefined ? {} : { wifi: JSON.parse(new TextDecoder().decode(file)) as HouseWifi };
}
