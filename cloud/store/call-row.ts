/** Established calls of several softswitch processes, as their rows tell; the softswitch writes them and knows what their body says. */
import type { Store } from './store.ts';

export interface CallRow {
  readonly call: string;
  readonly session: string;
  /** The process that has it. */
  readonly owner: string;
  readonly body: string;
}

const SELECT = 'SELECT call, session, owner, body FROM channel';
const BY_CALL_ID = `${SELECT} WHERE call_id = ? AND call_id <> '' UNION ALL ${SELECT} WHERE other_id = ? AND other_id <> ''`;

/** The calls that have a dialog of this Call-ID: mostly one, or none. */
export function callsOfDialog(store: Store, callId: string): Promise<CallRow[]> {
  return store.all<CallRow & Record<string, string>>(BY_CALL_ID, [callId, callId]);
}

/** The calls of a session. */
export function callsOfSession(store: Store, session: string): Promise<CallRow[]> {
  return store.all<CallRow & Record<string, string>>(`${SELECT} WHERE session = ? AND owner <> ''`, [session]);
}
