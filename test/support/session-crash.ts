/**
 * A process that makes calls through the session manager on a real store and says on standard output, in its own words and
 * before anything else happens, what was acknowledged. It dies (SIGKILL) at the crash point that it is told, or ends.
 *
 * Arguments: database file, crash point (0: none), number of calls.
 */
import { writeSync } from 'node:fs';
import type { Context } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { SELF } from '#cloud/session-manager/outbox.ts';
import { sessionManager } from '#cloud/session-manager/server.ts';
import { openStore } from '#cloud/store/server.ts';
import { hostWorld } from '#shared/host/world.ts';
import { CONFIG, newScript, OPERATOR, provision, scriptedServers } from './session-farm.ts';

const [path = '', crashAt = '0', calls = '5'] = process.argv.slice(2);
const say = (...words: string[]) => writeSync(1, `${words.join(' ')}\n`);

const world = hostWorld({ level: 'error' });
const bus = createBus({ log: world.log, clock: world.clock });
const store = await openStore(path, { crashAt: Number(crashAt) });
await provision(store);
// Home 1 pays in advance, so that its calls also reserve.
const context = { world, bus, store, config: CONFIG };
scriptedServers(bus, newScript(), world);
const parts = [await billing.start(context), await qos.start(context), await sessionManager.start(context)];
await bus.request('balance.set', { home: 'home_1', mode: 'prepaid', add: 1_000_000 }, OPERATOR);

const report = (session: string, leg: string, event: 'ringing' | 'answered' | 'ended') =>
  bus.request('leg.report', { session, leg, event, at: world.clock.wall() }, SELF);

for (let n = 0; n < Number(calls); n++) {
  const key: Context = { ...OPERATOR, idempotency: { scope: 'test', key: `key-${n}`, bodyHash: 'h' } };
  const created = await bus.request('call.create', { from: 'line_31', to: 'line_32' }, key);
  if (created.ok) say('created', `key-${n}`, created.value.id);
  if (created.ok) await bus.request('session.end', { session: created.value.id }, OPERATOR);
  const routed = await bus.request(
    'session.route',
    { call: `chn_${n}`, callId: `c${n}@x`, line: 'line_11', to: '+15550100021', at: 0, direct: false },
    SELF,
  );
  if (!routed.ok || routed.value.do !== 'ring') continue;
  const { session, callerLeg, targets } = routed.value;
  const callee = targets[0]?.leg ?? '';
  await report(session, callee, 'ringing');
  if ((await report(session, callee, 'answered')).ok) say('answered', session, callee);
  if ((await report(session, callerLeg, 'ended')).ok) say('ended', session, callerLeg, callee);
  const cdrs = await bus.request('cdr.list', { session }, OPERATOR);
  if (cdrs.ok) for (const cdr of cdrs.value.items) say('billed', cdr.id, String(cdr.price));
}
for (const part of parts.toReversed()) await part.stop();
await store.close();
say('done');
