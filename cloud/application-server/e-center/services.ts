/** Network service applications: used by people and by applications, which are metered and can be cut off. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { chargeRow } from '#cloud/store/charge.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import {
  ENTRIES_LIMIT,
  ENTRY_SIZE,
  type Service,
  type ServiceContext,
  type ServiceEntry,
} from '#shared/applet/service.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { visibleInstall } from './installs.ts';
import { AS_E_CENTER, type ECenter } from './parts.ts';
import { type InstallRow, installById, showInstall } from './rows.ts';

type ServiceVerbs = 'service.list' | 'service.call' | 'service.use.list' | 'service.allow';

export function serviceHandlers(self: ECenter): Pick<Handlers<'e-center'>, ServiceVerbs> {
  return {
    async 'service.list'() {
      const items = [...self.services.values()].map(({ id, name, about, methods, price }) => ({
        service: id,
        name,
        about,
        methods: Object.entries(methods).map(([method, entry]) => ({ method, about: entry.about })),
        price,
      }));
      return ok({ items });
    },

    'service.call': (request, asked) => call(self, request, asked),

    async 'service.use.list'({ home }, { principal }) {
      if (!sees(principal, home)) return err(fault('not_found'));
      const find =
        'SELECT install, app, service, method, uses, price, last_at AS lastAt FROM service_use WHERE home = ? ORDER BY install, service, method';
      return ok({ items: await self.store.all<UseRow>(find, [home]) });
    },

    async 'service.allow'({ install, service, allowed }, asked) {
      const before = await repeated<'service.allow'>(self.store, asked);
      if (before !== undefined) return before;
      const row = await visibleInstall(self, install, asked);
      if (row === undefined) return err(fault('not_found'));
      if (!(JSON.parse(row.consent) as string[]).includes(`service:${service}`))
        return err(fault('service_unknown', 'The application does not use this service.'));
      const now = self.world.clock.wall();
      const change = allowed
        ? sql('DELETE FROM service_revoked WHERE install = ? AND service = ?', install, service)
        : sql(
            'INSERT INTO service_revoked (install, service, at) VALUES (?, ?, ?) ON CONFLICT (install, service) DO NOTHING',
            install,
            service,
            now,
          );
      const shown = await showInstall(self, row);
      const others = shown.revoked.filter((one) => one !== service);
      const outcome = ok({ ...shown, revoked: allowed ? others : [...others, service].sort() });
      await self.store.commit([change, ...remember<VerbName>(asked, outcome, now)]);
      return outcome;
    },
  };
}

interface UseRow {
  readonly install: string;
  readonly app: string;
  readonly service: string;
  readonly method: string;
  readonly uses: number;
  readonly price: number;
  readonly lastAt: number;
}

async function call(
  self: ECenter,
  request: VerbRequest<'service.call'>,
  asked: Context,
): Promise<Outcome<'service.call'>> {
  const before = await repeated<'service.call'>(self.store, asked);
  if (before !== undefined) return before;
  const { home, service: name, method: methodName, input = {} } = request;
  const { principal } = asked;
  if (!sees(principal, home) || (await homeById(self.store, home)) === undefined) return err(fault('not_found'));
  const service = self.services.get(name);
  const method =
    service !== undefined && Object.hasOwn(service.methods, methodName) ? service.methods[methodName] : undefined;
  if (service === undefined || method === undefined) return err(fault('service_unknown'));
  const install = principal.kind === 'account' ? await installById(self.store, principal.account) : undefined;
  const refused = install === undefined ? undefined : await refusal(self, install, name);
  if (refused !== undefined) return err(refused);
  const poor = install === undefined ? undefined : await shortOf(self, home, service.price);
  if (poor !== undefined) return err(poor);
  const wrong = misfit(method.input, input);
  if (wrong !== undefined) return err({ ...wrong, pointer: `/input${wrong.pointer ?? ''}` });
  const writes: Statement[] = [];
  const done = await method.run(input as never, contextFor(self, home, service, writes));
  if (!done.ok) return done;
  const outcome = ok({ result: done.value ?? null });
  const now = self.world.clock.wall();
  // What the service keeps, what it costs and the answer to a repetition: one commit.
  await self.store.commit([
    ...writes,
    ...(install === undefined ? [] : [meter(install, service, methodName, now), ...charged(home, service.price, now)]),
    ...remember<VerbName>(asked, outcome, now),
  ]);
  return outcome;
}

/** An application uses what its manifest names, what its subscriber consented to and has not withdrawn. */
async function refusal({ store }: ECenter, install: InstallRow, service: string): Promise<Fault | undefined> {
  if (!(JSON.parse(install.consent) as string[]).includes(`service:${service}`))
    return fault('not_permitted', `The application does not name the service ${service}.`);
  const revoked = await store.one('SELECT at FROM service_revoked WHERE install = ? AND service = ?', [
    install.id,
    service,
  ]);
  return revoked === undefined ? undefined : fault('service_revoked');
}

/** A home that pays in advance has to have the price of a use; without billing nobody is kept from using, and the charge waits. */
async function shortOf({ bus }: ECenter, home: string, price: number): Promise<Fault | undefined> {
  if (price === 0) return undefined;
  const has = await bus.request('balance.get', { home }, AS_E_CENTER);
  if (!has.ok || has.value.mode === 'postpaid' || has.value.balance - has.value.reserved >= price) return undefined;
  return fault('insufficient_credit', `A use of this service costs ${price} micro-units.`);
}

const charged = (home: string, price: number, now: number): Statement[] =>
  price === 0 ? [] : [chargeRow(home, price, now)];

function meter(install: InstallRow, { id, price }: Service, method: string, now: number): Statement {
  return sql(
    'INSERT INTO service_use (install, service, method, home, app, uses, price, last_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (install, service, method) DO UPDATE SET uses = service_use.uses + 1, price = service_use.price + excluded.price, last_at = excluded.last_at',
    install.id,
    id,
    method,
    install.home,
    install.app,
    price,
    now,
  );
}

interface EntryRow {
  readonly id: string;
  readonly sort: string;
  readonly value: string;
}

/** `writes` gets what the service keeps; it is committed with the answer. */
function contextFor(self: ECenter, home: string, { id: service }: Service, writes: Statement[]): ServiceContext {
  const { store, world, config } = self;
  const shown = ({ id, sort, value }: EntryRow): ServiceEntry => ({ id, sort, value: JSON.parse(value) as unknown });
  return {
    home,
    world,
    folder: `${config.data}/services`,
    entries: {
      async list(from = '', to = '\uffff') {
        const find =
          'SELECT id, sort, value FROM service_entry WHERE home = ? AND service = ? AND sort >= ? AND sort <= ? ORDER BY sort, id';
        return (await store.all<EntryRow>(find, [home, service, from, to])).map(shown);
      },
      async get(id) {
        const find = 'SELECT id, sort, value FROM service_entry WHERE home = ? AND service = ? AND id = ?';
        const row = await store.one<EntryRow>(find, [home, service, id]);
        return row === undefined ? undefined : shown(row);
      },
      async put(entry) {
        const statement = await putEntry(self, home, service, entry);
        if (!statement.ok) return statement;
        writes.push(statement.value);
        return ok(undefined);
      },
      async remove(id) {
        writes.push(sql('DELETE FROM service_entry WHERE home = ? AND service = ? AND id = ?', home, service, id));
      },
    },
  };
}

async function putEntry(
  { store }: ECenter,
  home: string,
  service: string,
  entry: ServiceEntry,
): Promise<Result<Statement, Fault>> {
  const value = JSON.stringify(entry.value);
  if (value.length > ENTRY_SIZE) return err(fault('too_large', `An entry has at most ${ENTRY_SIZE} characters.`));
  const count = await store.one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM service_entry WHERE home = ? AND service = ? AND id <> ?',
    [home, service, entry.id],
  );
  if ((count?.n ?? 0) >= ENTRIES_LIMIT) return err(fault('limit_reached', `At most ${ENTRIES_LIMIT} entries.`));
  return ok(
    sql(
      'INSERT INTO service_entry (home, service, id, sort, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (home, service, id) DO UPDATE SET sort = excluded.sort, value = excluded.value',
      home,
      service,
      entry.id,
      entry.sort,
      value,
    ),
  );
}
