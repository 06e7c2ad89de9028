/** Sessions and legs as the open API shows them: without what only servers need. Pure. */
import type { Carried, LegView, SessionView } from './events.ts';
import { carry, type LegState, type SessionState } from './session.ts';

/** `carried`: what the session's next row will say and is known already. */
export function view(state: SessionState, carried?: Carried): SessionView {
  if (carried !== undefined) {
    const shown = structuredClone(state);
    carry(shown, carried);
    return view(shown);
  }
  const { id, kind, createdAt, endedAt, reason, request, instructions } = state;
  return {
    id,
    kind,
    state: state.state,
    ...(reason === undefined ? {} : { reason }),
    createdAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    legs: state.legs.map(legView),
    request,
    // They change yet: the Call-ID comes later.
    instructions: instructions.map((one) => ({ ...one })),
  };
}

const SHOWN = [
  'id',
  'home',
  'kind',
  'orientation',
  'server',
  'why',
  'party',
  'role',
  'state',
  'reason',
  'callId',
  'item',
  'held',
  'muted',
  'dscp',
  'startedAt',
  'answeredAt',
  'endedAt',
] as const satisfies readonly (keyof LegView & keyof LegState)[];

export function legView(leg: LegState): LegView {
  return Object.fromEntries(
    SHOWN.filter((key) => leg[key] !== undefined).map((key) => [key, leg[key]]),
  ) as unknown as LegView;
}
