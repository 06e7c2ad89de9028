/** What a user applet can ask of its gateway. Every function is judged by the grants first. */
import Type from 'typebox';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError, type World } from '#shared/kernel/world.ts';
import type { Permissions } from '#shared/protocol/applet-manifest.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { literals, request } from '#shared/protocol/schema.ts';
import { type VerbName, type VerbRequest, verbEntry } from '#shared/protocol/verbs/index.ts';
import type { Agent } from '../agent/agent.ts';
import type { DeviceFacts } from '../home-network/inventory.ts';
import { isLocalAddress, matches, mayAsk, mayReach, mayRing } from './permissions.ts';
import type { AppletStorage } from './storage.ts';

/** A reply of an appliance: octets at most, and ms until it is there. */
const LAN_LIMIT = 64 * 1024;
const LAN_TIME = 5_000;
export const APPLET_TIMERS = 16;
/** Characters of a message to the cloud half, as JSON. */
const SEND_LIMIT = 16_384;
/** Lines that one call may ring. */
export const RING_MOST = 16;

/** One applet as its functions see it. */
export interface AppletScope {
  readonly install: string;
  readonly version: string;
  readonly permissions: Permissions;
  readonly storage: AppletStorage;
  /** Sessions that it started, newest last. */
  readonly sessions: Set<string>;
  /** Marks of its sendings within the last second, mono ms. */
  readonly sent: number[];
  /** The timers were changed: wind the alarm. */
  readonly wind: () => void;
}

export interface GatewaySide {
  readonly world: World;
  readonly agent: () => Agent | undefined;
  readonly devices: () => readonly DeviceFacts[];
  /** Rings phones of the house for a call that waits for that; false where it does not, or none is there. */
  readonly ring: (call: string, numbers: readonly string[]) => boolean;
}

const Name = Type.String({ minLength: 1, maxLength: 64 });
const inputs = {
  api: request({
    verb: Type.String({ maxLength: 64 }),
    request: Type.Object({}, { additionalProperties: true }),
    key: Type.Optional(Type.String()),
  }),
  'storage.get': request({ name: Name }),
  'storage.set': request({ name: Name, value: Type.Unknown() }),
  'storage.remove': request({ name: Name }),
  'storage.list': request({}),
  'timer.set': request({
    name: Name,
    at: Type.Integer({ minimum: 0 }),
    every: Type.Optional(Type.Integer({ minimum: 1000, maximum: 400 * 86_400_000 })),
    data: Type.Optional(Type.Unknown()),
  }),
  'timer.cancel': request({ name: Name }),
  'half.send': request({ body: Type.Unknown() }),
  'house.ring': request({
    call: Name,
    numbers: Type.Array(Type.String({ minLength: 1, maxLength: 32 }), { minItems: 1, maxItems: RING_MOST }),
  }),
  'lan.devices': request({}),
  'lan.http': request({
    device: Type.String({ minLength: 1, maxLength: 128 }),
    method: literals('GET', 'POST', 'PUT'),
    path: Type.String({ minLength: 1, maxLength: 256 }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    body: Type.Optional(Type.String({ maxLength: LAN_LIMIT })),
  }),
};
type Inputs = { readonly [F in keyof typeof inputs]: Type.Static<(typeof inputs)[F]> };
type FunctionName = keyof typeof inputs;
type Answer = Promise<Result<unknown, Fault>>;
type Run<F extends FunctionName> = (side: GatewaySide, applet: AppletScope, input: Inputs[F]) => Answer;

/** Carries out a function for an applet. */
export function callFunction(side: GatewaySide, applet: AppletScope, name: string, input: unknown): Answer {
  if (!Object.hasOwn(inputs, name))
    return Promise.resolve(err(fault('not_permitted', `An applet has no function ${name}.`.slice(0, 200))));
  const known = name as FunctionName;
  const wrong = misfit(inputs[known], input);
  return wrong === undefined
    ? (functions[known] as Run<FunctionName>)(side, applet, input as never)
    : Promise.resolve(err(wrong));
}

const notGranted = (name: string) => err(fault('not_permitted', `${name}: not granted.`));

const functions: { readonly [F in FunctionName]: Run<F> } = {
  async api({ agent }, applet, { verb, request: body }) {
    const refused = mayAsk(applet.permissions, verb, fieldsOf(body), applet.sessions.size);
    if (refused !== undefined) return err(refused);
    const entry = verbEntry(verb);
    const wrong = entry === undefined ? fault('not_found') : misfit(entry.request, body);
    if (wrong !== undefined) return err(wrong);
    const link = agent();
    if (link === undefined) return err(fault('gateway_offline', 'The gateway is not paired.'));
    const outcome = await link.request(verb as VerbName, body as VerbRequest<VerbName>, 20_000);
    if (outcome.ok) follow(applet, verb, fieldsOf(body), outcome.value);
    return outcome;
  },

  async 'storage.get'(_side, { storage, permissions }, { name }) {
    return permissions.storage === undefined ? notGranted('storage') : ok(storage.get(name));
  },
  async 'storage.set'(_side, { storage, permissions }, { name, value }) {
    const grant = permissions.storage;
    if (grant === undefined) return notGranted('storage');
    return (await storage.set(name, value, grant.kb * 1024))
      ? ok(null)
      : err(fault('limit_reached', `The applet may keep ${grant.kb} kB.`));
  },
  async 'storage.remove'(_side, { storage, permissions }, { name }) {
    if (permissions.storage === undefined) return notGranted('storage');
    await storage.remove(name);
    return ok(null);
  },
  async 'storage.list'(_side, { storage, permissions }) {
    return permissions.storage === undefined ? notGranted('storage') : ok(storage.names());
  },

  async 'timer.set'(_side, { storage, permissions, wind }, { name, at, every, data }) {
    const grant = permissions.timer;
    if (grant === undefined) return notGranted('timer');
    if (every !== undefined && every < grant.minimum)
      return err(fault('not_permitted', `timer: at most every ${grant.minimum} ms.`));
    const others = storage.timers().filter((timer) => timer.name !== name);
    if (others.length >= APPLET_TIMERS) return err(fault('limit_reached', `At most ${APPLET_TIMERS} timers.`));
    await storage.setTimer({
      name,
      at,
      ...(every === undefined ? {} : { every }),
      ...(data === undefined ? {} : { data }),
    });
    wind();
    return ok(null);
  },
  async 'timer.cancel'(_side, { storage, permissions }, { name }) {
    if (permissions.timer === undefined) return notGranted('timer');
    await storage.removeTimer(name);
    return ok(null);
  },

  async 'half.send'({ agent, world }, applet, { body }) {
    const grant = applet.permissions['cloud.send'];
    if (grant === undefined) return notGranted('cloud.send');
    if (JSON.stringify(body).length > SEND_LIMIT)
      return err(fault('too_large', `A message has at most ${SEND_LIMIT} characters as JSON.`));
    const now = world.clock.mono();
    while ((applet.sent[0] ?? now) < now - 1000) applet.sent.shift();
    if (applet.sent.length >= grant.perSecond)
      return err(fault('rate_limited', `At most ${grant.perSecond} messages per second.`));
    applet.sent.push(now);
    const link = agent();
    if (link === undefined) return err(fault('gateway_offline', 'The gateway is not paired.'));
    const { install, version } = applet;
    const told = await link.report('applet.message', { install, version, body }, { order: `applet ${install}` });
    return told.ok ? ok(null) : told;
  },

  async 'house.ring'({ ring }, { permissions }, { call, numbers }) {
    const refused = mayRing(permissions, numbers);
    if (refused !== undefined) return err(refused);
    return ring(call, numbers) ? ok(null) : err(fault('conflict', 'The call does not wait, or no such phone is on.'));
  },

  async 'lan.devices'({ devices }, { permissions }) {
    const grant = permissions['lan.discover'];
    if (grant === undefined) return notGranted('lan.discover');
    const seen = devices().filter(({ kind }) => matches(grant.types, kind));
    return ok(seen.map(({ id, name, kind }) => ({ id, name, kind })));
  },

  async 'lan.http'(side, { permissions }, input) {
    const known = side.devices().find(({ id, name }) => id === input.device || name === input.device);
    // What an applet may not reach, it may not learn the existence of either.
    const refused = mayReach(permissions, known ?? { name: input.device, kind: input.device }, input);
    if (refused !== undefined) return err(refused);
    if (known === undefined || !isLocalAddress(known.address))
      return err(fault('not_found', 'No such device is on the LAN now.'));
    return reach(side.world, known.address, input);
  },
};

function fieldsOf(body: object): Readonly<Record<string, unknown>> {
  return { ...body };
}

async function reach(world: World, address: string, { method, path, port = 80, body }: Inputs['lan.http']): Answer {
  const host = address.includes(':') ? `[${address}]` : address;
  try {
    const reply = await world.http.request({
      method,
      url: `http://${host}:${port}${path}`,
      limit: LAN_LIMIT,
      timeout: LAN_TIME,
      ...(body === undefined || method === 'GET' ? {} : { body }),
    });
    return ok({ status: reply.status, body: reply.body.slice(0, LAN_LIMIT / 4) });
  } catch (error) {
    if (error instanceof NetError) return err(fault('timeout', `The device does not answer (${error.code}).`));
    throw error;
  }
}

/** Sessions count until they were ended or seen ended. */
function follow(
  { sessions }: AppletScope,
  verb: string,
  body: Readonly<Record<string, unknown>>,
  value: unknown,
): void {
  const { id, state } = value as { id?: string; state?: string };
  if ((verb === 'call.create' || verb === 'media.play') && id !== undefined) sessions.add(id);
  if (verb === 'session.end' || (verb === 'session.get' && state === 'ended')) sessions.delete(String(body.session));
}
