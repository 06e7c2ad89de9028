/**
 * A process that removes what is old from a real database, on a clock that jumps, and dies (SIGKILL) at the n-th crash point, of which
 * there are two per commit: before it and after it. Arguments: database file, crash point (0: none).
 */

import type { Oamp } from '#cloud/farm/oamp/parts.ts';
import { driveRetention, PASS_EVERY } from '#cloud/farm/oamp/retention-drive.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { VirtualWorld } from '#simulator/world.ts';

const [path = '', crashAt = '0'] = process.argv.slice(2);
const store = openLocalStore(path);
const commit = store.commit.bind(store);
let points = 0;
const crashPoint = () => {
  if (++points === Number(crashAt)) process.kill(process.pid, 'SIGKILL');
};
store.commit = async (statements) => {
  crashPoint();
  const result = await commit(statements);
  crashPoint();
  return result;
};
const virtual = new VirtualWorld({ seed: 1 });
const world = virtual.host('cloud', ['10.0.0.1']);
const failed: unknown[] = [];
const background = (work: Promise<unknown>) => void work.catch((error: unknown) => failed.push(error));
const retention = driveRetention({ store, world, background } as unknown as Oamp);
await virtual.run(PASS_EVERY + 600_000);
retention.stop();
await store.close();
if (failed.length > 0) throw failed[0];
