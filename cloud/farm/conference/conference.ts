/** What the conference server does for each verb: the table first, the sound by word to the media server. */
import type { Bus, Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees, visibleHomes } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import type { Store } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Party, Rooms } from './rooms.ts';

/** Rooms that are open at one time at the most. */
export const ROOMS = 1000;

/** Players that sound into one room at the most. */
export const PLAYERS_PER_ROOM = 8;

const AS_CONFERENCE: Context = { principal: { kind: 'part', part: 'conference' } };

export class Conference {
  readonly #world: World;
  readonly #bus: Bus;
  readonly #store: Store;
  readonly #rooms: Rooms;

  constructor({ world, bus, store }: PartContext, rooms: Rooms) {
    this.#world = world;
    this.#bus = bus;
    this.#store = store;
    this.#rooms = rooms;
  }

  async open({ session, size }: VerbRequest<'conference.room.open'>): Promise<Outcome<'conference.room.open'>> {
    const known = this.#rooms.get(session);
    if (known === undefined && this.#rooms.count >= ROOMS) {
      return err(fault('room_full', 'As many rooms are open as there may be.'));
    }
    const room = known?.room ?? roomName(this.#world, session);
    const made = await this.#bus.request('media.room', { session, room, exists: true }, AS_CONFERENCE);
    if (!made.ok) return made;
    await this.#rooms.open({ session, room, size });
    return ok({ room });
  }

  async add(request: VerbRequest<'conference.party.add'>): Promise<Outcome<'conference.party.add'>> {
    const { session, leg, node, kind, name } = request;
    const room = this.#rooms.get(session);
    if (room === undefined) return err(fault('not_found', 'This session has no room.'));
    const parties = await this.#rooms.parties(session);
    const before = parties.find((party) => party.leg === leg);
    const others = parties.filter((party) => party.kind === kind && party.leg !== leg);
    if (others.length >= (kind === 'voice' ? room.size : PLAYERS_PER_ROOM)) return err(fault('room_full'));
    if (before !== undefined && before.node !== node) await this.#connect(room.room, before, false);
    const party: Party = { leg, node, kind, name, muted: before?.muted ?? false };
    const connected = await this.#connect(room.room, party, true);
    if (!connected.ok) return connected;
    await this.#rooms.add(session, party);
    return ok({});
  }

  async remove({ session, leg }: VerbRequest<'conference.party.remove'>): Promise<Outcome<'conference.party.remove'>> {
    const room = this.#rooms.get(session);
    const party = await this.#party(session, leg);
    if (room === undefined || party === undefined) return ok({});
    const parted = await this.#connect(room.room, party, false);
    if (!parted.ok) return parted;
    await this.#rooms.remove(session, leg);
    return ok({});
  }

  async mute(request: VerbRequest<'conference.mute'>, context: Context): Promise<Outcome<'conference.mute'>> {
    const { session, leg, muted } = request;
    const may = await this.#mayMute(session, leg, context);
    if (!may.ok) return may;
    const before = await repeated<'conference.mute'>(this.#store, context);
    if (before !== undefined) return before;
    const room = this.#rooms.get(session);
    const party = await this.#party(session, leg);
    if (room === undefined || party === undefined) return err(fault('not_found', 'This leg is not in a room.'));
    const link = { from: party.node, to: room.room, connected: !muted };
    const said = await this.#bus.request('media.endpoint.connect', link, AS_CONFERENCE);
    if (!said.ok) return said;
    const outcome = ok({});
    const kept = await this.#rooms.mute(session, leg, muted, remember(context, outcome, this.#world.clock.wall()));
    if (!kept.ok) return err(fault('conflict'));
    // The session manager knows of its own commands.
    if (context.principal.kind !== 'part') this.#bus.publish('leg.muted', { session, leg, muted });
    return outcome;
  }

  async roster({ session }: VerbRequest<'conference.roster'>, context: Context): Promise<Outcome<'conference.roster'>> {
    const seen = context.principal.kind === 'part' ? ok({}) : await this.#sees(session, context);
    if (!seen.ok) return seen;
    if (this.#rooms.get(session) === undefined) return err(fault('not_found', 'This session has no room.'));
    const parties = await this.#rooms.parties(session);
    return ok({ items: parties.map(({ leg, name, muted, kind }) => ({ leg, name, muted, kind })) });
  }

  async close({ session }: VerbRequest<'conference.room.close'>): Promise<Outcome<'conference.room.close'>> {
    const room = this.#rooms.get(session);
    if (room === undefined) return ok({});
    const freed = await this.#bus.request('media.room', { session, room: room.room, exists: false }, AS_CONFERENCE);
    if (!freed.ok) return freed;
    await this.#rooms.close(session);
    return ok({});
  }

  async list(): Promise<Outcome<'conference.room.list'>> {
    const items = [];
    for (const { session, room } of this.#rooms.all()) {
      items.push({ session, room, parties: (await this.#rooms.parties(session)).length });
    }
    return ok({ items });
  }

  async #party(session: string, leg: string): Promise<Party | undefined> {
    return (await this.#rooms.parties(session)).find((party) => party.leg === leg);
  }

  /** Joins a party with the room or parts them: a voice hears it, and is heard unless muted; a player is only heard. */
  async #connect(room: string, party: Party, connected: boolean): Promise<Result<object, Fault>> {
    const link = (from: string, to: string, flows: boolean): Promise<Outcome<'media.endpoint.connect'>> =>
      this.#bus.request('media.endpoint.connect', { from, to, connected: flows }, AS_CONFERENCE);
    const heard = await link(party.node, room, connected && !party.muted);
    if (!heard.ok || party.kind === 'media') return heard;
    return await link(room, party.node, connected);
  }

  /** The session as the asker may see it; the session manager decides. */
  #sees(session: string, { principal }: Context): Promise<Outcome<'session.get'>> {
    return this.#bus.request('session.get', { session }, { principal });
  }

  /** Who began a session mutes everybody in it, anybody else the own home’s parties. */
  async #mayMute(session: string, leg: string, context: Context): Promise<Result<object, Fault>> {
    const { principal } = context;
    if (principal.kind === 'part') return ok({});
    const seen = await this.#sees(session, context);
    if (!seen.ok || visibleHomes(principal) === 'all') return seen;
    const { legs } = seen.value;
    const homes = [legs[0]?.home, legs.find(({ id }) => id === leg)?.home];
    const isTheirs = homes.some((home) => home !== undefined && sees(principal, home));
    return isTheirs ? ok({}) : err(fault('forbidden', 'This leg is not of your home.'));
  }
}

/** The same session always has the same room. */
function roomName(world: World, session: string): string {
  return `room_${base32(world.crypto.hash('sha256', utf8(session))).slice(0, 26)}`;
}
