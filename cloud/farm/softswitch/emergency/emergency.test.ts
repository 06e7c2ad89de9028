import { expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { newRequest } from '#shared/sip/message.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Emergency, type EmergencyOptions } from './emergency.ts';

const call = { number: '112', service: 'urn:service:sos' };
const message = newRequest('INVITE', 'sip:112@hearthline', [['From', '<sip:x@y>']]);

test('of strangers’ calls only so many are written down, of those who are known every one', async () => {
  const world = new VirtualWorld({ seed: 1 });
  const host = world.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  let n = 0;
  const emergency = new Emergency({
    ...{ world: host, store, bus: createBus(host), domain: 'hearthline', newId: () => `emc_${n++}` },
    ...({} as Pick<EmergencyOptions, 'lines' | 'trunks' | 'addresses'>),
  });
  const written = async (by: string) => (await store.all('SELECT id FROM emergency_call WHERE by = ?', [by])).length;
  for (let i = 0; i < 100; i++) emergency.begin(call, { by: 'none' }, message);
  expect(await written('none')).toBe(20);
  await world.run(10_000);
  for (let i = 0; i < 10; i++) emergency.begin(call, { by: 'none' }, message);
  expect(await written('none')).toBe(22);
  const line = { id: 'line_1', home: 'home_1', number: '+15550100001' } as LineRow;
  for (let i = 0; i < 50; i++) emergency.begin(call, { by: 'credential', line, home: 'home_1' }, message);
  expect(await written('credential')).toBe(50);
  await store.close();
  world[Symbol.dispose]();
});
