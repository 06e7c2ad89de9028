/** What a stage stands on: the same questions to either world. */
import type { Cloud } from '#cloud/main.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Address, Clock, World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';

/** A host as its programs see it. */
export interface GroundHost {
  readonly world: World;
  /** Its own address. */
  readonly address: string;
  /** Takes everything that it has open off the network; the others are not told. */
  cut(): void;
}

/** What the two worlds do differently. `C` is the cloud as this ground has it. */
export interface Ground<C = Cloud> {
  readonly clock: Clock;
  /** A host; `beside`: on the LAN of that host. The same name again is the same host. */
  host(name: string, beside?: string): GroundHost;
  /** Starts the cloud; the same data again finds the same store. */
  start(): Promise<C>;
  /** Stops it as SIGTERM does. */
  stop(cloud: C): Promise<void>;
  /** Stops it as SIGKILL does. */
  kill(cloud: C): Promise<void>;
  /** Folder for the state of a gateway. */
  folder(name: string): string;
  engine(world: World): Promise<MediaEngine>;
  /** Where gateways find the cloud. */
  url(cloud: C): string;
  /** Where phones that register straight at the softswitch find it, over UDP. */
  sip(cloud: C): Address;
  /** The operator's authority, PEM; and the names that the cloud's certificate holds. */
  authority(cloud: C): Promise<{ readonly certificate: string; readonly key: string }>;
  names(cloud: C): readonly string[];
  /** Where gateways connect, and the octets of memory that the cloud holds, where somebody knows. */
  mqtt(cloud: C): Address;
  memory(cloud: C): number | undefined;
  /** Tells the cloud's addresses from those in the house. */
  isWan(to: Address): boolean;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until the condition holds; throws after `limit` ms. */
  until(condition: () => boolean | Promise<boolean>, limit: number, what: string): Promise<void>;
  /** Lets time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Calls the open API. */
  request(
    cloud: C,
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

/** What is put into a cloud's store before it starts for the first time. */
export type Prepare = (
  world: World,
  store: Store,
  authority: { readonly certificate: string; readonly key: string },
) => Promise<void>;

export interface StageLine {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password?: string; readonly domain: string };
}
