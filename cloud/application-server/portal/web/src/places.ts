/** Where each of the four people can go. */
import type { IconName } from './icon.tsx';

export interface Place {
  readonly to: string;
  readonly name: string;
  readonly icon: IconName;
}

const all = {
  overview: { to: '/', name: 'Overview', icon: 'overview' },
  homes: { to: '/homes', name: 'Homes', icon: 'homes' },
  sessions: { to: '/sessions', name: 'Sessions', icon: 'sessions' },
  messages: { to: '/messages', name: 'Messages', icon: 'message' },
  mail: { to: '/mail', name: 'Mail', icon: 'mail' },
  apps: { to: '/apps', name: 'Apps', icon: 'apps' },
  records: { to: '/records', name: 'Records', icon: 'records' },
  access: { to: '/access', name: 'Access', icon: 'access' },
  alarms: { to: '/alarms', name: 'Alarms', icon: 'alarms' },
  servers: { to: '/farm', name: 'Servers', icon: 'servers' },
  gateways: { to: '/gateways', name: 'Gateways', icon: 'gateways' },
  updates: { to: '/updates', name: 'Updates', icon: 'updates' },
  workshop: { to: '/e-center', name: 'E-center', icon: 'workshop' },
  keys: { to: '/keys', name: 'Keys and hooks', icon: 'keys' },
} as const satisfies Readonly<Record<string, Place>>;

/** In order of use: a narrow screen shows the first four and keeps the others behind "More". */
const byRole: Readonly<Record<string, readonly Place[]>> = {
  subscriber: [all.overview, all.messages, all.apps, all.mail, all.homes, all.records, all.access, all.keys],
  operator: [
    ...[all.overview, all.homes, all.sessions, all.alarms, all.gateways, all.updates, all.servers, all.records],
    ...[all.messages, all.mail, all.apps, all.workshop, all.keys],
  ],
  technician: [all.gateways, all.homes, all.alarms, all.servers],
  developer: [all.workshop, all.keys, all.apps],
};

/** Places beyond this many stand behind "More" on a narrow screen. */
export const IN_REACH = 4;

export function placesOf(role: string): readonly Place[] {
  return byRole[role] ?? [];
}

/** The page that a person sees first. */
export function firstOf(role: string): string {
  return placesOf(role)[0]?.to ?? '/';
}
