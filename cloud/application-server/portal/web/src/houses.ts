/** Homes with their phones, as several pages need them together. */
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { call, type Reply } from './api.ts';
import { type Loaded, useLoad } from './hooks.ts';

export type Home = VerbReply<'home.list'>['items'][number];
export type Line = VerbReply<'line.list'>['items'][number];
export type Gateway = VerbReply<'gateway.list'>['items'][number];

export interface House {
  readonly home: Home;
  readonly lines: readonly Line[];
  readonly gateways: readonly Gateway[];
}

/** Homes that the overview looks into; the page of all homes lists the others. */
const SHOWN = 12;

async function loadHouses(): Promise<Reply<House[]>> {
  const homes = await call('home.list', { limit: SHOWN });
  if (!homes.ok) return homes;
  const houses = await Promise.all(homes.value.items.map(loadHouse));
  for (const house of houses) if (!house.ok) return house;
  return ok(houses.flatMap((house) => (house.ok ? [house.value] : [])));
}

async function loadHouse(home: Home): Promise<Reply<House>> {
  const [lines, gateways] = await Promise.all([
    call('line.list', { home: home.id }),
    call('gateway.list', { home: home.id }),
  ]);
  if (!lines.ok) return lines;
  if (!gateways.ok) return gateways;
  return ok({ home, lines: lines.value.items, gateways: gateways.value.items });
}

/** `any` false: for who sees no home. */
export function useHouses(any = true): Loaded<House[]> {
  return useLoad(`houses ${any}`, any ? loadHouses : async () => ok([]), 5000);
}

/** A phone's name for people: its own, or its number. */
export function lineName(line: Line): string {
  return line.name ?? line.number;
}

/** A party of a leg for people: the phone of a line id or number that we know, else as it stands. */
export function partyName(party: string | undefined, houses: readonly House[] | undefined): string {
  for (const { home, lines } of houses ?? [])
    for (const line of lines)
      if (line.id === party || line.number === party || line.sip.username === party)
        return `${lineName(line)}, ${home.name}`;
  return party ?? '';
}
