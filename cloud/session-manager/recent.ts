/** The numbers that a line dialled last and that called it last, read from its home's sessions: nothing is written for them. */
import type { Store } from '#cloud/store/store.ts';
import { lastNumber, type PastCall } from '#shared/call/features/recent.ts';
import { listSessions } from './journal.ts';
import type { Runtime } from './runtime.ts';
import type { SessionState } from './session.ts';

/** Sessions of the home that are looked through. */
const LOOK_BACK = 100;

/** The number (E.164, short code or name) of the line's last call in that direction; undefined for none, and for a caller that withheld it. */
export async function lastOfLine(
  { runtime, store }: { readonly runtime: Runtime; readonly store: Store },
  line: { readonly id: string; readonly home: string },
  of: 'dialled' | 'caller',
): Promise<string | undefined> {
  const live = [...runtime.lives.values()].map(({ state }) => state).filter((state) => state.homes.includes(line.home));
  const kept = await listSessions(store, { homes: [line.home], live: false, limit: LOOK_BACK });
  const newest = [...live, ...kept].toSorted((a, b) => b.createdAt - a.createdAt);
  return lastNumber(newest.flatMap(pastCall), line.id, of);
}

function pastCall({ kind, legs }: SessionState): PastCall[] {
  const [caller, ...rung] = legs;
  if (caller === undefined || (kind !== 'call' && kind !== 'house-call')) return [];
  return [{ ...(caller.line === undefined ? {} : { line: caller.line }), to: caller.to, rung }];
}
