/** Waking a device for real: a UPnP announcer on a gateway's LAN shows in the inventory, and the packet that wakes it is seen on the wire. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasNamespaces, hasProgram } from '../peers.ts';
import { type CloudReady, type DeviceReady, eventually, Namespaces } from './netns.ts';

const UDN = 'uuid:6a1f0e0e-0000-4000-8000-00000000beef';

/** What a television does when it is switched on: it announces itself and describes itself to who asks. */
const ANNOUNCER = `
const description = '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>urn:schemas-upnp-org:device:MediaRenderer:1</deviceType><friendlyName>Living room</friendlyName><UDN>${UDN}</UDN></device></root>';
require('node:http').createServer((_request, reply) => reply.end(description)).listen(49152, '192.168.1.2');
const socket = require('node:dgram').createSocket('udp4');
socket.bind(0, '192.168.1.2', () => {
  socket.setMulticastInterface('192.168.1.2');
  const lines = ['NOTIFY * HTTP/1.1', 'HOST: 239.255.255.250:1900', 'CACHE-CONTROL: max-age=1800',
    'LOCATION: http://192.168.1.2:49152/', 'NT: upnp:rootdevice', 'NTS: ssdp:alive', 'USN: ${UDN}::upnp:rootdevice', '', ''];
  setInterval(() => socket.send(lines.join('\\r\\n'), 1900, '239.255.255.250'), 500);
});
`;

interface Device {
  readonly id: string;
  readonly name: string;
  readonly found: string;
  readonly address: string;
  readonly mac?: string;
  readonly wakes: boolean;
}

/** A cloud, and a gateway with a LAN on which a television stands. */
async function stage(ns: Namespaces) {
  for (const host of ['cloud', 'gw', 'tv']) ns.add(host);
  ns.cable({ host: 'cloud', as: 'wan', address: '10.77.0.1/24' }, { host: 'gw', as: 'wan', address: '10.77.0.2/24' });
  ns.cable({ host: 'gw', as: 'lan', address: '192.168.1.1/24' }, { host: 'tv', as: 'eth0', address: '192.168.1.2/24' });
  const at = (flag: string, port: number) => [flag, `10.77.0.1:${port}`];
  const cloud = await ns.hearthline<CloudReady & { readonly https: string }>('cloud', 'cloud.json', [
    'cloud',
    '--data',
    join(ns.folder, 'cloud'),
    ...at('--http', 8080),
    ...at('--https', 8443),
    ...at('--mqtt', 8883),
    ...at('--sip', 5060),
    ...at('--sips', 5061),
    '--media',
    '10.77.0.1:20000-20099',
  ]);
  const { operatorToken, https } = cloud.ready;
  const cli = <T>(...words: string[]): T => {
    const where = ['--json', '--cloud', 'http://10.77.0.1:8080', '--token', operatorToken];
    return JSON.parse(ns.within('cloud', 'bin/hearthline', ...words, ...where)) as T;
  };
  await ns.hearthline<DeviceReady>('gw', 'gw.json', [
    'device',
    '--state',
    join(ns.folder, 'gw'),
    '--cloud',
    `https://10.77.0.1:8443#${https.split('#')[1]}`,
    '--sip',
    '192.168.1.1:5060',
    '--media',
    '0.0.0.0:20000-20099',
    '--page',
    '127.0.0.1:0',
  ]);
  const { id: home } = cli<{ id: string }>('home', 'create', '--name', 'elm');
  const code = () => ns.read<DeviceReady>('gw.json').pairing?.code;
  await eventually(() => code() !== undefined, 15_000, 'a code');
  cli('pair', code() ?? '', '--home', home);
  return { home, cli };
}

describe.skipIf(!hasNamespaces() || !hasProgram('tcpdump'))('a device on the LAN of a gateway', () => {
  it('is seen by UPnP with its hardware address, and woken by the packet on the wire', {
    timeout: 120_000,
  }, async () => {
    await using ns = new Namespaces();
    const { home, cli } = await stage(ns);
    ns.start('tv', 'bin/node', ['-e', ANNOUNCER]);
    let device: Device | undefined;
    await eventually(
      () => {
        const { items } = cli<{ items: Device[] }>('device', 'list', '--home', home);
        device = items.find(({ name, mac }) => name === 'Living room' && mac !== undefined);
        return device !== undefined;
      },
      30_000,
      'the television in the inventory',
    );
    const [link] = JSON.parse(ns.within('tv', 'ip', '-j', 'link', 'show', 'eth0')) as { address: string }[];
    expect(device).toMatchObject({ found: 'ssdp', address: '192.168.1.2', mac: link?.address, wakes: true });

    const sniffer = ns.start('tv', 'tcpdump', ['-l', '-n', '-x', '-c', '1', '-i', 'eth0', 'udp', 'port', '9']);
    const said = { out: '', err: '' };
    sniffer.stdout?.on('data', (data) => {
      said.out += data;
    });
    sniffer.stderr?.on('data', (data) => {
      said.err += data;
    });
    await eventually(() => said.err.includes('listening on'), 10_000, 'tcpdump to listen');
    expect(cli<{ sent: number }>('device', 'wake', '--home', home, '--device', device?.id ?? '').sent).toBeGreaterThan(
      0,
    );
    await eventually(() => sniffer.exitCode !== null, 10_000, 'the packet on the wire');
    const octets = [...said.out.matchAll(/^\s+0x[0-9a-f]{4}:\s+(.*)$/gm)].map(([, words]) => words).join('');
    const mac = (link?.address ?? '').replaceAll(':', '');
    expect(octets.replaceAll(/\s/g, '')).toContain('f'.repeat(12) + mac.repeat(16));
    expect(said.out).toContain('192.168.1.255.9');
  });
});
