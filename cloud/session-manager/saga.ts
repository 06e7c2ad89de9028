/**
 * Reservations are all or nothing. The intent to take these steps stands in the journal before the first is taken; each
 * step's reply goes into the next row (`reserved`). At the first refusal nothing more is taken, and the steps that were
 * started come back as the undo list, which the session machine releases in reverse order.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, reserveCommand } from './commands.ts';
import type { Command, Reserved, ReserveStep } from './events.ts';
import type { Started } from './live.ts';
import type { LegState, SessionState } from './session.ts';

export interface Taken {
  readonly legs: Readonly<Record<string, Reserved>>;
  readonly room?: string;
}

/** What was refused, and what had been started by then (the refused step too: a late reply may still have taken it). */
export interface Refused {
  readonly fault: Fault;
  readonly started: readonly Started[];
}

export type Send = (command: Command) => Promise<Result<unknown, Fault>>;

/**
 * Takes the reservations of these legs in order, the session's room first. Quality of service that is away costs the mark,
 * not the call; anything else that is refused refuses the whole.
 */
export async function reserve(
  session: SessionState,
  legs: readonly LegState[],
  send: Send,
): Promise<Result<Taken, Refused>> {
  const started: Started[] = [];
  const taken: Record<string, Reserved> = Object.create(null);
  let room = session.room;
  if (session.roomSize !== undefined && room === undefined) {
    started.push({ leg: '', step: 'room' });
    const reply = await send(command('conference.room.open', { session: session.id, size: session.roomSize }));
    if (!reply.ok) return err({ fault: reply.fault, started });
    room = (reply.value as VerbReply<'conference.room.open'>).room;
  }
  for (const leg of legs) {
    taken[leg.id] = {};
    for (const step of leg.reserve) {
      started.push({ leg: leg.id, step });
      const so = { ...leg, reserved: { ...leg.reserved, ...taken[leg.id] } };
      const reply = await send(reserveCommand({ ...session, ...(room === undefined ? {} : { room }) }, so, step));
      const got = reply.ok ? read(step, reply.value) : unmarked(step, reply.fault);
      if (got === undefined) return err({ fault: reply.ok ? fault('internal') : reply.fault, started });
      taken[leg.id] = { ...taken[leg.id], ...got };
    }
  }
  return ok({ legs: taken, ...(room === undefined ? {} : { room }) });
}

function unmarked(step: ReserveStep, why: Fault): Reserved | undefined {
  const away = why.code === 'server_unavailable' || why.code === 'timeout';
  return step === 'qos' && away ? {} : undefined;
}

function read(step: ReserveStep, value: unknown): Reserved {
  switch (step) {
    case 'billing': {
      const { metered, until } = value as VerbReply<'billing.reserve'>;
      return { metered, ...(until === undefined ? {} : { until }) };
    }
    case 'qos': {
      const { dscp, name } = value as VerbReply<'qos.reserve'>;
      return { dscp: { value: dscp, name } };
    }
    case 'endpoint':
      return { endpoint: (value as VerbReply<'media.endpoint.offer'>).endpoint };
    case 'player': {
      const { player, endpoint } = value as VerbReply<'media.prepare'>;
      return { player, ...(endpoint === undefined ? {} : { endpoint }) };
    }
  }
}
