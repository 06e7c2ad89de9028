/** The oamp server alone: real bus, real store, virtual time. */
import type { Context, Outcome, Principal } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { oamp } from '#cloud/farm/oamp/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { makeConfig } from './edge.ts';

export const OPERATOR: Principal = {
  kind: 'account',
  account: 'operator',
  role: 'operator',
  homes: 'all',
  scopes: 'all',
};

export function account(role: 'subscriber' | 'technician' | 'developer', homes: readonly string[]): Principal {
  return { kind: 'account', account: `acc_${role}`, role, homes, scopes: 'all' };
}

export async function makeOamp(seed = 1) {
  const virtual = new VirtualWorld({ seed });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const bus = createBus(world);
  const store = openLocalStore(':memory:');
  const config = await makeConfig(world, '10.0.0.1', 8883);
  const part: RunningPart = await oamp.start({ world, bus, store, config });
  const ask = <V extends VerbName>(
    verb: V,
    body: VerbRequest<V>,
    principal: Principal = OPERATOR,
    more: Partial<Context> = {},
  ) => virtual.settle<Outcome<V>>(bus.request(verb, body, { principal, ...more }));
  const must = async <V extends VerbName>(
    verb: V,
    body: VerbRequest<V>,
    principal?: Principal,
  ): Promise<VerbReply<V>> => {
    const outcome = await ask(verb, body, principal);
    if (!outcome.ok) throw new Error(`${verb}: ${JSON.stringify(outcome.fault)}`);
    return outcome.value;
  };
  const end = async () => {
    await virtual.settle(part.stop());
    await store.close();
    virtual[Symbol.dispose]();
  };
  return { virtual, world, bus, store, config, ask, must, end };
}

export type OampRig = Awaited<ReturnType<typeof makeOamp>>;
