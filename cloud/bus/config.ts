/** Settings of the cloud as the composition root hands them to every part (flags and defaults: `hearthline cloud --help`). */
import type { Address } from '#shared/kernel/world.ts';

/** Where mail comes in and goes out; an address that is left out is not opened. */
export interface MailSettings {
  /** Domain of the mailboxes; default the SIP domain. */
  readonly domain?: string;
  /** Where other servers bring mail. */
  readonly smtp?: Address;
  /** Where people's mail programs send. */
  readonly submission?: Address;
  /** `smtp://host:port`: what takes mail for other domains. */
  readonly relay?: string;
  /** Without a relay: other domains' own servers are asked. */
  readonly mx?: boolean;
  /** DNS server (`host:port`) for mail; default the system's. */
  readonly dns?: string;
}

export interface CloudConfig {
  /** Folder of everything that lasts. */
  readonly data: string;
  readonly http: Address;
  readonly https?: Address;
  readonly mqtt: Address;
  readonly sip: Address;
  readonly sips: Address;
  /** DNS server by which names of trunks are found (RFC 3263); default: as the system knows names, addresses alone. */
  readonly sipDns?: Address;
  /** SIP over WebSockets, in the clear and over TLS; an address that is left out is not opened. */
  readonly ws?: Address;
  readonly wss?: Address;
  /** Origins of pages (`https://host:port`) that may open one, beside those of our own names. */
  readonly wsOrigins?: readonly string[];
  readonly media: { readonly host: string; readonly low: number; readonly high: number };
  /** WAV file for who is put on hold; default: a piece of the library. `none`: nobody hears music. */
  readonly holdMusic?: string;
  /** The address that SDP, Contact and the gateways' documents carry. */
  readonly publicHost: string;
  /** SIP domain and digest realm. */
  readonly domain: string;
  /** The operator's authority: PEM of certificate and key, and a server certificate made by it. */
  readonly authority: { readonly certificate: string; readonly key: string; readonly keyHash: string };
  readonly server: { readonly certificate: string; readonly key: string };
  /** Webhooks may go to http and to private addresses, whoever makes them. */
  readonly privateWebhooks?: boolean;
  readonly mail?: MailSettings;
  /** Folder of the built portal; absent in the virtual world. */
  readonly portal?: string;
  /** Addresses really bound, filled in by the parts as they listen (port 0 becomes a number). */
  readonly bound: {
    http?: string;
    https?: string;
    mqtt?: Address;
    sipUdp?: Address;
    sipTcp?: Address;
    sips?: Address;
    ws?: Address;
    wss?: Address;
    smtp?: Address;
    submission?: Address;
    /** The softswitch's processes where there are several; the first one's addresses stand above too. */
    softswitches?: readonly (Pick<CloudConfig['bound'], 'sipUdp' | 'sipTcp' | 'sips' | 'ws' | 'wss'> & {
      readonly pid: number;
      /** It has ended and has not come again for a while. */
      readonly gone?: true;
    })[];
  };
}

/** The domain of the mailboxes, in lower case. */
export function mailDomainOf({ mail, domain }: Pick<CloudConfig, 'mail' | 'domain'>): string {
  return (mail?.domain ?? domain ?? 'hearthline').toLowerCase();
}
