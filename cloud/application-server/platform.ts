/** The open API as a platform, beside its routes: the feed of events, webhooks, keys, applications and consents. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { clientHandlers } from './access/clients.ts';
import { consentHandlers } from './access/consents.ts';
import { keyHandlers } from './access/keys.ts';
import { Dispatcher } from './events/dispatcher.ts';
import { Feed } from './events/feed.ts';
import { eventList } from './events/hearing.ts';
import { webhookHandlers } from './events/webhooks.ts';

export type PlatformVerb =
  | keyof ReturnType<typeof webhookHandlers>
  | keyof ReturnType<typeof keyHandlers>
  | keyof ReturnType<typeof clientHandlers>
  | keyof ReturnType<typeof consentHandlers>
  | 'event.list';

export interface Platform {
  readonly feed: Feed;
  readonly handlers: Pick<Handlers<'application-server'>, PlatformVerb>;
  /** Idempotent; what must last is in the store. */
  stop(): Promise<void>;
}

export function startPlatform(context: PartContext): Platform {
  const feed = new Feed(context.store, context.bus);
  const anyAddress = context.config.privateWebhooks === true;
  const dispatcher = new Dispatcher({ store: context.store, world: context.world, feed, anyAddress });
  return {
    feed,
    handlers: {
      'event.list': eventList(feed),
      ...webhookHandlers({ ...context, anyAddress, look: () => dispatcher.look() }),
      ...keyHandlers(context),
      ...clientHandlers(context),
      ...consentHandlers(context),
    },
    async stop() {
      feed.close();
      await dispatcher.stop();
    },
  };
}
