/** Uses that cost a home something: written with what was used, taken from the balance by billing, once each. */
import { type Statement, sql } from './store.ts';

/** `amount` in micro-units, `wall` in ms. */
export function chargeRow(home: string, amount: number, wall: number): Statement {
  return sql('INSERT INTO charge (home, amount, at) VALUES (?, ?, ?)', home, amount, Math.round(wall));
}
