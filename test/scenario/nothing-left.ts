/** What has to hold once all calls are over. */
import type { Operator } from './operator.ts';

/** Nothing is left, and every leg of every session has exactly one record. */
export async function nothingLeft(operator: Operator): Promise<string[]> {
  const faults: string[] = [];
  for (const verb of ['channel.list', 'media.endpoint.list'] as const) {
    const { items } = await operator.ask(verb, {});
    if (items.length > 0) faults.push(`${items.length} of ${verb}`);
  }
  for (const table of ['channel', 'spool'])
    if ((await operator.store.all(`SELECT 1 FROM ${table}`)).length > 0) faults.push(`rows of ${table}`);
  const records = new Map<string, number>();
  for (const { leg } of (await operator.ask('cdr.list', { limit: 200 })).items)
    records.set(leg, (records.get(leg) ?? 0) + 1);
  for (const { id, state, legs } of (await operator.ask('session.list', { limit: 200 })).items) {
    if (state !== 'ended') faults.push(`${id} is ${state}`);
    for (const leg of legs) {
      if (records.get(leg.id) !== 1) faults.push(`leg ${leg.id} of ${id} has ${records.get(leg.id) ?? 0} records`);
      records.delete(leg.id);
    }
  }
  return [...faults, ...[...records.keys()].map((leg) => `a record of no leg: ${leg}`)];
}
