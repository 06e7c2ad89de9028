/**
 * Writing to the platform's event log. Whoever makes a fact adds `eventRow` to the statements of the same commit and then publishes
 * `event.appended` on the bus as a hint; readers follow `position`. The row becomes a CloudEvent (1.0) on SSE, WebSocket, webhook and
 * in-process alike.
 */
import { newId } from '#shared/kernel/ids.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Statement, sql } from './store.ts';

export interface PlatformEvent {
  /** `home.<resource>.v1.<what>`, for example `home.message.v1.delivered`. */
  readonly type: `home.${string}.v1.${string}`;
  /** The home that it belongs to; absent: the operator alone sees it. */
  readonly home?: string;
  /** The service session that it belongs to, when there is one: events of one session are delivered in order. */
  readonly session?: string;
  /** The id of the thing that it is about. */
  readonly subject: string;
  readonly data: unknown;
}

/** One row of the event log, to be committed with the effect that it tells of. */
export function eventRow(world: Pick<World, 'clock' | 'random'>, event: PlatformEvent): Statement {
  return sql(
    'INSERT INTO event (id, home, session, type, subject, at, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
    newId('evt', world.clock.wall(), world.random.bytes(10)),
    event.home ?? null,
    event.session ?? null,
    event.type,
    event.subject,
    world.clock.wall(),
    JSON.stringify(event.data),
  );
}
