/** The service session manager: serves its verbs, keeps every living session, and reconciles with the farm. */
import type { Part, PartContext } from '#cloud/bus/part.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { callHandlers } from './call-verbs.ts';
import { createHandlers, SESSIONS } from './create.ts';
import { Features } from './feature-documents.ts';
import { featureHandlers } from './features.ts';
import { CallRoutes, incomingHandlers } from './incoming.ts';
import { manageHandlers } from './manage.ts';
import { SELF, sendCommand } from './outbox.ts';
import { Pins } from './pins.ts';
import { type Existing, reconcile } from './recovery.ts';
import { createResolver } from './resolve.ts';
import { routeHandlers } from './route.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { liveLegs } from './session.ts';
import { createFinder } from './take-over.ts';
import { transferHandlers } from './transfer.ts';
import { voiceHandlers } from './voice.ts';

/** Milliseconds between two reconciliations. */
const RECONCILE_EVERY = 30_000;
/** Milliseconds after a server's return: long enough for it to have read what it holds. */
const AFTER_RETURN = 500;
/** Milliseconds that a server may take to list what it has. */
const LIST_WITHIN = 5_000;

export const sessionManager: Part = {
  name: 'session-manager',
  async start(context) {
    const runtime = await createRuntime(context);
    const resolver = createResolver(context);
    const finder = createFinder(context, runtime);
    const routes = new CallRoutes(context.store);
    const features = new Features(context);
    await features.publishMissing();
    const pins = new Pins(context);
    await pins.load();
    const leave = context.bus.serve('session-manager', {
      ...createHandlers(context, runtime, resolver),
      ...voiceHandlers(context, runtime, resolver),
      ...routeHandlers(context, { runtime, resolver, routes, features, finder, pins }),
      ...featureHandlers(context, features, resolver),
      ...manageHandlers(context, runtime, resolver, finder.takeOver),
      ...callHandlers(context, runtime, finder),
      ...transferHandlers(context, runtime, resolver, finder, features),
      ...incomingHandlers(context, runtime, finder, routes),
    });
    const forget = context.bus.subscribe('leg.digit', ({ session, leg, digit, duration }) => {
      // A step that fails is in the log.
      runtime.step(session, { on: 'digit', leg, digit, duration })?.catch(() => undefined);
    });
    const unheed = context.bus.subscribe('leg.muted', ({ session, leg, muted }) => {
      runtime.step(session, { on: 'flag', leg, muted })?.catch(() => undefined);
    });
    const stopReconciling = keepReconciled(context, runtime);
    return {
      health: () => ({ state: 'running', load: runtime.lives.size / SESSIONS, legs: legs(runtime) }),
      async stop() {
        leave();
        forget();
        resolver.stop();
        unheed();
        stopReconciling();
        await runtime.stop();
      },
    };
  },
};

function legs(runtime: Runtime): number {
  let count = 0;
  for (const live of runtime.lives.values()) count += liveLegs(live.state).length;
  return count;
}

/** Reconciles now, every 30 s, and when a server has come back. */
function keepReconciled({ bus, world }: PartContext, runtime: Runtime): () => void {
  const { clock, log } = world;
  let timer: Timer | undefined;
  let running = false;
  let stopped = false;

  async function round(): Promise<void> {
    const existing = await listExisting(bus);
    if (stopped) return;
    const sessions = [...runtime.lives.values()].map((live) => live.state);
    for (const decision of reconcile(sessions, existing)) {
      if (decision.do === 'send') await sendCommand(bus, decision.command);
      else if (decision.do === 'silent')
        await runtime.step(decision.session, { on: 'sound', sound: decision.sound, failed: decision.failed });
      else if (decision.do === 'missing') await runtime.step(decision.session, { on: 'missing', leg: decision.leg });
      else {
        const { session, do: _, ...seen } = decision;
        await runtime.step(session, { on: 'seen', ...seen });
      }
    }
    runtime.outbox.retry();
  }

  function next(wait: number): void {
    timer?.cancel();
    timer = clock.at(clock.mono() + wait, () => {
      next(RECONCILE_EVERY);
      if (running) return;
      running = true;
      round()
        .catch((error) => log.error('session.reconcile-failed', { error: String(error) }))
        .finally(() => {
          running = false;
        });
    });
  }

  next(AFTER_RETURN);
  const forget = bus.subscribe('farm.changed', ({ state }) => {
    if (state !== 'stopped') next(AFTER_RETURN);
  });
  return () => {
    stopped = true;
    timer?.cancel();
    forget();
  };
}

/** Asks every server at once; one that does not answer is left out. */
async function listExisting(bus: PartContext['bus']): Promise<Existing> {
  const [channels, media, rooms, qos, billing] = await Promise.all([
    bus.request('channel.list', {}, SELF, LIST_WITHIN),
    bus.request('media.endpoint.list', {}, SELF, LIST_WITHIN),
    bus.request('conference.room.list', {}, SELF, LIST_WITHIN),
    bus.request('qos.list', {}, SELF, LIST_WITHIN),
    bus.request('billing.reservation.list', {}, SELF, LIST_WITHIN),
  ]);
  return {
    ...(channels.ok ? { channels: channels.value.items } : {}),
    ...(media.ok ? { media: media.value.items } : {}),
    ...(rooms.ok ? { rooms: rooms.value.items } : {}),
    ...(qos.ok ? { qos: qos.value.items } : {}),
    ...(billing.ok ? { billing: billing.value.items } : {}),
  };
}
