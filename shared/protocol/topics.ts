/**
 * Gateway topics (MQTT 3.1.1, QoS <= 1, nothing retained). The gateway writes below `hl/1/g/<gw>/`, the cloud below
 * `hl/1/d/<gw>/`; an unpaired gateway has `hl/1/p/<keyhash>/` alone, `up/…` from it and `down/…` to it. The access rule is
 * thus two lines, and a gateway sends one SUBSCRIBE.
 */
import { isId } from '../kernel/ids.ts';

export const upChannels = ['hello', 'reported', 'event', 'tele', 'req', 'res'] as const;
export const downChannels = ['cmd', 'res', 'desired'] as const;
export type UpChannel = (typeof upChannels)[number];
export type DownChannel = (typeof downChannels)[number];

export const gatewayUp = (gateway: string, channel: UpChannel) => `hl/1/g/${gateway}/${channel}`;
export const gatewayDown = (gateway: string, channel: DownChannel) => `hl/1/d/${gateway}/${channel}`;
export const gatewayFilter = (gateway: string) => `hl/1/d/${gateway}/#`;
export const applicantUp = (keyHash: string, channel: 'req' | 'res' = 'req') => `hl/1/p/${keyHash}/up/${channel}`;
export const applicantDown = (keyHash: string, channel: 'res' | 'cmd') => `hl/1/p/${keyHash}/down/${channel}`;
export const applicantFilter = (keyHash: string) => `hl/1/p/${keyHash}/down/#`;

/** Reads a topic that a gateway wrote; undefined unless it is exactly one of its own. */
export function readGatewayUp(topic: string): { gateway: string; channel: UpChannel } | undefined {
  const parts = topic.split('/');
  const [root, version, direction, gateway, channel] = parts;
  if (parts.length !== 5 || root !== 'hl' || version !== '1' || direction !== 'g') return undefined;
  if (gateway === undefined || !isId(gateway)) return undefined;
  const known = upChannels.find((name) => name === channel);
  return known === undefined ? undefined : { gateway, channel: known };
}
