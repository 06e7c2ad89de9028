/** The verb table. A new verb is one entry in the file of its server; a new file is one line here. */
import type { GatewayChannel, ReplyOf, RequestOf, VerbEntry } from '../verb.ts';
import { appHostVerbs, appletCommandVerbs, appletVerbs } from './applet.ts';
import { billingVerbs } from './billing.ts';
import { callVerbs } from './call.ts';
import { callRouteVerbs } from './call-route.ts';
import { claimVerbs } from './claim.ts';
import { conferenceVerbs } from './conference.ts';
import { diagnosisVerbs } from './diagnosis.ts';
import { eCenterVerbs } from './e-center.ts';
import { emailVerbs } from './email.ts';
import { emergencyVerbs } from './emergency.ts';
import { enrolmentVerbs } from './enrolment.ts';
import { enumVerbs } from './enum.ts';
import { farmVerbs } from './farm.ts';
import { gatewayEdgeVerbs } from './gateway-edge.ts';
import { homeNetworkingVerbs } from './home-networking.ts';
import { identityVerbs } from './identity.ts';
import { lineFeatureVerbs } from './line-features.ts';
import { mediaVerbs } from './media.ts';
import { messagingVerbs } from './messaging.ts';
import { oampVerbs } from './oamp.ts';
import { outsideVerbs } from './outside.ts';
import { platformVerbs } from './platform.ts';
import { qosVerbs } from './qos.ts';
import { retentionVerbs } from './retention.ts';
import { rolloutVerbs } from './rollout.ts';
import { sessionManagerVerbs } from './session-manager.ts';
import { softswitchVerbs } from './softswitch.ts';
import { trunkVerbs } from './trunk.ts';
import { userAgentVerbs } from './user-agent.ts';

export const verbs = {
  ...oampVerbs,
  ...enrolmentVerbs,
  ...claimVerbs,
  ...gatewayEdgeVerbs,
  ...sessionManagerVerbs,
  ...callVerbs,
  ...callRouteVerbs,
  ...lineFeatureVerbs,
  ...softswitchVerbs,
  ...trunkVerbs,
  ...identityVerbs,
  ...enumVerbs,
  ...outsideVerbs,
  ...emergencyVerbs,
  ...mediaVerbs,
  ...conferenceVerbs,
  ...qosVerbs,
  ...billingVerbs,
  ...messagingVerbs,
  ...emailVerbs,
  ...homeNetworkingVerbs,
  ...farmVerbs,
  ...platformVerbs,
  ...eCenterVerbs,
  ...appletVerbs,
  ...appHostVerbs,
  ...userAgentVerbs,
  ...appletCommandVerbs,
  ...diagnosisVerbs,
  ...rolloutVerbs,
  ...retentionVerbs,
};

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
export type VerbRequest<V extends VerbName> = RequestOf<Verbs[V]>;
export type VerbReply<V extends VerbName> = ReplyOf<Verbs[V]>;
/** The verbs that one part serves. */
export type VerbsOf<S extends string> = { [V in VerbName]: Verbs[V]['server'] extends S ? V : never }[VerbName];

/** The entry of a verb named from outside; undefined for any other word (also for `__proto__` and its kin). */
export function verbEntry(name: string): VerbEntry | undefined {
  return Object.hasOwn(verbs, name) ? (verbs as Readonly<Record<string, VerbEntry>>)[name] : undefined;
}

/** The verbs that a gateway may meet on a channel. */
export function gatewayVerbs(channel: GatewayChannel): VerbName[] {
  return (Object.keys(verbs) as VerbName[]).filter((name) => verbEntry(name)?.gateway?.includes(channel));
}
