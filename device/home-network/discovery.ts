/**
 * Watches the house's LAN: searches by SSDP and mDNS, listens to announcements, and keeps the inventory. A datagram counts
 * only from a source on the same link; a device's description is fetched only from the address that announced it.
 */
import { fromLatin1, hex, latin1 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { every, sleep } from '#shared/kernel/time.ts';
import type { InterfaceAddress, UdpSocket, World } from '#shared/kernel/world.ts';
import { type DeviceFacts, devicesOf, emptyInventory, leave, see } from './inventory.ts';
import { broadcastOf, lansOf, magicPacket, onLink, readLeases, readNeighbours } from './lan.ts';
import { MDNS_GROUP, MDNS_PORT, queryMessage, readMdns, TYPE } from './mdns.ts';
import { LEASES } from './router-files.ts';
import { readDescription, readSsdp, SSDP_GROUP, SSDP_PORT, searchMessage } from './ssdp.ts';

/** Milliseconds between searches, between looks at the interfaces, and for which answers to a search are awaited. */
const SEARCH_EVERY = 600_000;
const LOOK_EVERY = 5_000;
const SEARCH_WAIT = 3_000;
/** Descriptions under way at once, their size, and their time. */
const FETCHES = 4;
const DESCRIPTION_LIMIT = 64 * 1024;
const DESCRIPTION_TIME = 3_000;
/** Datagrams per second and interface that are read. */
const RATE = 200;
const NEIGHBOURS = '/proc/net/arp';

export interface HomeNetwork {
  /** Searches now, waits for the answers, and gives the devices. */
  scan(): Promise<DeviceFacts[]>;
  /** Sends the packet that wakes a card to every LAN; how many were sent. */
  wake(mac: string): Promise<number>;
  /** The LANs that are watched: of each the interface, its address, and how many of its three sockets (searcher, SSDP, mDNS) are open. */
  lans(): { readonly name: string; readonly address: string; readonly sockets: number }[];
  stop(): Promise<void>;
}

interface Lan {
  readonly address: InterfaceAddress;
  readonly sockets: UdpSocket[];
  readonly ask: () => void;
}

/** Starts watching; `onChange` gets the whole inventory whenever devices came or went. */
export async function watchHomeNetwork(world: World, onChange: (devices: DeviceFacts[]) => void): Promise<HomeNetwork> {
  const watcher = new Watcher(world, onChange);
  await watcher.look();
  watcher.search();
  const stops = [
    every(world.clock, LOOK_EVERY, () => void watcher.look()),
    every(world.clock, SEARCH_EVERY, () => watcher.search()),
  ];
  return {
    scan: () => watcher.scan(),
    wake: (mac) => watcher.wake(mac),
    lans: () => watcher.lans(),
    async stop() {
      for (const stop of stops) stop();
      await watcher.close();
    },
  };
}

class Watcher {
  readonly #world: World;
  readonly #onChange: (devices: DeviceFacts[]) => void;
  readonly #inventory = emptyInventory();
  readonly #lans = new Map<string, Lan>();
  readonly #described = new Set<string>();
  #fetching = 0;
  #told = '';
  #second = 0;
  #read = 0;
  #closed = false;

  constructor(world: World, onChange: (devices: DeviceFacts[]) => void) {
    this.#world = world;
    this.#onChange = onChange;
  }

  /** Follows the interfaces: opens new LANs, closes those that went, and tells what changed. */
  async look(): Promise<void> {
    if (this.#closed) return;
    const now = new Map(lansOf(this.#world.net.addresses()).map((address) => [address.host, address]));
    for (const [host, lan] of this.#lans) {
      if (now.has(host)) continue;
      this.#lans.delete(host);
      for (const socket of lan.sockets) await socket.close();
    }
    for (const [host, address] of now) if (!this.#lans.has(host)) await this.#open(address);
    await this.#tell();
  }

  search(): void {
    for (const lan of this.#lans.values()) lan.ask();
  }

  async scan(): Promise<DeviceFacts[]> {
    this.search();
    await sleep(this.#world.clock, SEARCH_WAIT);
    await this.#tell();
    return this.#devices();
  }

  async wake(mac: string): Promise<number> {
    let sent = 0;
    for (const { address } of this.#lans.values()) {
      const host = broadcastOf(address);
      if (host === undefined) continue;
      const socket = await this.#world.net.udp({ host: address.host, port: 0, broadcast: true }, () => {});
      socket.send(magicPacket(mac), { host, port: 9 });
      sent++;
      await sleep(this.#world.clock, 50);
      await socket.close();
    }
    return sent;
  }

  lans(): ReturnType<HomeNetwork['lans']> {
    return [...this.#lans.values()].map(({ address: { name, host }, sockets }) => ({
      name,
      address: host,
      sockets: sockets.length,
    }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const lan of this.#lans.values()) for (const socket of lan.sockets) await socket.close();
    this.#lans.clear();
  }

  async #open(address: InterfaceAddress): Promise<void> {
    const sockets: UdpSocket[] = [];
    const open = async (
      options: Parameters<World['net']['udp']>[0],
      read: (data: Uint8Array, from: string) => void,
    ) => {
      try {
        const socket = await this.#world.net.udp(options, (data, from) => {
          if (this.#admits() && onLink(address, from.host)) read(data, from.host);
        });
        sockets.push(socket);
        return socket;
      } catch (error) {
        this.#world.log.warn('home-network.no-socket', {
          interface: address.name,
          port: options.port,
          why: String(error),
        });
        return undefined;
      }
    };
    const ssdp = (data: Uint8Array, from: string) => this.#ssdp(latin1(data), from, address);
    const mdns = (data: Uint8Array, from: string) => this.#mdns(data, from);
    const searcher = await open({ host: address.host, port: 0 }, ssdp);
    await open(
      { host: '0.0.0.0', port: SSDP_PORT, shared: true, multicast: { group: SSDP_GROUP, interface: address.host } },
      ssdp,
    );
    const browser = await open(
      { host: '0.0.0.0', port: MDNS_PORT, shared: true, multicast: { group: MDNS_GROUP, interface: address.host } },
      mdns,
    );
    const ask = () => {
      searcher?.send(fromLatin1(searchMessage(2)), { host: SSDP_GROUP, port: SSDP_PORT });
      browser?.send(
        queryMessage([
          '_services._dns-sd._udp.local',
          '_http._tcp.local',
          '_sip._udp.local',
          '_ipp._tcp.local',
          '_googlecast._tcp.local',
          '_airplay._tcp.local',
        ]),
        { host: MDNS_GROUP, port: MDNS_PORT },
      );
    };
    this.#lans.set(address.host, { address, sockets, ask });
    ask();
  }

  #admits(): boolean {
    const second = Math.floor(this.#world.clock.mono() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#read = 0;
    }
    return ++this.#read <= RATE * Math.max(1, this.#lans.size);
  }

  #ssdp(text: string, from: string, lan: InterfaceAddress): void {
    const notice = readSsdp(text);
    if (notice === undefined) return;
    if (notice.gone) {
      leave(this.#inventory, notice.udn);
      this.#described.delete(notice.udn);
      return;
    }
    this.#see({ key: notice.udn, found: 'ssdp', address: from, seconds: notice.maxAge });
    if (notice.location !== undefined) void this.#describe(notice.udn, notice.location, from, notice.maxAge, lan);
  }

  async #describe(udn: string, location: string, from: string, seconds: number, lan: InterfaceAddress): Promise<void> {
    if (this.#described.has(udn) || this.#fetching >= FETCHES || this.#described.size > 1024) return;
    const url = URL.parse(location);
    if (url?.protocol !== 'http:' || url.hostname !== from || !onLink(lan, url.hostname)) return;
    this.#described.add(udn);
    this.#fetching++;
    try {
      const reply = await this.#world.http.request({
        method: 'GET',
        url: url.href,
        timeout: DESCRIPTION_TIME,
        limit: DESCRIPTION_LIMIT,
      });
      if (reply.status === 200)
        this.#see({ key: udn, found: 'ssdp', address: from, seconds, ...readDescription(reply.body) });
    } catch (error) {
      this.#described.delete(udn);
      this.#world.log.debug('home-network.no-description', { from, why: String(error) });
    } finally {
      this.#fetching--;
    }
  }

  #mdns(data: Uint8Array, from: string): void {
    for (const record of readMdns(data) ?? []) {
      if (record.type !== TYPE.PTR || record.name.startsWith('_services.') || !record.name.startsWith('_')) continue;
      const instance = record.data.slice(0, record.data.length - record.name.length - 1);
      if (record.ttl === 0) leave(this.#inventory, record.data);
      else if (instance !== '')
        this.#see({
          key: record.data,
          found: 'mdns',
          address: from,
          name: instance,
          kind: record.name.replace(/\.local$/, ''),
          seconds: Math.min(record.ttl, 86_400),
        });
    }
  }

  #see(sighting: Parameters<typeof see>[1]): void {
    see(
      this.#inventory,
      sighting,
      this.#world.clock.wall(),
      (key) => `dev_${base32(this.#world.crypto.hash('sha256', fromLatin1(key)).subarray(0, 15))}`,
    );
  }

  async #devices(): Promise<DeviceFacts[]> {
    const text = async (path: string) => latin1((await this.#world.disk.read(path)) ?? new Uint8Array());
    const neighbours = readNeighbours(await text(NEIGHBOURS));
    const names = readLeases(await text(LEASES));
    for (const [address, mac] of neighbours) {
      const name = names.get(mac);
      if ([...this.#lans.values()].some((lan) => onLink(lan.address, address)))
        this.#see({ key: `mac:${mac}`, found: 'arp', address, seconds: 120, ...(name === undefined ? {} : { name }) });
    }
    return devicesOf(this.#inventory, neighbours, this.#world.clock.wall());
  }

  async #tell(): Promise<void> {
    const devices = await this.#devices();
    const print = hex(
      this.#world.crypto.hash('sha256', fromLatin1(JSON.stringify(devices.map(({ seenAt: _, ...stable }) => stable)))),
    );
    if (print === this.#told || this.#closed) return;
    this.#told = print;
    this.#onChange(devices);
  }
}
