import { beforeEach, describe, expect, test } from 'vitest';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type EdgeCall, newEdgeCall } from './edge-call.ts';
import { READDRESS_TRIES, READDRESS_WAIT, Readdress } from './readdress.ts';

describe('calls after a new flow', () => {
  let world: VirtualWorld;
  let call: EdgeCall;
  let asked: number[];
  let outcome: (n: number) => boolean | Promise<boolean>;
  let readdress: Readdress;

  beforeEach(() => {
    world = new VirtualWorld({ seed: 5 });
    const { clock, log } = world.host('elm', ['10.0.0.1']);
    const address = { host: '10.0.0.1', port: 5061 };
    const flow: Flow = { id: 'f1', protocol: 'tls', local: address, remote: address, peer: { kind: 'none' } };
    call = newEdgeCall({ id: 'c1', flow, shown: '', dialled: '1', callId: 'x', startedAt: 0 });
    call.handles.set('caller', 'h1');
    asked = [];
    outcome = () => true;
    readdress = new Readdress({
      clock,
      log,
      renew: async () => {
        asked.push(world.now);
        return outcome(asked.length);
      },
    });
  });

  test('one that takes it is told once', async () => {
    readdress.all([call]);
    await world.run(120_000);
    expect(asked).toHaveLength(1);
  });

  test(`one that refuses is told ${READDRESS_TRIES} times, ever more slowly, and never again`, async () => {
    outcome = () => false;
    readdress.all([call]);
    await world.run(300_000);
    const waits = asked.slice(1).map((at, i) => Math.round((at - (asked[i] ?? 0)) / READDRESS_WAIT));
    expect(waits).toEqual([1, 2, 4, 8, 16]);
    expect(asked).toHaveLength(READDRESS_TRIES);
  });

  test('another flow begins anew, and what came of the one before is of no interest', async () => {
    const told: ((ok: boolean) => void)[] = [];
    outcome = (n) => n > 2 || new Promise((resolve) => told.push(resolve));
    readdress.all([call]);
    await world.run(10);
    readdress.all([call]);
    await world.run(10);
    told[0]?.(true);
    await world.run(10);
    told[1]?.(false);
    await world.run(60_000);
    expect(asked).toHaveLength(3);
  });

  test('a call that is over is left alone, and so is a phone of the house', async () => {
    outcome = () => false;
    readdress.all([call]);
    await world.run(10);
    readdress.over(call);
    await world.run(60_000);
    expect(asked).toHaveLength(1);
    call.from = { id: 'l1', number: '1' } as NonNullable<EdgeCall['from']>;
    readdress.all([call]);
    await world.run(60_000);
    expect(asked).toHaveLength(1);
  });
});
