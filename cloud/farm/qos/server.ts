/**
 * The quality of service server: admits legs to homes' uplinks and has gateways mark their packets. Its reservations live
 * in memory: the journal knows which legs run, and the session manager reserves for them again after a restart.
 */
import type { Bus, Context, Handlers } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Budgets } from './budget.ts';

const SELF: Context = { principal: { kind: 'part', part: 'qos' } };
/** Milliseconds that a gateway may take to set a mark. */
const MARK_WITHIN = 5_000;

export const qos: Part = {
  name: 'qos',
  async start({ bus }) {
    const budgets = new Budgets();
    const leave = bus.serve('qos', handlers(bus, budgets));
    return {
      health: () => ({ state: 'running', load: budgets.load(), legs: budgets.list().length }),
      stop: async () => leave(),
    };
  },
};

function handlers(bus: Bus, budgets: Budgets): Handlers<'qos'> {
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

    'qos.list': async () =>
      ok({ items: budgets.list().map(({ session, leg, home, kbits }) => ({ session, leg, home, kbits })) }),

    async 'qos.mark'({ gateway, ...leg }) {
      const done = await apply(gateway, { ...leg, state: 'apply' });
      if (done.marked) marked.set(`${leg.session} ${leg.leg}`, { gateway, dscp: leg.dscp });
      return ok(done);
    },
  };
}
