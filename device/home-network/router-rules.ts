/** The firewall of a plan as rules of nftables. Pure. */
import type { RouterPlan } from './router.ts';

/** What the house may reach on the gateway itself. */
export const HOUSE_SERVICES = {
  /** Names, SIP, the local page. */
  tcp: [53, 80, 5060],
  /** Names, addresses, SSDP, SIP, mDNS. */
  udp: [53, 67, 1900, 5060, 5353],
  media: [20_000, 29_999],
} as const;
/** Of these only a router has something to offer. */
const ROUTER_ONLY = new Set<number>([53, 67]);

/** Who counts as being in the same house where the port itself does not say so (RFC 1918, 3927, 4193, 4291). */
const PRIVATE4 = '10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16';
const PRIVATE6 = 'fe80::/10, fc00::/7';

/** The rules: closed towards the uplinks of a router; in somebody else's LAN open for what phones need, to private addresses only. */
export function firewallRules({ role, uplinks }: RouterPlan): string {
  const out = `{ ${uplinks.map(({ port }) => `"${port}"`).join(', ')} }`;
  const house =
    role === 'router'
      ? ['iifname "br-lan" jump house']
      : [`iifname ${out} ip saddr { ${PRIVATE4} } jump house`, `iifname ${out} ip6 saddr { ${PRIVATE6} } jump house`];
  const input = [
    'type filter hook input priority filter; policy drop;',
    'iif lo accept',
    'ct state vmap { established : accept, related : accept, invalid : drop }',
    `iifname ${out} udp sport 67 udp dport 68 accept`,
    `iifname ${out} ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept`,
    // Without these IPv6 does not work at all (RFC 4890, section 4.4).
    'icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept',
    'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept',
    'ip6 saddr fe80::/10 icmpv6 type { mld-listener-query, mld-listener-report, mld2-listener-report } accept',
    ...house,
  ];
  const chains = [chain('input', input), chain('house', houseRules(role)), chain('forward', forwardRules(role, out))];
  if (role === 'router')
    chains.push(
      chain('postrouting', [
        'type nat hook postrouting priority srcnat; policy accept;',
        `oifname ${out} meta nfproto ipv4 masquerade`,
      ]),
    );
  return `flush ruleset\ntable inet hearthline {\n${chains.join('\n')}\n}\n`;
}

function houseRules(role: RouterPlan['role']): string[] {
  const offered = (ports: readonly number[]) =>
    ports.filter((port) => role === 'router' || !ROUTER_ONLY.has(port)).join(', ');
  const [low, high] = HOUSE_SERVICES.media;
  return [
    `tcp dport { ${offered(HOUSE_SERVICES.tcp)} } accept`,
    `udp dport { ${offered(HOUSE_SERVICES.udp)}, ${low}-${high} } accept`,
    // Answers to a search by multicast come from an address that nothing was sent to: no connection tracking knows them.
    'udp sport { 1900, 5353 } udp dport 32768-60999 accept',
    'icmp type echo-request limit rate 20/second accept',
    'icmpv6 type echo-request limit rate 20/second accept',
    'meta l4proto igmp accept',
  ];
}

function forwardRules(role: RouterPlan['role'], out: string): string[] {
  const hook = 'type filter hook forward priority filter; policy drop;';
  if (role === 'client') return [hook];
  return [
    hook,
    // A provider's line often carries less than Ethernet does, and says so only to who asks.
    `oifname ${out} tcp flags syn / syn,rst tcp option maxseg size set rt mtu`,
    'ct state vmap { established : accept, related : accept, invalid : drop }',
    `iifname "br-lan" oifname ${out} accept`,
    'iifname "br-lan" oifname "br-lan" accept',
  ];
}

function chain(name: string, rules: readonly string[]): string {
  return `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }`;
}
