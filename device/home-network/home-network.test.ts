import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { watchHomeNetwork } from './discovery.ts';
import { devicesOf, emptyInventory, INVENTORY_LIMIT, see } from './inventory.ts';
import { broadcastOf, isPrivate, magicPacket, onLink, readLeases, readNeighbours } from './lan.ts';
import { MDNS_GROUP, MDNS_PORT, queryMessage, readMdns } from './mdns.ts';
import { readDescription, readSsdp, SSDP_GROUP, SSDP_PORT } from './ssdp.ts';

const lan = {
  name: 'br0',
  host: '192.168.1.1',
  family: 4 as const,
  loopback: false,
  mac: '02:00:00:00:00:01',
  prefix: 24,
};
const notify = (udn: string, location: string, nts = 'ssdp:alive') =>
  `NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ${nts}\r\nUSN: ${udn}::upnp:rootdevice\r\nLOCATION: ${location}\r\nCACHE-CONTROL: max-age=120\r\n\r\n`;

/** A response with one PTR record `_http._tcp.local -> <name>._http._tcp.local`. */
function announcement(name: string, ttl = 120): Uint8Array {
  const service = [5, ...fromLatin1('_http'), 4, ...fromLatin1('_tcp'), 5, ...fromLatin1('local'), 0];
  const target = [name.length, ...fromLatin1(name), 0xc0, 12];
  return Uint8Array.from([
    0,
    0,
    0x84,
    0,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    ...service,
    0,
    12,
    0,
    1,
    0,
    0,
    0,
    ttl,
    0,
    target.length,
    ...target,
  ]);
}

describe('SSDP', () => {
  it('reads announcements and answers, and nothing else', () => {
    expect(readSsdp(notify('uuid:tv', 'http://192.168.1.7/d.xml'))).toEqual({
      gone: false,
      udn: 'uuid:tv',
      target: 'upnp:rootdevice',
      location: 'http://192.168.1.7/d.xml',
      maxAge: 120,
    });
    expect(readSsdp(notify('uuid:tv', 'x', 'ssdp:byebye'))?.gone).toBe(true);
    expect(readSsdp('HTTP/1.1 200 OK\r\nST: ssdp:all\r\nUSN: uuid:a\r\n\r\n')).toMatchObject({
      udn: 'uuid:a',
      maxAge: 1800,
    });
    for (const junk of [
      '',
      'M-SEARCH * HTTP/1.1\r\n\r\n',
      'NOTIFY * HTTP/1.1\r\nUSN: tv\r\nNT: x\r\n\r\n',
      notify('uuid:tv', 'y'.repeat(5000)),
    ])
      expect(readSsdp(junk)).toBeUndefined();
  });
  it('takes names from a description without expanding entities', () => {
    expect(
      readDescription(
        '<root><device><deviceType>urn:x:MediaRenderer:1</deviceType><friendlyName>Tom &amp; TV</friendlyName></device></root>',
      ),
    ).toEqual({ name: 'Tom & TV', kind: 'urn:x:MediaRenderer:1' });
    expect(readDescription('<!DOCTYPE a [<!ENTITY b "boom">]><friendlyName>&b;</friendlyName>').name).toBe('&b;');
    expect(readDescription('<friendlyName>')).toEqual({});
  });
});

describe('mDNS', () => {
  it('reads its own query’s form as no response, and an answer with compression', () => {
    expect(readMdns(queryMessage(['_http._tcp.local']))).toBeUndefined();
    expect(readMdns(announcement('Printer'))).toEqual([
      { name: '_http._tcp.local', type: 12, ttl: 120, data: 'Printer._http._tcp.local' },
    ]);
  });
  it('survives any octets, loops of pointers included', () => {
    expect(
      readMdns(Uint8Array.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1, 0, 0])),
    ).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void readMdns(octets)),
      { numRuns: 5000 },
    );
    const good = announcement('Printer');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bad = good.slice();
        bad[at] = value;
        readMdns(bad);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the LAN', () => {
  it('knows its link, its broadcast address and private networks', () => {
    expect([onLink(lan, '192.168.1.200'), onLink(lan, '192.168.2.1'), onLink(lan, 'fe80::1')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(broadcastOf(lan)).toBe('192.168.1.255');
    expect(broadcastOf({ ...lan, host: '10.1.2.3', prefix: 8 })).toBe('10.255.255.255');
    expect(['10.0.0.1', '172.31.0.1', '192.168.9.9', '169.254.1.1', '8.8.8.8', '172.32.0.1'].map(isPrivate)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
  it('reads the neighbour table', () => {
    const text =
      'IP address HW type Flags HW address Mask Device\n192.168.1.7 0x1 0x2 02:AA:00:00:00:07 * br0\n192.168.1.9 0x1 0x0 00:00:00:00:00:00 * br0\n';
    expect([...readNeighbours(text)]).toEqual([['192.168.1.7', '02:aa:00:00:00:07']]);
  });
  it('reads the names in a file of leases', () => {
    const file =
      '1767225600 02:00:00:00:00:AA 192.168.77.50 printer 01:02\n1767225600 02:00:00:00:00:ab 192.168.77.51 * *\nduid 00:01\nx no 1 y\n';
    expect([...readLeases(file)]).toEqual([['02:00:00:00:00:aa', 'printer']]);
    const rows = Array.from({ length: 1001 }, (_, n) => {
      const digits = n.toString(16).padStart(4, '0');
      return `1 02:00:00:00:${digits.slice(0, 2)}:${digits.slice(2)} 10.0.0.1 host *`;
    });
    expect(readLeases(rows.join('\n')).size).toBe(1000);
  });

  it('writes the waking packet', () => {
    const packet = magicPacket('02:00:00:00:00:07');
    expect(packet.length).toBe(102);
    expect([...packet.subarray(0, 8)]).toEqual([255, 255, 255, 255, 255, 255, 2, 0]);
    expect(packet.at(-1)).toBe(7);
  });
});

describe('the inventory', () => {
  it('is bounded and forgets', () => {
    const inventory = emptyInventory();
    for (let i = 0; i <= INVENTORY_LIMIT; i++)
      see(inventory, { key: `k${i}`, found: 'ssdp', address: '192.168.1.2', seconds: 100 + i }, 0, (key) => key);
    expect(inventory.entries.size).toBe(INVENTORY_LIMIT);
    expect(inventory.entries.has('k0')).toBe(false);
    expect(devicesOf(inventory, new Map(), 200_000).length).toBe(INVENTORY_LIMIT - 100);
  });
  it('cleans the names that strangers send', () => {
    const inventory = emptyInventory();
    see(
      inventory,
      { key: 'k', found: 'mdns', address: '192.168.1.2', name: `a\u0007\n${'b'.repeat(100)}`, seconds: 9 },
      0,
      (key) => key,
    );
    expect(devicesOf(inventory, new Map(), 1)[0]?.name).toBe(`a${'b'.repeat(63)}`);
  });
});

describe('watching a LAN', () => {
  it('finds devices, takes descriptions only from their own address, believes only the link, and wakes', async () => {
    using world = new VirtualWorld({ seed: 2 });
    const gateway = world.host('gateway', ['192.168.1.1']);
    const tv = world.host('tv', ['192.168.1.7']);
    const stranger = world.host('stranger', ['192.168.2.9']);
    world.disk('gateway').files.set('/proc/net/arp', fromLatin1('head\n192.168.1.7 0x1 0x2 02:00:00:00:00:07 * br0\n'));
    world.serveHttp('tv', '192.168.1.7:80', async () => ({
      status: 200,
      headers: {},
      body: '<friendlyName>Television</friendlyName>',
    }));
    let fetched = 0;
    world.serveHttp('stranger', '192.168.2.9:80', async () => {
      fetched++;
      return { status: 200, headers: {}, body: '' };
    });
    const socket = await tv.net.udp(
      { host: '192.168.1.7', port: SSDP_PORT, multicast: { group: SSDP_GROUP, interface: '192.168.1.7' } },
      (data, from) => {
        if (!latin1(data).startsWith('M-SEARCH')) return;
        socket.send(
          fromLatin1(
            'HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:tv\r\nLOCATION: http://192.168.1.7/d.xml\r\n\r\n',
          ),
          from,
        );
      },
    );
    let told: readonly { name: string; mac?: string }[] = [];
    const network = await watchHomeNetwork(gateway, (devices) => {
      told = devices;
    });
    const far = await stranger.net.udp({ host: '192.168.2.9', port: 0 }, () => {});
    far.send(fromLatin1(notify('uuid:evil', 'http://192.168.2.9/d.xml')), { host: SSDP_GROUP, port: SSDP_PORT });
    socket.send(fromLatin1(notify('uuid:lure', 'http://192.168.2.9/d.xml')), { host: SSDP_GROUP, port: SSDP_PORT });
    const printer = await tv.net.udp({ host: '192.168.1.7', port: MDNS_PORT }, () => {});
    printer.send(announcement('Printer'), { host: MDNS_GROUP, port: MDNS_PORT });
    await world.run(6000);
    expect(told.map((device) => device.name).sort()).toEqual(['192.168.1.7', 'Printer', 'Television']);
    expect(told.find((device) => device.name === 'Television')).toMatchObject({
      mac: '02:00:00:00:00:07',
      wakes: true,
    });
    expect(fetched).toBe(0);
    const woken: Uint8Array[] = [];
    await tv.net.udp({ host: '192.168.1.255', port: 9 }, (data) => woken.push(data));
    expect(await world.settle(network.wake('02:00:00:00:00:07'))).toBe(1);
    expect(woken).toEqual([magicPacket('02:00:00:00:00:07')]);
    await network.stop();
  });
});
