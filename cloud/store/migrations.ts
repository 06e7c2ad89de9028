/** The one set of migrations, in order; a released one is never changed. */
import type { Migration } from './migration.ts';
import { billingSchema } from './schema/billing.ts';
import { callSchema } from './schema/call.ts';
import { callRowSchema } from './schema/call-row.ts';
import { chargeSchema } from './schema/charge.ts';
import { directorySchema } from './schema/directory.ts';
import { eCenterSchema } from './schema/e-center.ts';
import { emailSchema } from './schema/email.ts';
import { eventSchema } from './schema/event.ts';
import { farmSchema } from './schema/farm.ts';
import { featureStampsSchema } from './schema/feature-stamps.ts';
import { gatewayClaimSchema } from './schema/gateway-claim.ts';
import { gatewaySeenSchema } from './schema/gateway-seen.ts';
import { homeNetworkingSchema } from './schema/home-networking.ts';
import { leanCallSchema } from './schema/lean-call.ts';
import { messagingSchema } from './schema/messaging.ts';
import { outsideCallSchema } from './schema/outside-call.ts';
import { pinTriesSchema } from './schema/pin-tries.ts';
import { platformSchema } from './schema/platform.ts';
import { retentionSchema } from './schema/retention.ts';
import { rolloutSchema } from './schema/rollout.ts';
import { sessionSchema } from './schema/session.ts';
import { softswitchProcessSchema } from './schema/softswitch-process.ts';
import { subscriptionSchema } from './schema/subscription.ts';
import { trunkSchema } from './schema/trunk.ts';
import { verifiedCallerSchema } from './schema/verified-caller.ts';

export const migrations: readonly Migration[] = [
  directorySchema,
  sessionSchema,
  billingSchema,
  farmSchema,
  homeNetworkingSchema,
  eventSchema,
  messagingSchema,
  emailSchema,
  platformSchema,
  eCenterSchema,
  callSchema,
  gatewaySeenSchema,
  gatewayClaimSchema,
  rolloutSchema,
  trunkSchema,
  chargeSchema,
  verifiedCallerSchema,
  featureStampsSchema,
  subscriptionSchema,
  softswitchProcessSchema,
  outsideCallSchema,
  leanCallSchema,
  callRowSchema,
  pinTriesSchema,
  retentionSchema,
];
