/**
 * What a cloud half can ask for. It acts as an account with the role subscriber, the one home that consented and the granted scopes,
 * and by the same rules as anybody at the open API.
 */
import Type from 'typebox';
import type { Context, Principal } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { gatewaysOfHome } from '#cloud/store/directory.ts';
import { sql } from '#cloud/store/store.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { canonical } from '#shared/protocol/canonical.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { request } from '#shared/protocol/schema.ts';
import { type VerbName, type VerbRequest, verbEntry } from '#shared/protocol/verbs/index.ts';
import { homeFault, mayCall } from '../open-api/access.ts';
import type { HalfFacts } from './half.ts';

/** Names that an install may store, characters of each value as JSON, timers. */
export const STORAGE_NAMES = 256;
export const STORAGE_VALUE = 16_384;
export const TIMERS_LIMIT = 32;
const TIMER_AHEAD = 400 * 86_400_000;

const Name = Type.String({ minLength: 1, maxLength: 64 });
const inputs = {
  api: request({
    verb: Type.String({ maxLength: 64 }),
    request: Type.Object({}, { additionalProperties: true }),
    key: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' })),
  }),
  'storage.get': request({ name: Name }),
  'storage.set': request({ name: Name, value: Type.Unknown() }),
  'storage.remove': request({ name: Name }),
  'storage.list': request({}),
  'timer.set': request({
    name: Name,
    at: Type.Integer({ minimum: 0 }),
    every: Type.Optional(Type.Integer({ minimum: 1000, maximum: TIMER_AHEAD })),
    data: Type.Optional(Type.Unknown()),
  }),
  'timer.cancel': request({ name: Name }),
  'half.send': request({ body: Type.Unknown(), gateway: Type.Optional(Type.String({ maxLength: 64 })) }),
  'service.call': request({ service: Name, method: Name, input: Type.Optional(Type.Unknown()) }),
};
type Inputs = { readonly [F in keyof typeof inputs]: Type.Static<(typeof inputs)[F]> };
type FunctionName = keyof typeof inputs;
type Answer = Promise<Result<unknown, Fault>>;

function isFunction(name: string): name is FunctionName {
  return Object.hasOwn(inputs, name);
}

/** Carries out a function for a cloud half; input of another form is refused. */
export function callFunction(context: PartContext, half: HalfFacts, name: string, input: unknown): Answer {
  if (!isFunction(name))
    return Promise.resolve(err(fault('not_permitted', `A cloud half has no function ${name}.`.slice(0, 200))));
  const wrong = misfit(inputs[name], input);
  if (wrong !== undefined) return Promise.resolve(err(wrong));
  const run = functions[name] as (context: PartContext, half: HalfFacts, input: unknown) => Answer;
  return run(context, half, input);
}

function principalOf({ install, home, consent }: HalfFacts): Extract<Principal, { kind: 'account' }> {
  const scopes = consent.filter((key) => key.startsWith('scope:')).map((key) => key.slice('scope:'.length));
  return { kind: 'account', account: install, role: 'subscriber', homes: [home], scopes };
}

const functions: { readonly [F in FunctionName]: (context: PartContext, half: HalfFacts, input: Inputs[F]) => Answer } =
  {
    async api({ bus, world }, half, { verb, request: body, key }) {
      const entry = verbEntry(verb);
      if (entry?.http === undefined || entry.http.open === true || entry.http.stream === true)
        return err(fault('not_permitted', `${verb} is no operation of the open API.`));
      const principal = principalOf(half);
      const refused = mayCall(entry, principal);
      if (refused !== undefined) return err(fault('not_permitted', refused.detail));
      const wrong = misfit(entry.request, body) ?? homeFault(principal, body as Readonly<Record<string, unknown>>);
      if (wrong !== undefined) return err(wrong);
      const idempotency =
        key === undefined
          ? undefined
          : {
              scope: `${half.install} ${verb}`,
              key,
              bodyHash: hex(world.crypto.hash('sha256', utf8(canonical(body)))),
            };
      const asked: Context = { principal, ...(idempotency === undefined ? {} : { idempotency }) };
      return bus.request(verb as VerbName, body as VerbRequest<VerbName>, asked, 20_000);
    },

    async 'storage.get'({ store }, { install }, { name }) {
      const row = await store.one<{ value: string }>(
        'SELECT value FROM install_storage WHERE install = ? AND name = ?',
        [install, name],
      );
      return ok(row === undefined ? null : (JSON.parse(row.value) as unknown));
    },

    async 'storage.set'({ store }, { install }, { name, value }) {
      const text = JSON.stringify(value);
      if (text.length > STORAGE_VALUE)
        return err(fault('too_large', `A value has at most ${STORAGE_VALUE} characters as JSON.`));
      const count = await store.one<{ n: number }>(
        'SELECT COUNT(*) AS n FROM install_storage WHERE install = ? AND name <> ?',
        [install, name],
      );
      if ((count?.n ?? 0) >= STORAGE_NAMES) return err(fault('limit_reached', `At most ${STORAGE_NAMES} names.`));
      const put =
        'INSERT INTO install_storage (install, name, value) SELECT id, ?, ? FROM install WHERE id = ? ON CONFLICT (install, name) DO UPDATE SET value = excluded.value';
      await store.commit([sql(put, name, text, install)]);
      return ok(null);
    },

    async 'storage.remove'({ store }, { install }, { name }) {
      await store.commit([sql('DELETE FROM install_storage WHERE install = ? AND name = ?', install, name)]);
      return ok(null);
    },

    async 'storage.list'({ store }, { install }) {
      const rows = await store.all<{ name: string }>(
        'SELECT name FROM install_storage WHERE install = ? ORDER BY name',
        [install],
      );
      return ok(rows.map(({ name }) => name));
    },

    async 'timer.set'({ store, world }, { install }, { name, at, every, data }) {
      if (at > world.clock.wall() + TIMER_AHEAD) return err(fault('bad_request', 'A timer rings within 400 days.'));
      const text = data === undefined ? null : JSON.stringify(data);
      if (text !== null && text.length > STORAGE_VALUE) return err(fault('too_large'));
      const count = await store.one<{ n: number }>(
        'SELECT COUNT(*) AS n FROM install_timer WHERE install = ? AND name <> ?',
        [install, name],
      );
      if ((count?.n ?? 0) >= TIMERS_LIMIT) return err(fault('limit_reached', `At most ${TIMERS_LIMIT} timers.`));
      const put =
        'INSERT INTO install_timer (install, name, due_at, every, data) SELECT id, ?, ?, ?, ? FROM install WHERE id = ? ON CONFLICT (install, name) DO UPDATE SET due_at = excluded.due_at, every = excluded.every, data = excluded.data';
      await store.commit([sql(put, name, at, every ?? null, text, install)]);
      return ok(null);
    },

    async 'timer.cancel'({ store }, { install }, { name }) {
      await store.commit([sql('DELETE FROM install_timer WHERE install = ? AND name = ?', install, name)]);
      return ok(null);
    },

    async 'half.send'({ store, bus }, { install, home, version, manifest }, { body, gateway }) {
      if (manifest.applet === undefined) return err(fault('not_permitted', 'The application has no applet.'));
      const gateways = (await gatewaysOfHome(store, home)).filter(
        (row) => row.online === 1 && (gateway === undefined || row.id === gateway),
      );
      if (gateways.length === 0) return err(fault('gateway_offline'));
      const asked: Context = { principal: { kind: 'part', part: 'app-host' } };
      let refused: Fault | undefined;
      let delivered = 0;
      for (const { id } of gateways) {
        const command = { gateway: id, verb: 'applet.deliver', body: { install, version, body }, timeout: 8000 };
        const outcome = await bus.request('gateway.command', command, asked);
        if (outcome.ok) delivered++;
        else refused = outcome.fault;
      }
      return delivered === 0 && refused !== undefined ? err(refused) : ok({ delivered });
    },

    async 'service.call'({ bus }, half, { service, method, input }) {
      const asked: Context = { principal: principalOf(half) };
      const outcome = await bus.request(
        'service.call',
        { home: half.home, service, method, ...(input === undefined ? {} : { input }) },
        asked,
        20_000,
      );
      return outcome.ok ? ok(outcome.value.result) : outcome;
    },
  };
