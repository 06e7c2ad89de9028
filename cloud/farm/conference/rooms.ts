/** Rooms and their parties as they stand in the store, so that a restart of the conference server changes nothing. */
import type { CommitResult, Statement, Store } from '#cloud/store/store.ts';
import { sql, sqlOne } from '#cloud/store/store.ts';

export interface Room {
  readonly session: string;
  readonly room: string;
  /** Most voices at one time. */
  readonly size: number;
}

export interface Party {
  readonly leg: string;
  /** The endpoint, or for music the player, that is connected to the room. */
  readonly node: string;
  readonly kind: 'voice' | 'media';
  readonly name: string;
  readonly muted: boolean;
}

interface PartyRow {
  readonly leg: string;
  readonly node: string;
  readonly kind: 'voice' | 'media';
  readonly name: string;
  readonly muted: number;
}

export class Rooms {
  readonly #store: Store;
  /** Rooms that are open, by session: a cache of the table for health and quick checks. */
  readonly #open = new Map<string, Room>();

  constructor(store: Store) {
    this.#store = store;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Reads the rooms of earlier runs. */
  async load(): Promise<void> {
    const rows = await this.#store.all<Room>('SELECT session, room, size FROM conference_room ORDER BY session');
    for (const row of rows) this.#open.set(row.session, row);
  }

  all(): Room[] {
    return [...this.#open.values()];
  }

  get(session: string): Room | undefined {
    return this.#open.get(session);
  }

  async open(room: Room): Promise<void> {
    const insert = sql(
      'INSERT INTO conference_room (session, room, size) VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET size = excluded.size',
      room.session,
      room.room,
      room.size,
    );
    await this.#store.commit([insert]);
    this.#open.set(room.session, room);
  }

  async close(session: string): Promise<void> {
    await this.#store.commit([
      sql('DELETE FROM conference_party WHERE session = ?', session),
      sql('DELETE FROM conference_room WHERE session = ?', session),
    ]);
    this.#open.delete(session);
  }

  async parties(session: string): Promise<Party[]> {
    const rows = await this.#store.all<PartyRow>(
      'SELECT leg, node, kind, name, muted FROM conference_party WHERE session = ? ORDER BY seat',
      [session],
    );
    return rows.map((row) => ({ ...row, muted: row.muted === 1 }));
  }

  /** Puts a party in; one that is in keeps its seat. */
  async add(session: string, party: Party): Promise<void> {
    await this.#store.commit([
      sql(
        'INSERT INTO conference_party (session, leg, node, kind, name, muted, seat) VALUES (?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(seat), 0) + 1 FROM conference_party WHERE session = ?)) ON CONFLICT (session, leg) DO UPDATE SET node = excluded.node, kind = excluded.kind, name = excluded.name',
        session,
        party.leg,
        party.node,
        party.kind,
        party.name,
        party.muted ? 1 : 0,
        session,
      ),
    ]);
  }

  async remove(session: string, leg: string): Promise<void> {
    await this.#store.commit([sql('DELETE FROM conference_party WHERE session = ? AND leg = ?', session, leg)]);
  }

  /** Mutes or unmutes, together with what else must be in the same commit; `changes` where the party is gone. */
  mute(session: string, leg: string, muted: boolean, more: readonly Statement[]): Promise<CommitResult> {
    return this.#store.commit([
      sqlOne('UPDATE conference_party SET muted = ? WHERE session = ? AND leg = ?', muted ? 1 : 0, session, leg),
      ...more,
    ]);
  }
}
