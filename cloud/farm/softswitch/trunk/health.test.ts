import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import {
  FIRST_WAIT,
  FORGIVEN_AFTER,
  type HealthInput,
  type HealthOutput,
  LAST_WAIT,
  newHealth,
  trunkHealth,
} from './health.ts';

function machine(settings: Partial<Parameters<typeof newHealth>[0]> = {}) {
  const state = newHealth({ registers: false, expires: 600, probeEvery: 0, ...settings });
  const step = (input: HealthInput | typeof TICK, now = 0) => {
    const out: HealthOutput[] = [];
    trunkHealth.step(state, input, now, out);
    return out.map((one) => one.do);
  };
  return { state, step, due: () => trunkHealth.due(state) };
}

describe('a trunk that registers', () => {
  it('registers, is up, and refreshes at half of its time', () => {
    const { state, step, due } = machine({ registers: true });
    expect(step({ on: 'start' })).toEqual(['register']);
    expect(step({ on: 'registered', status: 200, seconds: 300 })).toEqual(['changed']);
    expect([state.at, state.registered, due()]).toEqual(['up', true, 150_000]);
    expect(step(TICK, 150_000)).toEqual(['register']);
  });

  it('that is refused is down with the cause, and tries at growing intervals', () => {
    const { state, step, due } = machine({ registers: true });
    step({ on: 'start' });
    expect(step({ on: 'registered', status: 403, seconds: 0 })).toEqual(['changed']);
    expect([state.at, state.cause, due()]).toEqual(['down', 'answered 403', FIRST_WAIT]);
    for (let i = 0; i < 12; i++) {
      step(TICK, due());
      step({ on: 'registered', status: 408, seconds: 0 }, 0);
    }
    expect([state.cause, due()]).toEqual(['no answer', LAST_WAIT]);
    // A call that works is no registration.
    step({ on: 'works' });
    expect(state.at).toBe('down');
  });
});

describe('a trunk that is asked', () => {
  it('any answer is a sign of life, but one that says that it cannot serve', () => {
    for (const [status, expected] of [
      [200, 'up'],
      [404, 'up'],
      [503, 'down'],
      [408, 'down'],
    ] as const) {
      const { state, step } = machine({ probeEvery: 30_000 });
      expect(step({ on: 'start' })).toEqual(['probe']);
      step({ on: 'probed', status });
      expect(state.at).toBe(expected);
    }
  });

  it('is asked soon after a call failed', () => {
    const { step, due } = machine({ probeEvery: 30_000 });
    step({ on: 'start' });
    step({ on: 'probed', status: 200 });
    expect(step({ on: 'failed', status: 503 }, 10)).toEqual(['changed']);
    expect(due()).toBe(10 + FIRST_WAIT);
  });
});

it('one that is never asked is forgiven after a while', () => {
  const { state, step, due } = machine();
  expect([step({ on: 'start' }), due()]).toEqual([[], NEVER]);
  step({ on: 'failed', status: 503 }, 5);
  expect([state.at, due()]).toEqual(['down', 5 + FORGIVEN_AFTER]);
  expect(step(TICK, 5 + FORGIVEN_AFTER)).toEqual(['changed']);
  expect(state.at).toBe('unknown');
});

it('whatever happens, a registering trunk always has something due or under way', () => {
  const input = fc.oneof(
    fc.record({
      on: fc.constant('registered' as const),
      status: fc.constantFrom(200, 401, 408, 503),
      seconds: fc.nat(600),
    }),
    fc.record({ on: fc.constant('probed' as const), status: fc.constantFrom(200, 408, 503) }),
    fc.constant({ on: 'works' as const }),
    fc.record({ on: fc.constant('failed' as const), status: fc.constantFrom(408, 503) }),
    fc.constant(TICK),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), fc.boolean(), (inputs, probes) => {
      const { step, due } = machine({ registers: true, probeEvery: probes ? 30_000 : 0 });
      let waiting = step({ on: 'start' }).includes('register');
      let now = 0;
      for (const one of inputs) {
        now += 1_000;
        if (one.on === 'registered') waiting = false;
        if (step(one, now).includes('register')) waiting = true;
        expect(waiting || due() < NEVER).toBe(true);
      }
    }),
  );
});
