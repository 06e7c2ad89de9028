/** The gateways' side of the e-center: packages by ticket, reports, and what a technician asks of a gateway's applets. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { gatewayById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { publishedPackage } from './packages.ts';
import { AS_E_CENTER, type ECenter } from './parts.ts';
import { installById, versionRow } from './rows.ts';
import { readTicket, writeTicket } from './tickets.ts';

type AppletVerbs =
  | 'applet.ticket'
  | 'applet.fetch'
  | 'applet.report'
  | 'applet.list'
  | 'applet.explain'
  | 'applet.logs'
  | 'applet.stop'
  | 'applet.quarantine';
type Local = VerbReply<'applet.status.local'>['items'][number];

export function appletHandlers(self: ECenter): Pick<Handlers<'e-center'>, AppletVerbs> {
  const find = async (gateway: string, install: string, context: Context): Promise<Result<Local, Fault>> => {
    if (!(await isInstalledAt(self, gateway, install)))
      return err(fault('not_found', 'The gateway has no such applet.'));
    const all = await localApplets(self, gateway, context);
    if (!all.ok) return all;
    const one = all.value.items.find((applet) => applet.install === install);
    return one === undefined ? err(fault('not_found', 'The gateway has no such applet.')) : ok(one);
  };
  const control = async (
    { gateway, install }: { gateway: string; install: string },
    action: VerbRequest<'applet.control.local'>['action'],
    context: Context,
  ): Promise<Result<Record<string, never>, Fault>> => {
    if (!(await isInstalledAt(self, gateway, install)))
      return err(fault('not_found', 'The gateway has no such applet.'));
    const done = await command(self, gateway, 'applet.control.local', { install, action }, context);
    return done.ok ? ok({}) : done;
  };
  return {
    'applet.ticket': (request, context) => ticket(self, request, context),

    async 'applet.fetch'({ application, version, ticket: shown }) {
      const { crypto, clock } = self.world;
      const gateway = readTicket(crypto, self.ticketKey, { application, version }, shown, clock.wall());
      if (gateway === undefined) return err(fault('ticket_invalid'));
      const pack = await publishedPackage(self, application, version);
      return pack === undefined ? err(fault('not_found')) : ok({ package: pack });
    },

    'applet.report': (request, context) => report(self, request, context),
    'applet.list': ({ gateway }, context) => localApplets(self, gateway, context),
    'applet.explain': ({ gateway, install }, context) => find(gateway, install, context),

    async 'applet.logs'({ gateway, install }, context) {
      const applet = await find(gateway, install, context);
      return applet.ok ? ok({ items: applet.value.logs }) : applet;
    },

    'applet.stop': (request, context) => control(request, request.start === true ? 'start' : 'stop', context),
    'applet.quarantine': (request, context) => control(request, 'quarantine', context),
  };
}

/** Whether an install belongs to the home of a gateway. */
async function isInstalledAt({ store }: ECenter, gateway: string, install: string): Promise<boolean> {
  const [row, own] = [await gatewayById(store, gateway), await installById(store, install)];
  return row !== undefined && row.home === own?.home;
}

/** A gateway gets tickets for the versions that are installed in its home, and for no other. */
async function ticket(
  self: ECenter,
  { application, version }: VerbRequest<'applet.ticket'>,
  { principal }: Context,
): Promise<Outcome<'applet.ticket'>> {
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const { store, world } = self;
  const installed = await store.one('SELECT id FROM install WHERE home = ? AND app = ? AND version = ?', [
    principal.home,
    application,
    version,
  ]);
  const row = installed === undefined ? undefined : await versionRow(store, application, version);
  if (row?.state !== 'published')
    return err(fault('not_found', `${application} ${version} is not installed in this gateway’s home.`));
  const wanted = { gateway: principal.gateway, application, version };
  return ok({
    path: `/v1/applets/${application}/${version}`,
    ticket: writeTicket(world.crypto, self.ticketKey, wanted, world.clock.wall()),
    sha256: row.sha256,
  });
}

async function report(
  self: ECenter,
  said: VerbRequest<'applet.report'>,
  asked: Context,
): Promise<Outcome<'applet.report'>> {
  const before = await repeated<'applet.report'>(self.store, asked);
  if (before !== undefined) return before;
  const { principal } = asked;
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const row = await installById(self.store, said.install);
  // A report about an install that is gone meanwhile, or is another home's, changes nothing.
  if (row === undefined || row.home !== principal.home) return ok({});
  await self.store.commit([
    keepState(principal.gateway, said),
    eventRow(self.world, {
      type: `home.applet.v1.${said.state}`,
      home: row.home,
      subject: said.install,
      data: {
        gateway: principal.gateway,
        app: said.application,
        version: said.version,
        ...(said.why === undefined ? {} : { why: said.why }),
      },
    }),
    ...remember<'applet.report'>(asked, ok({}), self.world.clock.wall()),
  ]);
  self.bus.publish('event.appended', { home: row.home });
  return ok({});
}

function keepState(gateway: string, { install, version, state, why, at }: VerbRequest<'applet.report'>): Statement {
  if (state === 'removed') return sql('DELETE FROM applet_state WHERE gateway = ? AND install = ?', gateway, install);
  return sql(
    'INSERT INTO applet_state (gateway, install, version, state, why, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (gateway, install) DO UPDATE SET version = excluded.version, state = excluded.state, why = excluded.why, at = excluded.at',
    gateway,
    install,
    version,
    state,
    why ?? null,
    at,
  );
}

async function command<V extends 'applet.status.local' | 'applet.control.local'>(
  self: ECenter,
  gateway: string,
  verb: V,
  body: VerbRequest<V>,
  { principal }: Context,
): Promise<Result<VerbReply<V>, Fault>> {
  const row = await gatewayById(self.store, gateway);
  if (row === undefined || !sees(principal, row.home)) return err(fault('not_found'));
  const outcome = await self.bus.request('gateway.command', { gateway, verb, body, timeout: 8000 }, AS_E_CENTER);
  return outcome.ok ? ok(outcome.value.body as VerbReply<V>) : outcome;
}

function localApplets(
  self: ECenter,
  gateway: string,
  context: Context,
): Promise<Result<VerbReply<'applet.status.local'>, Fault>> {
  return command(self, gateway, 'applet.status.local', {}, context);
}
