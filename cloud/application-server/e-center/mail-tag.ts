/** Which applications have a mail address, and how it is called. Pure. */
import type { Manifest } from '#shared/protocol/applet-manifest.ts';

const RECEIVED = 'home.mail.v1.received';

/** Whether an application asked to hear of received mails. */
export function hearsMail({ events }: Pick<Manifest, 'events'>): boolean {
  return events.some((type) => type === RECEIVED || (type.endsWith('*') && RECEIVED.startsWith(type.slice(0, -1))));
}

/** The tag of an install's address, `app+TAG@domain`: readable, and like no other's. */
export function mailTag({ app, id }: { readonly app: string; readonly id: string }): string {
  return `${app.slice(0, 18)}-${id.slice(-12)}`;
}
