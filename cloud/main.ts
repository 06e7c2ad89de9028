/** The cloud's composition root: settings, credentials, store, bus, and every part in its order. */

import { shippedServices } from '#apps/services/index.ts';
import type { Sandbox } from '#shared/applet/sandbox.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { createAppHost } from './application-server/app-host/server.ts';
import { createECenter } from './application-server/e-center/server.ts';
import { ensureOperatorToken } from './application-server/open-api/credentials.ts';
import type { FarmControl } from './application-server/open-api/farm.ts';
import { createOpenApi } from './application-server/open-api/server.ts';
import { loadCredentials, renewInTime } from './authority.ts';
import type { CloudConfig, MailSettings } from './bus/config.ts';
import { createBus, type InProcessBus } from './bus/in-process.ts';
import type { Part, PartContext } from './bus/part.ts';
import { farm } from './farm/farm.ts';
import type { EngineFor } from './farm/media/server.ts';
import { gatewayEdge } from './gateway-edge/server.ts';
import { sessionManager } from './session-manager/server.ts';
import type { Store } from './store/store.ts';
import { Supervisor } from './supervisor.ts';

export interface CloudSettings {
  readonly data: string;
  readonly http: Address;
  readonly https?: Address;
  readonly mqtt: Address;
  readonly sip: Address;
  readonly sips: Address;
  /** DNS server by which names of trunks are found (RFC 3263). */
  readonly sipDns?: Address;
  /** SIP over WebSockets, in the clear and over TLS; default closed. */
  readonly ws?: Address;
  readonly wss?: Address;
  /** Origins of pages that may open one, beside those of our own names. */
  readonly wsOrigins?: readonly string[];
  readonly media: { readonly host: string; readonly low: number; readonly high: number };
  /** WAV file for who is put on hold, or `none`. */
  readonly holdMusic?: string;
  /** What SDP, Contact and the gateways' documents advertise; default the SIP address, or the first outside one. */
  readonly publicHost?: string;
  /** SIP domain and digest realm; default `hearthline`. */
  readonly domain?: string;
  readonly mail?: MailSettings;
  readonly portal?: string;
  /** Webhooks may go to http and to private addresses, whoever makes them; otherwise only the operator's may. */
  readonly privateWebhooks?: boolean;
}

/** What differs between the real world and the virtual one. */
export interface CloudPieces {
  readonly store: Store;
  readonly engineFor: EngineFor;
  /** Makes a sandbox for cloud halves; default: in this thread, counted in fuel, as the virtual world needs it. */
  readonly sandbox?: () => Sandbox;
  /** The softswitch as processes of its own; default: in this process. */
  readonly softswitch?: Part;
  /** The open API as a part: listening, or answering inside the process. */
  readonly openApi?: (farm: FarmControl) => Part;
  /** Parts are trusted not to change what they send and get over the bus; otherwise it is frozen, which costs time. */
  readonly trusting?: boolean;
}

export interface Cloud {
  readonly config: CloudConfig;
  readonly context: PartContext;
  readonly bus: InProcessBus;
  readonly farm: FarmControl;
  readonly operatorToken: string;
  /** Stops every part and closes the store; what must last is on disk. */
  stop(): Promise<void>;
}

export async function startCloud(world: World, settings: CloudSettings, pieces: CloudPieces): Promise<Cloud> {
  const publicHost = settings.publicHost ?? advertised(world, settings.sip.host);
  const domain = settings.domain ?? 'hearthline';
  const names = [
    ...new Set([
      publicHost,
      domain,
      ...(settings.mail?.domain === undefined ? [] : [settings.mail.domain]),
      'localhost',
      '127.0.0.1',
      '::1',
      ...[settings.http, settings.mqtt, settings.sips].map(({ host }) => host),
    ]),
  ].filter((name) => name !== '0.0.0.0' && name !== '::');
  const config: CloudConfig = {
    data: settings.data,
    http: settings.http,
    ...(settings.https === undefined ? {} : { https: settings.https }),
    mqtt: settings.mqtt,
    sip: settings.sip,
    sips: settings.sips,
    ...(settings.sipDns === undefined ? {} : { sipDns: settings.sipDns }),
    ...(settings.ws === undefined ? {} : { ws: settings.ws }),
    ...(settings.wss === undefined ? {} : { wss: settings.wss }),
    ...(settings.wsOrigins === undefined ? {} : { wsOrigins: settings.wsOrigins }),
    media: settings.media,
    ...(settings.holdMusic === undefined ? {} : { holdMusic: settings.holdMusic }),
    publicHost,
    domain,
    ...(await loadCredentials(world, settings.data, names)),
    ...(settings.mail === undefined ? {} : { mail: settings.mail }),
    ...(settings.portal === undefined ? {} : { portal: settings.portal }),
    ...(settings.privateWebhooks === true ? { privateWebhooks: true } : {}),
    bound: {},
  };
  const bus = createBus(world, { trusting: pieces.trusting === true });
  const context: PartContext = { world, bus, store: pieces.store, config };
  const operatorToken = await loadOperatorToken(world, settings.data);
  await ensureOperatorToken(pieces.store, world, operatorToken);
  const servers = farm(pieces.engineFor, pieces.softswitch);
  const supervisor = new Supervisor(context, servers);
  const control: FarmControl = {
    list: () => supervisor.list(),
    stop: (name) => supervisor.stopServer(name),
    start: (name) => supervisor.startServer(name),
  };
  const sandbox = pieces.sandbox === undefined ? {} : { sandbox: pieces.sandbox };
  const applications = [createECenter({ ...sandbox, services: shippedServices }), createAppHost(sandbox)];
  const openApi = pieces.openApi ?? ((farm: FarmControl) => createOpenApi({ farm }));
  try {
    await supervisor.start([...servers, sessionManager, gatewayEdge, ...applications, openApi(control)]);
  } catch (error) {
    await pieces.store.close();
    throw error;
  }
  const endRenewals = renewInTime(context, names);
  return {
    config,
    context,
    bus,
    farm: control,
    operatorToken,
    async stop() {
      endRenewals();
      await supervisor.stop();
      await pieces.store.close();
    },
  };
}

/** The token that lasts as long as the data folder. */
async function loadOperatorToken(world: World, folder: string): Promise<string> {
  const path = `${folder}/operator-token`;
  const kept = await world.disk.read(path);
  if (kept !== undefined) return latin1(kept).trim();
  const token = `hlop_${base32(world.random.bytes(25))}`;
  await world.disk.write(path, fromLatin1(`${token}\n`));
  return token;
}

/** A bound address says itself; one that listens everywhere is known by its first address that others can reach. */
function advertised(world: World, host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const family = host === '::' ? 6 : 4;
  const own = world.net.addresses().find((address) => !address.loopback && address.family === family);
  return own?.host ?? (family === 6 ? '::1' : '127.0.0.1');
}
