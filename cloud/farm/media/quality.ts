/** What an endpoint's counters say about how its call sounds. */
import type { EndpointStats } from '#shared/media-engine/engine.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { opinion, rating } from '#shared/rtp/quality.ts';

/** Delay of a packet's own length, the jitter buffer's least and the sound card, ms: what no network can spare. */
const FIXED_DELAY = 60;

/**
 * The estimate of the E-model for both directions: what we hear (our counts), and what the other side hears (its RTCP).
 * Where RTCP has not told the round trip, the network counts as without delay.
 */
export function quality(stats: EndpointStats): VerbReply<'media.quality'> {
  const delay = FIXED_DELAY + (stats.roundTrip ?? 0) / 2 + stats.jitter;
  const loss = stats.received === 0 ? 0 : stats.lost / (stats.received + stats.lost);
  const share = (value: number): number => Math.round(value * 1000) / 1000;
  const estimate = (part: number): number => Math.round(opinion(rating(delay, part)) * 100) / 100;
  return {
    sent: stats.sent,
    received: stats.received,
    lost: stats.lost,
    refused: stats.refused,
    jitter: share(stats.jitter),
    ...(stats.roundTrip === undefined ? {} : { roundTrip: share(stats.roundTrip) }),
    estimate: estimate(loss),
    ...(stats.remoteLoss === undefined ? {} : { remoteEstimate: estimate(stats.remoteLoss) }),
  };
}
