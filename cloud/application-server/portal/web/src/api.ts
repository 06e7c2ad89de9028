/** The portal's one way to the cloud: verbs of the open API, over the session cookie. */

import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { faults } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply, VerbRequest, Verbs } from '#shared/protocol/verbs/index.ts';

type HttpOf<V extends VerbName> = Verbs[V] extends { readonly http: infer H } ? H : never;
type LineOf<V extends VerbName> =
  HttpOf<V> extends { readonly method: infer M extends string; readonly path: infer P extends string }
    ? `${M} ${P}`
    : never;

/** Method and path of every verb that the portal uses; the type checker holds each against the verb table. */
const lines = {
  'auth.sign-in': 'POST /v1/sign-in',
  'auth.sign-out': 'POST /v1/sign-out',
  'auth.self': 'GET /v1/self',
  'home.list': 'GET /v1/homes',
  'home.create': 'POST /v1/homes',
  'home.get': 'GET /v1/homes/{home}',
  'line.list': 'GET /v1/homes/{home}/lines',
  'line.create': 'POST /v1/homes/{home}/lines',
  'line.remove': 'DELETE /v1/homes/{home}/lines/{line}',
  'line.features.get': 'GET /v1/homes/{home}/lines/{line}/features',
  'line.features.set': 'PUT /v1/homes/{home}/lines/{line}/features',
  'gateway.list': 'GET /v1/homes/{home}/gateways',
  'gateway.get': 'GET /v1/homes/{home}/gateways/{gateway}',
  'gateway.claim': 'POST /v1/homes/{home}/gateways',
  'gateway.remove': 'DELETE /v1/homes/{home}/gateways/{gateway}',
  'device.list': 'GET /v1/homes/{home}/devices',
  'device.wake': 'POST /v1/homes/{home}/devices/{device}/wake',
  'media.list': 'GET /v1/media',
  'call.create': 'POST /v1/calls',
  'media.play': 'POST /v1/media-sessions',
  'conference.create': 'POST /v1/conferences',
  'conference.mute': 'POST /v1/sessions/{session}/legs/{leg}/mute',
  'conference.roster': 'GET /v1/conferences/{session}/roster',
  'session.list': 'GET /v1/sessions',
  'session.get': 'GET /v1/sessions/{session}',
  'session.end': 'DELETE /v1/sessions/{session}',
  'leg.add': 'POST /v1/sessions/{session}/legs',
  'leg.remove': 'DELETE /v1/sessions/{session}/legs/{leg}',
  'media.quality': 'GET /v1/sessions/{session}/legs/{leg}/quality',
  'call.hold': 'POST /v1/calls/{session}/hold',
  'call.unhold': 'POST /v1/calls/{session}/unhold',
  'call.record': 'POST /v1/calls/{session}/record',
  'call.stop': 'POST /v1/calls/{session}/commands/{command}/stop',
  'call.transfer': 'POST /v1/calls/{session}/transfer',
  'call.commands': 'GET /v1/calls/{session}/commands',
  'recording.list': 'GET /v1/recordings',
  'recording.audio': 'GET /v1/recordings/{recording}/audio',
  'recording.delete': 'DELETE /v1/recordings/{recording}',
  'cdr.list': 'GET /v1/cdrs',
  'balance.get': 'GET /v1/homes/{home}/balance',
  'balance.set': 'POST /v1/homes/{home}/balance',
  'account.list': 'GET /v1/accounts',
  'account.create': 'POST /v1/accounts',
  'audit.list': 'GET /v1/audit',
  'alarm.list': 'GET /v1/alarms',
  'alarm.acknowledge': 'POST /v1/alarms/{alarm}/acknowledge',
  'alarm.close': 'POST /v1/alarms/{alarm}/clear',
  'message.send': 'POST /v1/messages',
  'message.list': 'GET /v1/messages',
  'message.read': 'POST /v1/messages/{message}/read',
  'message.delete': 'DELETE /v1/messages/{message}',
  'group.create': 'POST /v1/groups',
  'group.list': 'GET /v1/groups',
  'group.delete': 'DELETE /v1/groups/{group}',
  'mailbox.create': 'POST /v1/mailboxes',
  'mailbox.list': 'GET /v1/mailboxes',
  'mailbox.set': 'POST /v1/mailboxes/{mailbox}',
  'mail.list': 'GET /v1/mails',
  'mail.get': 'GET /v1/mails/{mail}',
  'mail.attachment': 'GET /v1/mails/{mail}/attachments/{attachment}',
  'mail.mark': 'POST /v1/mails/{mail}/mark',
  'mail.delete': 'DELETE /v1/mails/{mail}',
  'mail.send': 'POST /v1/mails',
  'catalogue.list': 'GET /v1/catalogue',
  'install.create': 'POST /v1/homes/{home}/installs',
  'install.list': 'GET /v1/homes/{home}/installs',
  'install.update': 'POST /v1/installs/{install}/update',
  'install.remove': 'DELETE /v1/installs/{install}',
  'install.status': 'GET /v1/installs/{install}/status',
  'install.restart': 'POST /v1/installs/{install}/restart',
  'service.use.list': 'GET /v1/homes/{home}/service-uses',
  'service.allow': 'POST /v1/installs/{install}/services/{service}',
  'app.publish': 'POST /v1/apps',
  'app.list': 'GET /v1/apps',
  'app.review': 'POST /v1/apps/{app}/versions/{version}/review',
  'service.list': 'GET /v1/services',
  'key.create': 'POST /v1/keys',
  'key.list': 'GET /v1/keys',
  'key.revoke': 'DELETE /v1/keys/{key}',
  'webhook.create': 'POST /v1/webhooks',
  'webhook.list': 'GET /v1/webhooks',
  'webhook.delete': 'DELETE /v1/webhooks/{webhook}',
  'webhook.test': 'POST /v1/webhooks/{webhook}/test',
  'delivery.list': 'GET /v1/webhooks/{webhook}/deliveries',
  'delivery.replay': 'POST /v1/webhooks/{webhook}/deliveries/{delivery}/replay',
  'consent.list': 'GET /v1/consents',
  'consent.revoke': 'DELETE /v1/consents/{consent}',
  'consent.technician.grant': 'POST /v1/homes/{home}/technicians',
  'gateway.status': 'GET /v1/gateways/{gateway}/status',
  'gateway.check': 'GET /v1/gateways/{gateway}/check',
  'gateway.why': 'GET /v1/gateways/{gateway}/why',
  'gateway.logs': 'GET /v1/gateways/{gateway}/logs',
  'gateway.calls': 'GET /v1/gateways/{gateway}/calls',
  'gateway.trace': 'GET /v1/gateways/{gateway}/calls/{call}',
  'release.list': 'GET /v1/releases',
  'release.withdraw': 'POST /v1/releases/{release}/withdraw',
  'rollout.create': 'POST /v1/rollouts',
  'rollout.list': 'GET /v1/rollouts',
  'rollout.gateways': 'GET /v1/rollouts/{rollout}/gateways',
  'rollout.pause': 'POST /v1/rollouts/{rollout}/pause',
  'rollout.resume': 'POST /v1/rollouts/{rollout}/resume',
  'rollout.stop': 'POST /v1/rollouts/{rollout}/stop',
  'farm.list': 'GET /v1/farm',
  'farm.stop': 'POST /v1/farm/{server}/stop',
  'farm.start': 'POST /v1/farm/{server}/start',
} as const satisfies { readonly [V in VerbName]?: LineOf<V> };

/** Who is signed in. */
export type Self = VerbReply<'auth.self'>;

export type PortalVerb = keyof typeof lines;

/** What went wrong, as a person reads it. */
export interface Trouble {
  readonly code: string;
  readonly title: string;
  readonly next: string;
  readonly detail?: string;
  /** Whether asking again may help; `never`, or when. */
  readonly retry?: string;
}

export type Reply<T> = Result<T, Trouble>;

/** The window's event when the cloud no longer knows this sign-in. */
export const SIGNED_OUT = 'hearthline:signed-out';

const unreachable: Trouble = {
  code: 'unreachable',
  title: 'The cloud does not answer',
  next: 'Check this device’s network, then try again.',
  retry: 'later',
};

/** Trouble for a fault's code, such as the cause of a failed pairing. */
export function troubleOf(code: string): Trouble {
  const entry = Object.hasOwn(faults, code) ? faults[code as FaultCode] : faults.internal;
  return { code, title: entry.title, next: entry.next };
}

/** Calls a verb; trouble with the network is a value too. */
export async function call<V extends PortalVerb>(verb: V, request: VerbRequest<V>): Promise<Reply<VerbReply<V>>> {
  const [method = '', pattern = ''] = lines[verb].split(' ');
  const fields = new Map(Object.entries(request).filter(([, value]) => value !== undefined));
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = String(fields.get(name));
    fields.delete(name);
    return encodeURIComponent(value);
  });
  const sends = method === 'POST' || method === 'PUT';
  const url = sends || fields.size === 0 ? path : `${path}?${queryOf(fields)}`;
  const headers = sends ? { 'content-type': 'application/json', 'idempotency-key': key() } : undefined;
  const init = {
    method,
    ...(headers ? { headers } : {}),
    ...(sends ? { body: JSON.stringify(Object.fromEntries(fields)) } : {}),
  };
  try {
    const response = await fetch(url, init);
    if (response.ok) return ok((response.status === 204 ? {} : await response.json()) as VerbReply<V>);
    if (response.status === 401 && verb !== 'auth.sign-in') dispatchEvent(new Event(SIGNED_OUT));
    return err((await response.json()) as Trouble);
  } catch {
    return err(unreachable);
  }
}

/** Fields as a query; a list gives its name several times. */
function queryOf(fields: ReadonlyMap<string, unknown>): URLSearchParams {
  const several = ([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]);
  return new URLSearchParams([...fields].flatMap(several));
}

function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) => octet.toString(16).padStart(2, '0')).join(
    '',
  );
}

/** Calls `changed` after every event of a session, from its beginning until it ends; returns how to stop. */
export function follow(
  session: string,
  changed: (event: VerbReply<'session.events'>['items'][number]) => void,
): () => void {
  const source = new EventSource(`/v1/sessions/${encodeURIComponent(session)}/events`);
  source.onmessage = (message) => changed(JSON.parse(message.data));
  return () => source.close();
}

/** Calls `changed` for every event of some types at the homes that one may see, from now on; returns how to stop. */
export function listen(types: readonly string[], changed: () => void): () => void {
  const source = new EventSource(`/v1/events?${queryOf(new Map([['types', types]]))}`);
  source.onmessage = changed;
  return () => source.close();
}
