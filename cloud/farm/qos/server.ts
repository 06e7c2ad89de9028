/**
 * The quality of service server: admits legs to homes' uplinks and has gateways mark their packets. Legs' reservations live
 * in memory: the journal knows which legs run, and the session manager reserves for them again after a restart. Sessions of
 * quality on demand are its own and stand in the store.
 */
import type { Bus, Context, Handlers } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Budgets } from './budget.ts';
import { QosSessions } from './sessions.ts';

const SELF: Context = { principal: { kind: 'part', part: 'qos' } };
/** Milliseconds that a gateway may take to set a mark. */
const MARK_WITHIN = 5_000;

export const qos: Part = {
  name: 'qos',
  async start(context) {
    const budgets = new Budgets();
    const sessions = new QosSessions(context, budgets);
    await sessions.recover();
    const leave = context.bus.serve('qos', { ...handlers(context.bus, budgets), ...sessions.handlers() });
    return {
      health: () => ({ state: 'running', load: budgets.load(), legs: budgets.list().length }),
      async stop() {
        leave();
        sessions.stop();
      },
    };
  },
};

type LegVerbs = 'qos.reserve' | 'qos.release' | 'qos.list' | 'qos.mark';

function handlers(bus: Bus, budgets: Budgets): Pick<Handlers<'qos'>, LegVerbs> {
  /** Gateways that mark a leg, to be told when it ends. */
  const marked = new Map<string, { gateway: string; dscp: number }>();

  async function apply(gateway: string, body: VerbRequest<'qos.apply'>): Promise<VerbReply<'qos.mark'>> {
    const reply = await bus.request(
      'gateway.command',
      { gateway, verb: 'qos.apply', body, timeout: MARK_WITHIN },
      SELF,
    );
    if (!reply.ok) return { marked: false, why: reply.fault.detail ?? reply.fault.code };
    return reply.value.body as VerbReply<'qos.apply'>;
  }

  return {
    'qos.reserve': async (request) => budgets.reserve({ ...request, emergency: request.emergency === true }),

    async 'qos.release'(owner) {
      budgets.release(owner);
      const key = `${owner.session} ${owner.leg}`;
      const mark = marked.get(key);
      marked.delete(key);
      if (mark !== undefined) void apply(mark.gateway, { ...owner, dscp: mark.dscp, state: 'remove' });
      return ok({});
    },

    // The session manager puts right what it finds here, and knows nothing of the sessions of quality on demand.
    'qos.list': async () => {
      const legs = budgets.list().filter(({ session }) => !session.startsWith('qos_'));
      return ok({ items: legs.map(({ session, leg, home, kbits }) => ({ session, leg, home, kbits })) });
    },

    async 'qos.mark'({ gateway, ...leg }) {
      const done = await apply(gateway, { ...leg, state: 'apply' });
      if (done.marked) marked.set(`${leg.session} ${leg.leg}`, { gateway, dscp: leg.dscp });
      return ok(done);
    },
  };
}
