/** The inventory of a LAN as a pure table: sightings in, devices out. Each entry expires; the table is bounded. */
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';

export type DeviceFacts = VerbRequest<'device.report'>['devices'][number];

/** Entries at the most; of more, the one that expires first gives way. */
export const INVENTORY_LIMIT = 256;

export interface Sighting {
  /** What names the device best: its UDN, or its mDNS instance, or its MAC. */
  readonly key: string;
  readonly found: 'ssdp' | 'mdns' | 'arp';
  readonly address: string;
  readonly name?: string;
  readonly kind?: string;
  /** Seconds for which the sighting is good. */
  readonly seconds: number;
}

interface Entry extends Sighting {
  readonly id: string;
  readonly expiresAt: number;
  readonly seenAt: number;
}

export interface Inventory {
  readonly entries: Map<string, Entry>;
}

export const emptyInventory = (): Inventory => ({ entries: new Map() });

/** Keeps a sighting. `idOf` derives an id from a key; a name once known is not lost to a sighting without one. */
export function see(inventory: Inventory, sighting: Sighting, wall: number, idOf: (key: string) => string): void {
  const before = inventory.entries.get(sighting.key);
  if (before === undefined && inventory.entries.size >= INVENTORY_LIMIT) {
    let first: Entry | undefined;
    for (const entry of inventory.entries.values())
      if (first === undefined || entry.expiresAt < first.expiresAt) first = entry;
    if (first !== undefined) inventory.entries.delete(first.key);
  }
  inventory.entries.set(sighting.key, {
    ...(before === undefined
      ? {}
      : {
          ...(before.name === undefined ? {} : { name: before.name }),
          ...(before.kind === undefined ? {} : { kind: before.kind }),
        }),
    ...sighting,
    id: before?.id ?? idOf(sighting.key),
    seenAt: wall,
    expiresAt: wall + sighting.seconds * 1000,
  });
}

export function leave(inventory: Inventory, key: string): void {
  inventory.entries.delete(key);
}

/** The devices now, one per key, with the MAC of their address where the neighbour table has it. */
export function devicesOf(inventory: Inventory, neighbours: ReadonlyMap<string, string>, wall: number): DeviceFacts[] {
  const devices: DeviceFacts[] = [];
  for (const [key, entry] of inventory.entries) {
    if (entry.expiresAt <= wall) {
      inventory.entries.delete(key);
      continue;
    }
    devices.push(facts(entry, neighbours.get(entry.address)));
  }
  return devices
    .filter(
      (device) =>
        device.found !== 'arp' ||
        !devices.some((other) => other !== device && other.found !== 'arp' && other.address === device.address),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function facts(entry: Entry, mac: string | undefined): DeviceFacts {
  return {
    id: entry.id,
    name: clean(entry.name ?? entry.address, 64),
    kind: clean(entry.kind ?? 'unknown', 128),
    address: entry.address,
    found: entry.found,
    wakes: mac !== undefined,
    seenAt: entry.seenAt,
    ...(mac === undefined ? {} : { mac }),
  };
}

/** Names come from strangers: no control characters, a bounded length, never empty. */
function clean(text: string, limit: number): string {
  let plain = '';
  for (const char of text) if (char >= ' ' && char !== '\u007f' && plain.length + char.length <= limit) plain += char;
  return plain.trim() === '' ? 'unnamed' : plain;
}
