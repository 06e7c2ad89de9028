/**
 * What the gateway's image does with its ports: which leads to the internet, which are the house's, and what the radio does. Pure;
 * `router-files.ts` turns the plan into the files of systemd-networkd, nftables, dnsmasq, hostapd and wpa_supplicant.
 */
import type { ImageSettings } from '#shared/protocol/image-settings.ts';

/** A port that leads out of the gateway's own network. */
export interface Uplink {
  readonly port: string;
  /** The kernel prefers routes with a smaller one. */
  readonly metric: number;
  /** Instead of DHCP. */
  readonly fixed?: { readonly address: string; readonly gateway: string; readonly dns: readonly string[] };
}

export type WifiPlan =
  | { readonly at: 'off' }
  | {
      readonly at: 'client';
      readonly port: string;
      readonly ssid: string;
      /** A passphrase, or the 64 digits of a key. */
      readonly password: string;
      readonly hidden: boolean;
    }
  | {
      readonly at: 'access-point';
      readonly port: string;
      readonly ssid: string;
      readonly password: string;
      readonly hidden: boolean;
      readonly channel: number;
      /** The radio can do WPA3 (SAE) beside WPA2. */
      readonly sae: boolean;
    };

export interface RouterPlan {
  /** `router`: the house's LAN is ours. `client`: we are a guest in a LAN that is there, and hand out no addresses. */
  readonly role: 'router' | 'client';
  readonly uplinks: readonly Uplink[];
  readonly lan: {
    /** The gateway's own address, in a network of 24 bits. */
    readonly address: string;
    /** The house's own IPv6 network (RFC 4193), 48 bits as `fdxx:xxxx:xxxx`. */
    readonly ula: string;
  };
  readonly wifi: WifiPlan;
  readonly country: string;
  /** Time servers asked before all others. */
  readonly ntp: readonly string[];
}

/** What is made once for each gateway and kept on its data partition, so that no two gateways share it. */
export interface KeptNetwork {
  readonly ula: string;
  readonly ssid: string;
  readonly password: string;
}

/** The ports that the kernel shows. */
export interface Ports {
  /** Such as `eth0`, in any order. */
  readonly ethernet: readonly string[];
  readonly radio?: { readonly port: string; readonly driver: string };
}

/** Octets of randomness that `newKeptNetwork` takes. */
export const KEPT_OCTETS = 24;
/** 32 letters and digits that nobody mixes up, for a passphrase typed by hand. */
const LETTERS = 'abcdefghjkmnpqrstuvwxyz023456789';
export const LAN_ADDRESS = '192.168.77.1';
/** Drivers whose firmware makes no WPA3 access point. */
const WITHOUT_SAE = new Set(['brcmfmac']);
const CHANNEL = 6;

/** Makes a gateway's own passphrase (80 bits), Wi-Fi name and IPv6 network out of `KEPT_OCTETS` random octets. */
export function newKeptNetwork(random: Uint8Array): KeptNetwork {
  const hex = (from: number, to: number) =>
    [...random.subarray(from, to)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  const letters = [...random.subarray(8, 24)].map((octet) => LETTERS.charAt(octet % LETTERS.length)).join('');
  return {
    ula: `fd${hex(0, 1)}:${hex(1, 3)}:${hex(3, 5)}`,
    ssid: `Hearthline-${hex(5, 7).toUpperCase()}`,
    password: (letters.match(/.{4}/g) ?? []).join('-'),
  };
}

/** The plan that settings, ports and what is kept give; whatever is not said has a default that harms no LAN that is there. */
export function planRouter(settings: ImageSettings, ports: Ports, kept: KeptNetwork): RouterPlan {
  const { network = {}, wifi, country = '00', ntp = [] } = settings;
  const ethernet = [...ports.ethernet].sort();
  const radio = wifiPlan(wifi, ports, kept);
  const role = network.role ?? (ethernet.length > 1 || radio.at === 'access-point' ? 'router' : 'client');
  const wan = network.wan ?? ethernet[0] ?? ports.radio?.port ?? 'eth0';
  const fixed =
    network.address === undefined || network.gateway === undefined
      ? undefined
      : { address: network.address, gateway: network.gateway, dns: network.dns ?? [] };
  const main: Uplink = { port: wan, metric: 100, ...(fixed === undefined ? {} : { fixed }) };
  const second =
    role === 'client'
      ? [...ethernet, ...(radio.at === 'client' ? [radio.port] : [])]
      : radio.at === 'client'
        ? [radio.port]
        : [];
  return {
    role,
    uplinks: [main, ...second.filter((port) => port !== wan).map((port, index) => ({ port, metric: 600 + index }))],
    lan: { address: LAN_ADDRESS, ula: kept.ula },
    wifi: radio,
    country,
    ntp,
  };
}

function wifiPlan(wifi: ImageSettings['wifi'], ports: Ports, kept: KeptNetwork): WifiPlan {
  const { radio } = ports;
  if (wifi === undefined || wifi.mode === 'off' || radio === undefined) return { at: 'off' };
  const { ssid, password, hidden = false, channel = CHANNEL } = wifi;
  if (wifi.mode === 'client') {
    if (ssid === undefined || typeof password !== 'string') return { at: 'off' };
    return { at: 'client', port: radio.port, ssid, password, hidden };
  }
  return {
    at: 'access-point',
    port: radio.port,
    ssid: ssid ?? kept.ssid,
    password: password ?? kept.password,
    hidden,
    channel,
    sae: !WITHOUT_SAE.has(radio.driver),
  };
}
