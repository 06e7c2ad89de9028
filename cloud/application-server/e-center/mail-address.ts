/**
 * The mail address of an installed application: whoever writes to it starts the application (event `home.mail.v1.received` with the install
 * as its subject). Only an application that hears of received mails gets one. The e-mail server owns the address; it is asked again at
 * every start, so a moment without it costs nothing but time.
 */
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import { AS_E_CENTER, type ECenter } from './parts.ts';
import { type InstallRow, manifestOf, versionRow } from './rows.ts';

const RECEIVED = 'home.mail.v1.received';

/** Whether an application asked to hear of received mails. */
export function hearsMail({ events }: Pick<Manifest, 'events'>): boolean {
  return events.some((type) => type === RECEIVED || (type.endsWith('*') && RECEIVED.startsWith(type.slice(0, -1))));
}

/** The tag of an install's address, `app+TAG@domain`: readable, and like no other's. */
export function mailTag({ app, id }: Pick<InstallRow, 'app' | 'id'>): string {
  return `${app.slice(0, 18)}-${id.slice(-12)}`;
}

/** Makes the address where there is none yet; harmless when there is. */
export async function giveMailAddress(self: ECenter, row: InstallRow): Promise<void> {
  const version = await versionRow(self.store, row.app, row.version);
  if (version === undefined || !hearsMail(manifestOf(version))) return;
  const request = { home: row.home, subject: row.id, tag: mailTag(row) };
  const made = await self.bus.request('mail.tag.create', request, AS_E_CENTER);
  if (!made.ok) self.world.log.warn('e-center.mail-address', { install: row.id, fault: made.fault.code });
}

/** Takes the address away with the mails that were kept for it; harmless when there is none. */
export async function takeMailAddress(self: ECenter, row: InstallRow): Promise<void> {
  const gone = await self.bus.request('mail.tag.remove', { tag: mailTag(row) }, AS_E_CENTER);
  if (!gone.ok) self.world.log.warn('e-center.mail-address', { install: row.id, fault: gone.fault.code });
}

/** At every start: whoever should have an address has one. */
export async function giveMailAddresses(self: ECenter): Promise<void> {
  for (const row of await self.store.all<InstallRow>('SELECT * FROM install ORDER BY id'))
    await giveMailAddress(self, row);
}
