/** The types of events that people and programs may ask for by name: `home.<resource>.v1.<what>`. Pure; `docs/api/events.md` says when each comes. */
import { distance } from '../kernel/spelling.ts';

/** By resource, what is told of it. */
const told = {
  session: [
    ...['created', 'added', 'reserved', 'instructed', 'opened', 'ringing', 'answered', 'taken', 'flagged'],
    ...['commanded', 'command-started', 'prompted', 'command-ended', 'digit', 'noted', 'leg-ended', 'ending', 'ended'],
  ],
  call: ['incoming'],
  message: ['accepted', 'delivered', 'read', 'expired', 'failed'],
  mail: ['received', 'queued', 'delivered', 'bounced'],
  qos: ['status-changed'],
  consent: ['granted', 'revoked'],
  install: ['installed', 'updated', 'removed'],
  applet: [
    ...['installed', 'verified', 'running', 'throttled', 'crashed', 'quarantined', 'stopped', 'refused', 'removed'],
  ],
  app: ['review', 'published', 'rejected', 'revoked'],
  barring: ['started', 'lifted'],
  emergency: ['called', 'refused'],
  alarm: ['raised', 'changed', 'acknowledged', 'cleared'],
  update: ['downloading', 'installing', 'rebooting', 'proving', 'good', 'back', 'failed'],
  rollout: ['started', 'stage', 'running', 'paused', 'stopped', 'done'],
  webhook: ['test'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Every type, whole. */
export const eventTypes: readonly string[] = Object.entries(told).flatMap(([resource, all]) =>
  all.map((what) => `home.${resource}.v1.${what}`),
);

/** Letters of a type that are compared. */
const LETTERS = 96;

/** Undefined for a type that there is, or the beginning of one with a star behind it; else the nearest of both kinds. */
export function nearestEventType(asked: string): string | undefined {
  const isBeginning = asked.endsWith('*');
  const text = isBeginning ? asked.slice(0, -1) : asked;
  if (eventTypes.some((type) => (isBeginning ? type.startsWith(text) : type === text))) return undefined;
  const names = isBeginning ? Object.keys(told).map((resource) => `home.${resource}.v1.*`) : eventTypes;
  const far = (name: string): number => distance(asked, name, LETTERS);
  return names.reduce((best, name) => (far(name) < far(best) ? name : best));
}
