import type { Scenario } from '../scenario.ts';

/** How many gateways report at the same time, and for how long, ms: as much as it takes to measure; on the virtual world there is nothing to measure. */
const SENDERS = { real: 500, virtual: 20 } as const;
const FLOOD = { real: 5_000, virtual: 1_000 } as const;

export const fleet: Scenario = {
  name: 'fleet',
  about:
    'A fleet of light gateways connects by mutual TLS, reports as fast as it is answered, and comes back when the cloud has fallen',
  worlds: ['virtual', 'real'],
  homes: { usual: 0, least: 0 },
  light: 1_000,
  steps: (run) => {
    const { fleet } = run;
    if (fleet === undefined) return [];
    const flood = (kind: 'reports' | 'telemetry') => async () => {
      const world = run.virtual === undefined ? 'real' : 'virtual';
      const rate = await fleet.flood(kind, SENDERS[world], FLOOD[world]);
      if (world === 'real') run.note(`${rate.toFixed(0)} ${kind} per second`);
      run.expect(rate > 0, `${kind} to be answered`);
      run.expect(fleet.cuts === 0, `no gateway to be cut off; ${fleet.cuts} were`);
    };
    return [
      { name: 'they send telemetry, acknowledged by the edge', run: flood('telemetry') },
      { name: 'they report state, answered once it is on disk', run: flood('reports') },
      {
        name: 'the cloud falls and is back; so is every gateway within 75 s',
        run: async () => {
          const memory = run.stage.ground.memory(run.stage.cloud);
          const own = process.memoryUsage.rss();
          if (memory !== undefined)
            run.note(`memory: cloud ${mega(memory)}, this process with all gateways ${mega(own)}`);
          await run.stage.killCloud();
          await run.until(() => fleet.ready === 0, 60_000, 'every gateway to miss the cloud');
          await run.pass(2_000);
          await run.stage.startCloud();
          const since = run.now;
          await run.until(() => fleet.ready === fleet.size, 75_000, 'every gateway to be back');
          run.measure('reconnect', run.now - since);
        },
      },
    ];
  },
};

const mega = (octets: number) => `${(octets / 1e6).toFixed(0)} MB`;
