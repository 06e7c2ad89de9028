/** The oamp server: operation, administration, maintenance and provisioning. Puts the handlers on the bus and keeps their timers. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import type { GatewayRow } from '#cloud/store/directory.ts';
import { passes } from '#cloud/store/old-rows.ts';
import { accountHandlers } from './accounts.ts';
import { alarmHandlers } from './alarms.ts';
import { auditHandlers } from './audit.ts';
import { pushDocument, refreshVoice } from './desired.ts';
import { diagnosisHandlers } from './diagnosis.ts';
import { emergencyHandlers } from './emergency.ts';
import { gatewayHandlers, release } from './gateways.ts';
import { homeHandlers } from './homes.ts';
import { clean } from './housekeeping.ts';
import { lineHandlers } from './lines.ts';
import { Pairing } from './pairing.ts';
import { AS_OAMP, type Oamp } from './parts.ts';
import { presenceHandlers, recoverPresence } from './presence.ts';
import { releaseHandlers } from './releases.ts';
import { driveRetention, type Retention } from './retention-drive.ts';
import { driveRollouts, type RolloutDrive } from './rollout-drive.ts';
import { rolloutHandlers, stopRolloutsOf } from './rollouts.ts';
import { updateHandlers } from './updates.ts';
import { watch } from './watch.ts';

const HOUR = 3_600_000;

export const oamp: Part = {
  name: 'oamp',
  async start(context: PartContext): Promise<RunningPart> {
    const work = backgroundWork(context);
    const self: Oamp = { ...context, background: work.add, oneByOne: oneByOne() };
    const pairing = new Pairing(self);
    await recoverPresence(self);
    await pairing.resume();
    const rollouts = driveRollouts(self);
    const retention = driveRetention(self);
    const stopServing = context.bus.serve('oamp', handlers(self, pairing, rollouts, retention));
    const stopWatching = context.bus.subscribe('farm.changed', ({ server, state }) => {
      if (server === 'softswitch' && state === 'running') work.add(refreshConnected(self));
    });
    const stopTelling = context.bus.subscribe('features.changed', ({ home }) =>
      work.add(pushDocument(self, home, 'features')),
    );
    const stopAlarms = watch(self);
    const stopCleaning = passes(context.world.clock, HOUR, (goesOn) => clean(self, goesOn), work.add);
    return {
      health: () => ({ state: 'running', load: 0, legs: 0 }),
      async stop() {
        stopServing();
        stopWatching();
        stopTelling();
        stopAlarms();
        stopCleaning();
        rollouts.stop();
        retention.stop();
        pairing.stop();
        await work.done();
      },
    };
  },
};

function handlers(self: Oamp, pairing: Pairing, rollouts: RolloutDrive, retention: Retention): Handlers<'oamp'> {
  return {
    ...homeHandlers(self),
    ...lineHandlers(self),
    ...emergencyHandlers(self),
    ...gatewayHandlers(self, (row) => {
      pairing.unwatch(row.id);
      self.background(farewell(self, row));
    }),
    ...accountHandlers(self),
    ...alarmHandlers(self),
    ...auditHandlers(self),
    ...pairing.handlers(),
    ...presenceHandlers(self, pairing),
    ...diagnosisHandlers(self),
    ...releaseHandlers(self, (release) => stopRolloutsOf(self, release)),
    ...rolloutHandlers(self, rollouts),
    ...updateHandlers(self, rollouts),
    ...retention.handlers,
  };
}

/** A removed gateway's connections are cut, and one that is just being paired is told. */
async function farewell(self: Oamp, row: GatewayRow): Promise<void> {
  self.bus.publish('pairing.progress', { gateway: row.id, home: row.home, state: 'removed' });
  await release(self, row.id, 'unpaired');
  if (row.state === 'paired' || !self.bus.has('gateway-edge')) return;
  await self.bus.request('pairing.claimed', { keyHash: row.key_hash, claimed: false }, AS_OAMP);
}

/** The softswitch may listen elsewhere after a restart: connected gateways are told at once, the others at their hello. */
async function refreshConnected(self: Oamp): Promise<void> {
  const rows = await self.store.all<{ home: string }>('SELECT DISTINCT home FROM gateway WHERE online = 1');
  for (const { home } of rows) {
    const before = await voiceVersion(self, home);
    await refreshVoice(self, home);
    if ((await voiceVersion(self, home)) !== before) await pushDocument(self, home, 'voice');
  }
}

async function voiceVersion({ store }: Oamp, home: string): Promise<number | undefined> {
  const find = "SELECT version FROM desired WHERE home = ? AND doc = 'voice'";
  return (await store.one<{ version: number }>(find, [home]))?.version;
}

function backgroundWork({ world }: PartContext): { add(work: Promise<unknown>): void; done(): Promise<void> } {
  const open = new Set<Promise<unknown>>();
  return {
    add(work) {
      const watched: Promise<unknown> = work
        .catch((error: unknown) => world.log.error('oamp.background-failed', { error: String(error) }))
        .finally(() => open.delete(watched));
      open.add(watched);
    },
    async done() {
      while (open.size > 0) await Promise.all(open);
    },
  };
}

/** Lanes of one: each piece of work starts when the one before it in its lane has ended, however it ended. */
function oneByOne(): Oamp['oneByOne'] {
  const last = new Map<string, Promise<unknown>>();
  return (lane, work) => {
    const mine = (last.get(lane) ?? Promise.resolve()).then(work, work);
    last.set(lane, mine);
    return mine;
  };
}
