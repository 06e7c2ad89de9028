import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ImageSettings } from '#shared/protocol/image-settings.ts';
import { seed } from '#test/support/seed.ts';
import { KEPT_OCTETS, newKeptNetwork, type Ports, planRouter } from './router.ts';
import { routerFiles } from './router-files.ts';

const kept = newKeptNetwork(new Uint8Array(KEPT_OCTETS).map((_, i) => i * 11));
const one: Ports = { ethernet: ['eth0'] };
const two: Ports = { ethernet: ['eth1', 'eth0'] };
const pi: Ports = { ethernet: ['eth0'], radio: { port: 'wlan0', driver: 'brcmfmac' } };
const ap: ImageSettings = { country: 'DE', wifi: { mode: 'access-point' } };
const guest: ImageSettings = { country: 'DE', wifi: { mode: 'client', ssid: 'Their net', password: 'their secret' } };

const planned = (settings: ImageSettings, ports: Ports) => {
  const { role, uplinks, wifi } = planRouter(settings, ports, kept);
  return `${role}: ${uplinks.map(({ port }) => port).join(' ')}; wifi ${wifi.at}`;
};

test.each<[string, ImageSettings, Ports, string]>([
  ['one port is a guest in a LAN that is there', {}, one, 'client: eth0; wifi off'],
  ['two ports make a router, the first one to the internet', {}, two, 'router: eth0; wifi off'],
  ['the other port to the internet', { network: { wan: 'eth1' } }, two, 'router: eth1; wifi off'],
  ['two ports of a guest', { network: { role: 'client' } }, two, 'client: eth0 eth1; wifi off'],
  ['an access point makes a router', ap, pi, 'router: eth0; wifi access-point'],
  ['Wi-Fi beside the cable', guest, pi, 'client: eth0 wlan0; wifi client'],
  [
    'Wi-Fi to the internet, the port to the house',
    { ...guest, network: { role: 'router', wan: 'wlan0' } },
    pi,
    'router: wlan0; wifi client',
  ],
  [
    'Wi-Fi to the internet, nothing said of the port',
    { ...guest, network: { wan: 'wlan0' } },
    pi,
    'client: wlan0 eth0; wifi client',
  ],
  ['no radio', ap, one, 'client: eth0; wifi off'],
  [
    'a board without a port',
    guest,
    { ethernet: [], radio: { port: 'wlan0', driver: 'brcmfmac' } },
    'client: wlan0; wifi client',
  ],
  [
    'a network whose password is gone',
    { ...guest, wifi: { mode: 'client', ssid: 'x', password: null } },
    pi,
    'client: eth0; wifi off',
  ],
])('%s', (_, settings, ports, expected) => {
  expect(planned(settings, ports)).toBe(expected);
});

test('every gateway keeps its own passphrase, name and network', () => {
  expect(kept.password).toMatch(/^[a-z2-9]{4}(-[a-z2-9]{4}){3}$/);
  expect(kept.ula).toMatch(/^fd[0-9a-f]{2}(:[0-9a-f]{4}){2}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.uint8Array({ minLength: KEPT_OCTETS, maxLength: KEPT_OCTETS }), {
        selector: (octets) => octets.map((octet, i) => (i < 8 ? 0 : octet % 32)).join(),
        minLength: 2,
        maxLength: 2,
      }),
      ([a, b]) => {
        expect(newKeptNetwork(a!).password).not.toBe(newKeptNetwork(b!).password);
      },
    ),
    { seed },
  );
  expect(planRouter(ap, pi, kept).wifi).toMatchObject({ ssid: kept.ssid, password: kept.password });
});

const filesOf = (settings: ImageSettings, ports: Ports) =>
  new Map(routerFiles(planRouter(settings, ports, kept)).map((file) => [file.path, file]));

test('a guest hands out nothing: no addresses, no names, no bridge, no forwarding', () => {
  const files = filesOf({}, one);
  expect([...files.keys()]).toEqual(['/run/systemd/network/10-uplink.network', '/run/hearthline/net/rules.nft']);
  const rules = files.get('/run/hearthline/net/rules.nft')?.text ?? '';
  expect(rules).not.toMatch(/masquerade|dport \{[^}]*\b(?:53|67)\b/);
  expect(rules).toContain('iifname { "eth0" } ip saddr { 10.0.0.0/8');
});

test('a router tells phones their server, keeps the house’s names to itself, and asks for a network to hand on', () => {
  const files = filesOf({}, two);
  const text = (path: string) => files.get(`/run/${path}`)?.text;
  expect(text('hearthline/net/dnsmasq.conf')).toContain('\ndhcp-option=option:sip-server,192.168.77.1\n');
  expect(text('hearthline/net/dnsmasq.conf')).toContain('\ndomain=home.arpa\nlocal=/home.arpa/\n');
  expect(text('systemd/network/10-uplink.network')).toContain('\nPrefixDelegationHint=::/56\n');
  expect(text('systemd/network/20-lan.network')).toMatch(/\nDHCPPrefixDelegation=yes\n[\s\S]*\nAnnounce=yes\n/);
  expect(filesOf({}, one).get('/run/systemd/network/10-uplink.network')?.text).toContain('\nUseDelegatedPrefix=no\n');
});

test('a router is closed towards every uplink', () => {
  const rules = filesOf({ ...guest, network: { role: 'router' } }, pi).get('/run/hearthline/net/rules.nft')?.text ?? '';
  const jumps = rules.split('\n').filter((line) => line.includes('jump house'));
  expect(jumps.map((line) => line.trim())).toEqual(['iifname "br-lan" jump house']);
  const accepting = rules.split('\n').filter((line) => /iifname \{ "eth0", "wlan0" \}.*(?:accept|jump)/.test(line));
  expect(accepting.map((line) => line.trim())).toEqual([
    'iifname { "eth0", "wlan0" } udp sport 67 udp dport 68 accept',
    'iifname { "eth0", "wlan0" } ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
  ]);
});

test('secrets are readable by root alone', () => {
  for (const settings of [ap, guest])
    for (const [path, { mode, text }] of filesOf(settings, pi))
      expect(/their secret|[a-z2-9]{4}(-[a-z2-9]{4}){3}/.test(text) ? [path, mode] : [path, 0o600]).toEqual([
        path,
        0o600,
      ]);
});

test('WPA3 is offered where the radio can make it', () => {
  const hostapd = (driver: string) =>
    filesOf(ap, { ethernet: ['eth0'], radio: { port: 'wlan0', driver } }).get('/run/hearthline/net/hostapd.conf')?.text;
  expect(hostapd('mac80211_hwsim')).toContain('wpa_key_mgmt=WPA-PSK SAE\nieee80211w=1\n');
  expect(hostapd('brcmfmac')).toContain('wpa_key_mgmt=WPA-PSK\nieee80211w=0\n');
});

test('a static address takes the place of DHCP', () => {
  const network = { address: '192.0.2.5/24', gateway: '192.0.2.1', dns: ['192.0.2.1', '192.0.2.2'] };
  const text =
    filesOf({ network, ntp: ['time.example'] }, one).get('/run/systemd/network/10-uplink.network')?.text ?? '';
  expect(text).toContain('Address=192.0.2.5/24\nGateway=192.0.2.1\nDNS=192.0.2.1\nDNS=192.0.2.2\n');
  expect(text).not.toContain('DHCP=yes');
});

test('no name or password writes a line of its own', () => {
  const word = fc.string({
    unit: fc.constantFrom('"', '\\', '#', '}', ' ', '=', 'ä', 'x'),
    minLength: 8,
    maxLength: 16,
  });
  fc.assert(
    fc.property(word, word, (ssid, raw) => {
      const password = raw.replace(/ä/g, 'a');
      const client = filesOf({ country: 'DE', wifi: { mode: 'client', ssid, password } }, pi).get(
        '/run/hearthline/net/wpa.conf',
      )?.text;
      const point = filesOf({ country: 'DE', wifi: { mode: 'access-point', ssid, password } }, pi).get(
        '/run/hearthline/net/hostapd.conf',
      )?.text;
      expect(client?.split('\n')).toHaveLength(9);
      expect(client).toContain(`  psk="${password}"\n`);
      expect(point).toContain(`\nwpa_passphrase=${password}\n`);
      expect(point).toMatch(/\nssid2=[0-9a-f]{16,}\n/);
    }),
    { seed },
  );
});
