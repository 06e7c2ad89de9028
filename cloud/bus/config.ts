/** Settings of the cloud as the composition root hands them to every part (flags and defaults: `hearthline cloud --help`). */
import type { Address } from '#shared/kernel/world.ts';

export interface CloudConfig {
  /** Folder of everything that lasts. */
  readonly data: string;
  readonly http: Address;
  readonly https?: Address;
  readonly mqtt: Address;
  readonly sip: Address;
  readonly sips: Address;
  readonly media: { readonly host: string; readonly low: number; readonly high: number };
  /** The address that SDP, Contact and the gateways' documents carry. */
  readonly publicHost: string;
  /** SIP domain and digest realm. */
  readonly domain: string;
  /** The operator's authority: PEM of certificate and key, and a server certificate made by it. */
  readonly authority: { readonly certificate: string; readonly key: string; readonly keyHash: string };
  readonly server: { readonly certificate: string; readonly key: string };
  /** Folder of the built portal; absent in the virtual world. */
  readonly portal?: string;
  /** Addresses really bound, filled in by the parts as they listen (port 0 becomes a number). */
  readonly bound: { http?: string; https?: string; mqtt?: Address; sipUdp?: Address; sipTcp?: Address; sips?: Address };
}
