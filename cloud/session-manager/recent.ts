/** The numbers that a line dialled last and that called it last, read from its home's sessions: nothing is written for them. */
import type { Store } from '#cloud/store/store.ts';
import { listSessions } from './journal.ts';
import type { Runtime } from './runtime.ts';
import type { SessionState } from './session.ts';

/** Sessions of the home that are looked through. */
const LOOK_BACK = 100;

/** The number (E.164, short code or name) of the line's last call in that direction; undefined for none, and for a caller that withheld it. */
export async function lastNumber(
  { runtime, store }: { readonly runtime: Runtime; readonly store: Store },
  line: { readonly id: string; readonly home: string },
  of: 'dialled' | 'caller',
): Promise<string | undefined> {
  const live = [...runtime.lives.values()].map(({ state }) => state).filter((state) => state.homes.includes(line.home));
  const kept = await listSessions(store, { homes: [line.home], live: false, limit: LOOK_BACK });
  const newest = [...live, ...kept].toSorted((a, b) => b.createdAt - a.createdAt);
  for (const state of newest) {
    const number = numberIn(state, line.id, of);
    if (number !== undefined) return number === 'anonymous' ? undefined : number;
  }
  return undefined;
}

function numberIn({ kind, legs }: SessionState, line: string, of: 'dialled' | 'caller'): string | undefined {
  if (kind !== 'call' && kind !== 'house-call') return undefined;
  const [caller, ...callees] = legs;
  if (of === 'dialled') return caller?.line === line && callees.length > 0 ? caller.to : undefined;
  return callees.find((leg) => leg.line === line)?.from;
}
