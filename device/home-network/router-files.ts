/** The plan of a router as files of the programs that carry it out. Pure; `router-rules.ts` has the firewall. */
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import type { RouterPlan, Uplink, WifiPlan } from './router.ts';
import { firewallRules } from './router-rules.ts';

/** A file to be written before the network starts; everything stands below /run, so that nothing outlives the boot. */
export interface RouterFile {
  readonly path: string;
  /** Permissions; the owner is root. */
  readonly mode: number;
  readonly text: string;
}

const NETWORKD = '/run/systemd/network';
/** Where our own units look; a unit whose file is not there does not start. */
export const ROUTER_FOLDER = '/run/hearthline/net';
export const BRIDGE = 'br-lan';
/** Where dnsmasq keeps who has which address. */
export const LEASES = '/data/lib/dnsmasq/leases';

/** All files of a plan. */
export function routerFiles(plan: RouterPlan): RouterFile[] {
  const open = (path: string, text: string): RouterFile => ({ path, mode: 0o644, text });
  const secret = (path: string, text: string): RouterFile => ({ path, mode: 0o600, text });
  const files = [
    ...plan.uplinks.map((uplink, index) => open(`${NETWORKD}/1${index}-uplink.network`, uplinkNetwork(uplink, plan))),
    open(`${ROUTER_FOLDER}/rules.nft`, firewallRules(plan)),
  ];
  if (plan.ntp.length > 0)
    files.push(open('/run/systemd/timesyncd.conf.d/10-settings.conf', `[Time]\nNTP=${plan.ntp.join(' ')}\n`));
  if (plan.role === 'router')
    files.push(
      open(`${NETWORKD}/20-lan.netdev`, bridgeDevice()),
      open(`${NETWORKD}/20-lan.network`, bridgeNetwork(plan)),
      open(`${NETWORKD}/30-lan-port.network`, lanPort()),
      open('/run/systemd/networkd.conf.d/10-router.conf', '[Network]\nIPv4Forwarding=yes\nIPv6Forwarding=yes\n'),
      open(`${ROUTER_FOLDER}/dnsmasq.conf`, dnsmasqConf(plan)),
    );
  if (plan.wifi.at === 'client') files.push(secret(`${ROUTER_FOLDER}/wpa.conf`, wpaConf(plan.wifi, plan.country)));
  if (plan.wifi.at === 'access-point')
    files.push(secret(`${ROUTER_FOLDER}/hostapd.conf`, hostapdConf(plan.wifi, plan.country)));
  return files;
}

const lines = (...parts: readonly (string | readonly string[])[]) => `${parts.flat().join('\n')}\n`;

function uplinkNetwork({ port, metric, fixed }: Uplink, { role }: RouterPlan): string {
  const address =
    fixed === undefined
      ? ['DHCP=yes']
      : [`Address=${fixed.address}`, `Gateway=${fixed.gateway}`, ...fixed.dns.map((one) => `DNS=${one}`)];
  return lines(
    ['[Match]', `Name=${port}`, '', '[Link]', 'RequiredForOnline=no', '', '[Network]', ...address],
    ['IPv6AcceptRA=yes', 'LinkLocalAddressing=ipv6', 'LLMNR=no', 'MulticastDNS=no', 'IPv6PrivacyExtensions=no'],
    ['', '[DHCPv4]', `RouteMetric=${metric}`, 'ClientIdentifier=mac', 'UseHostname=no', 'UseDomains=no', 'UseNTP=yes'],
    // A router asks for a network of the provider's to hand on (RFC 8415, section 6.3).
    ['', '[DHCPv6]', ...(role === 'router' ? ['PrefixDelegationHint=::/56'] : ['UseDelegatedPrefix=no'])],
    ['', '[IPv6AcceptRA]', `RouteMetric=${metric}`, 'UseDomains=no'],
  );
}

function bridgeDevice(): string {
  return lines(
    ['[NetDev]', `Name=${BRIDGE}`, 'Kind=bridge', ''],
    // Two ports on the same switch must not make a storm.
    ['[Bridge]', 'STP=yes', 'ForwardDelaySec=2', 'HelloTimeSec=1'],
  );
}

function bridgeNetwork({ lan }: RouterPlan): string {
  return lines(
    ['[Match]', `Name=${BRIDGE}`, '', '[Link]', 'RequiredForOnline=no', '', '[Network]'],
    [
      `Address=${lan.address}/24`,
      `Address=${lan.ula}::1/64`,
      'ConfigureWithoutCarrier=yes',
      'LinkLocalAddressing=ipv6',
    ],
    ['IPv6AcceptRA=no', 'IPv6SendRA=yes', 'DHCPPrefixDelegation=yes', 'LLMNR=no', 'MulticastDNS=no'],
    ['', '[IPv6SendRA]', 'EmitDNS=yes', `DNS=${lan.ula}::1`, 'EmitDomains=yes', 'Domains=home.arpa'],
    ['', '[IPv6Prefix]', `Prefix=${lan.ula}::/64`],
    ['', '[DHCPPrefixDelegation]', 'UplinkInterface=:auto', 'Announce=yes', 'Token=static:::1'],
  );
}

/** Every other Ethernet port, also one that is plugged in later, is the house's. */
function lanPort(): string {
  return lines(
    ['[Match]', 'Type=ether', 'Kind=!*', 'Name=eth*', '', '[Link]', 'RequiredForOnline=no'],
    ['', '[Network]', `Bridge=${BRIDGE}`, 'LinkLocalAddressing=no', 'LLMNR=no', 'MulticastDNS=no'],
  );
}

function dnsmasqConf({ lan }: RouterPlan): string {
  const net = lan.address.slice(0, lan.address.lastIndexOf('.'));
  return lines(
    ['user=dnsmasq', 'group=dnsmasq', `interface=${BRIDGE}`, 'except-interface=lo', 'bind-dynamic'],
    ['pid-file=/run/hearthline-dnsmasq/pid'],
    // The house's names (RFC 8375) are answered here and nowhere else; private addresses are not asked for outside.
    ['no-hosts', 'domain=home.arpa', 'local=/home.arpa/', 'domain-needed', 'bogus-priv', 'stop-dns-rebind'],
    [`host-record=gateway.home.arpa,${lan.address},${lan.ula}::1`, 'resolv-file=/run/systemd/resolve/resolv.conf'],
    ['cache-size=1000', 'dns-forward-max=150'],
    [`dhcp-range=${net}.50,${net}.249,255.255.255.0,12h`, 'dhcp-authoritative', 'dhcp-lease-max=200'],
    [`dhcp-leasefile=${LEASES}`],
    // Phones find their server by this (RFC 3361).
    [`dhcp-option=option:sip-server,${lan.address}`],
  );
}

/** Names go as hexadecimal digits: no letter of theirs can end a line or a quotation. */
const ssidHex = (ssid: string) => hex(utf8(ssid));

function hostapdConf(wifi: Extract<WifiPlan, { at: 'access-point' }>, country: string): string {
  const fast = wifi.channel > 14;
  return lines(
    [`interface=${wifi.port}`, `bridge=${BRIDGE}`, 'driver=nl80211', `ssid2=${ssidHex(wifi.ssid)}`, 'utf8_ssid=1'],
    [`country_code=${country}`, 'ieee80211d=1', `hw_mode=${fast ? 'a' : 'g'}`, `channel=${wifi.channel}`],
    ['ieee80211n=1', ...(fast ? ['ieee80211ac=1'] : []), 'wmm_enabled=1'],
    [`ignore_broadcast_ssid=${wifi.hidden ? 1 : 0}`, 'auth_algs=1', 'wpa=2', 'rsn_pairwise=CCMP'],
    [`wpa_key_mgmt=WPA-PSK${wifi.sae ? ' SAE' : ''}`, `ieee80211w=${wifi.sae ? 1 : 0}`],
    wifi.sae ? ['sae_require_mfp=1'] : [],
    [`wpa_passphrase=${wifi.password}`],
  );
}

function wpaConf({ ssid, password, hidden }: Extract<WifiPlan, { at: 'client' }>, country: string): string {
  const key = /^[0-9a-fA-F]{64}$/.test(password);
  const secret = key ? `psk=${password}` : `psk="${password}"`;
  return lines(
    [`country=${country}`, 'update_config=0', 'network={', `  ssid=${ssidHex(ssid)}`, `  ${secret}`],
    [
      `  key_mgmt=WPA-PSK WPA-PSK-SHA256${key ? '' : ' SAE'}`,
      '  ieee80211w=1',
      ...(hidden ? ['  scan_ssid=1'] : []),
      '}',
    ],
  );
}
