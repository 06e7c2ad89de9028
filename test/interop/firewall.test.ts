/** The image's firewall in the kernel: what answers from the internet, from the house, and from a LAN that we are a guest in. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newKeptNetwork, planRouter } from '#device/home-network/router.ts';
import { routerFiles } from '#device/home-network/router-files.ts';
import type { ImageSettings } from '#shared/protocol/image-settings.ts';
import { hasNamespaces, hasProgram } from '../peers.ts';
import { eventually, Namespaces } from './netns.ts';

const TCP = [22, 53, 80, 443, 5060, 8080];
const UDP = [53, 67, 123, 1900, 5060, 5353, 19_999, 20_000, 29_999, 30_000, 40_000];

/** Answers on every port, over both families, and tells who asked. */
const LISTENER = `
const from = (peer) => String(peer).replace('::ffff:', '');
for (const port of ${JSON.stringify(TCP)})
  require('node:net').createServer((socket) => socket.on('error', () => {}).end(from(socket.remoteAddress))).listen(port, '::');
for (const port of ${JSON.stringify(UDP)}) {
  const socket = require('node:dgram').createSocket('udp6').bind(port, '::');
  socket.on('message', (_, peer) => socket.send(from(peer.address), peer.port, peer.address));
}
setTimeout(() => console.log('up'), 100);
`;

/** Asks every port of some hosts at once; prints for each which answered within 1.5 s, and what. */
const PROBE = `
const answers = {}, open = [];
for (const host of process.argv.slice(1)) {
  const found = answers[host] = {};
  const hear = (key) => (data) => { found[key] = String(data); };
  for (const port of ${JSON.stringify(TCP)}) {
    const socket = require('node:net').connect(port, host).on('error', () => {}).on('data', hear('tcp ' + port));
    open.push(() => socket.destroy());
  }
  for (const port of ${JSON.stringify(UDP)}) {
    const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4').on('error', () => {}).on('message', hear('udp ' + port));
    socket.send('x', port, host);
    open.push(() => socket.close());
  }
}
setTimeout(() => { for (const close of open) close(); console.log(JSON.stringify(answers)); }, 1500);
`;

/** A gateway with these settings between the internet and a house; every host answers on every port. */
async function stage(ns: Namespaces, settings: ImageSettings, ports: readonly string[]): Promise<void> {
  for (const host of ['net', 'gw', 'house']) ns.add(host);
  ns.cable(
    { host: 'net', as: 'eth0', address: '198.51.100.1/24' },
    { host: 'gw', as: 'eth0', address: '198.51.100.2/24' },
  );
  ns.cable(
    { host: 'house', as: 'eth0', address: '192.168.77.9/24' },
    { host: 'gw', as: 'br-lan', address: '192.168.77.1/24' },
  );
  const extra: readonly (readonly [string, string, string])[] = [
    ['net', 'eth0', '10.1.2.1/24'],
    ['gw', 'eth0', '10.1.2.2/24'],
    ['net', 'eth0', '2001:db8::1/64'],
    ['gw', 'eth0', '2001:db8::2/64'],
    ['house', 'eth0', 'fd00:77::9/64'],
    ['gw', 'br-lan', 'fd00:77::1/64'],
  ];
  for (const [host, port, address] of extra)
    ns.within(host, 'ip', 'address', 'add', address, 'dev', port, ...(address.includes(':') ? ['nodad'] : []));
  ns.within('house', 'ip', 'route', 'add', 'default', 'via', '192.168.77.1');
  ns.within('net', 'ip', 'route', 'add', '192.168.77.0/24', 'via', '198.51.100.2');
  ns.within('gw', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  const plan = planRouter(settings, { ethernet: ports }, newKeptNetwork(new Uint8Array(24)));
  const rules = join(ns.folder, 'rules.nft');
  writeFileSync(rules, routerFiles(plan).find(({ path }) => path.endsWith('/rules.nft'))?.text ?? '');
  ns.within('gw', 'nft', '-f', rules);
  let up = 0;
  for (const host of ['net', 'gw', 'house'])
    ns.start(host, 'bin/node', ['-e', LISTENER]).stdout?.on('data', () => {
      up++;
    });
  await eventually(() => up === 3, 10_000, 'listeners');
}

/** What answered at some hosts, in the order asked. */
function probe(ns: Namespaces, from: string, ...hosts: readonly string[]): Record<string, string>[] {
  const answers = JSON.parse(ns.within(from, 'bin/node', '-e', PROBE, ...hosts)) as Record<
    string,
    Record<string, string>
  >;
  return hosts.map((host) => answers[host] ?? {});
}
const ports = (answers: Record<string, string> | undefined) => Object.keys(answers ?? {}).sort();

describe.skipIf(!(hasNamespaces() && hasProgram('nft')))('the firewall of the image', () => {
  it('a router answers its house and nobody else, and hides the house', async () => {
    await using ns = new Namespaces();
    await stage(ns, {}, ['eth0', 'eth1']);
    const services = [
      'tcp 5060',
      'tcp 53',
      'tcp 80',
      'udp 1900',
      'udp 20000',
      'udp 29999',
      'udp 5060',
      'udp 53',
      'udp 5353',
      'udp 67',
    ];
    const [four, six, outside = {}] = probe(ns, 'house', '192.168.77.1', 'fd00:77::1', '198.51.100.1');
    expect([ports(four), ports(six)]).toEqual([services, services]);
    const closed = ['198.51.100.2', '10.1.2.2', '2001:db8::2', '192.168.77.1', '192.168.77.9'];
    expect(probe(ns, 'net', ...closed)).toEqual(closed.map(() => ({})));
    expect(Object.keys(outside)).toHaveLength(TCP.length + UDP.length);
    expect(new Set(Object.values(outside))).toEqual(new Set(['198.51.100.2']));
  });

  it('a guest answers its LAN, not the internet, and leads nowhere', async () => {
    await using ns = new Namespaces();
    await stage(ns, {}, ['eth0']);
    const [near, ...far] = probe(ns, 'net', '10.1.2.2', '198.51.100.2', '2001:db8::2');
    expect(ports(near)).toEqual(['tcp 5060', 'tcp 80', 'udp 1900', 'udp 20000', 'udp 29999', 'udp 5060', 'udp 5353']);
    expect(far).toEqual([{}, {}]);
    expect(probe(ns, 'house', '198.51.100.1', '192.168.77.1')).toEqual([{}, {}]);
  });
});
