import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NEVER, TICK, type Tick } from '#shared/kernel/machine.ts';
import { CODE_LIFETIME, FAIL_SAFE } from '#shared/protocol/pairing.ts';
import { pairing } from './machine.ts';
import {
  ASK_AGAIN,
  DOUBT_AFTER,
  DOUBT_AGAIN,
  type Identity,
  LOOK_AGAIN,
  newPairing,
  type PairingInput,
  type PairingOutput,
  type PairingState,
  type Saved,
} from './states.ts';

const identity: Identity = { gateway: 'gw_1', home: 'home_1', certificate: 'C', key: 'K', authority: 'A' };
const WALL = 1_800_000_000_000;

/** Plays inputs, each at its moment; what is to be asked is answered with the newest ticket. */
class Play {
  readonly state: PairingState;
  readonly out: PairingOutput[] = [];
  now = 1_000;

  constructor(saved: Saved, wall = WALL) {
    this.state = newPairing(saved);
    this.step({ on: 'start', wall });
  }

  /** Every step is made twice, on a copy as well: the same state and input give the same, or something is hidden. */
  step(input: PairingInput | Tick): this {
    const copy = structuredClone(this.state);
    const [out, again]: PairingOutput[][] = [[], []];
    const fixed = Object.freeze(input);
    pairing.step(this.state, fixed, this.now, out ?? []);
    pairing.step(copy, fixed, this.now, again ?? []);
    expect(again).toEqual(out);
    expect(copy).toEqual(this.state);
    this.out.push(...(out ?? []));
    return this;
  }

  /** Time passes; the driver ticks at each deadline on the way. */
  pass(ms: number): this {
    const end = this.now + ms;
    while (pairing.due(this.state) <= end) {
      this.now = Math.max(this.now, pairing.due(this.state));
      this.step(TICK);
    }
    this.now = end;
    return this;
  }

  get ticket(): number {
    return this.state.lastTicket;
  }

  /** What was put out since the last look, in short. */
  look(): string[] {
    return this.out.splice(0).map((output) => {
      if (output.do === 'save') return `save ${output.saved.at}`;
      return output.do === 'ask' ? `ask ${output.what} over ${output.over}` : output.do;
    });
  }
}

const announced = (): Play => {
  const play = new Play({ at: 'unpaired' });
  play.pass(0).step({ on: 'standing', ticket: play.ticket, state: 'unknown', wall: WALL });
  play.pass(0).step({ on: 'announced', ticket: play.ticket });
  play.look();
  return play;
};
const claimed = (): Play => {
  const play = announced().step({ on: 'claimed', claimed: true, wall: WALL });
  play.look();
  return play;
};
const reconnecting = (): Play => {
  const play = claimed();
  play.step({ on: 'certified', ticket: play.ticket, identity });
  play.look();
  return play;
};
const configuring = (): Play => {
  const play = reconnecting().step({ on: 'connected' }).step({ on: 'configured' });
  play.look();
  return play;
};
const paired = (): Play => {
  const play = configuring().pass(LOOK_AGAIN);
  play.step({ on: 'standing', ticket: play.ticket, state: 'paired', wall: WALL });
  play.look();
  return play;
};

describe('the way to paired', () => {
  test('step by step, each kept on the disk before what follows from it', () => {
    const play = new Play({ at: 'unpaired' });
    expect(play.pass(0).look()).toEqual(['open-link', 'new-code', 'ask standing over link']);
    play.step({ on: 'standing', ticket: play.ticket, state: 'unknown', wall: WALL });
    expect(play.pass(0).look()).toEqual(['ask announce over link']);
    play.step({ on: 'announced', ticket: play.ticket });
    expect(play.state.announced).toBe(true);
    play.step({ on: 'claimed', claimed: true, wall: WALL });
    expect(play.look()).toEqual(['save claimed', 'ask certificate over link']);
    play.step({ on: 'certified', ticket: play.ticket, identity });
    expect(play.look()).toEqual(['forget', 'save reconnecting', 'close-link', 'start-agent']);
    expect(play.step({ on: 'connected' }).look()).toEqual([]);
    expect(play.step({ on: 'configured' }).look()).toEqual(['save configuring']);
    expect(play.pass(LOOK_AGAIN).look()).toEqual(['ask standing over agent']);
    play.step({ on: 'standing', ticket: play.ticket, state: 'pairing', wall: WALL });
    expect(play.pass(LOOK_AGAIN).look()).toEqual(['ask standing over agent']);
    play.step({ on: 'standing', ticket: play.ticket, state: 'paired', wall: WALL });
    expect(play.look()).toEqual(['save paired']);
    expect(pairing.due(play.state)).toBe(NEVER);
  });

  test('a claim that came while the gateway was off is found by asking', () => {
    for (const state of ['waiting', 'pairing'] as const) {
      const play = new Play({ at: 'unpaired' }).pass(0);
      play.look();
      play.step({ on: 'standing', ticket: play.ticket, state, wall: WALL });
      expect(play.look()).toEqual(['save claimed', 'ask certificate over link']);
    }
  });

  test('a code is renewed every 15 minutes', () => {
    const play = announced().pass(CODE_LIFETIME - 1);
    expect(play.look()).toEqual([]);
    expect(play.pass(1).look()).toEqual(['new-code', 'ask announce over link']);
    expect(play.state.announced).toBe(false);
  });

  test('a code that another gateway shows is replaced at once', () => {
    const play = new Play({ at: 'unpaired' }).pass(0);
    play.step({ on: 'standing', ticket: play.ticket, state: 'unknown', wall: WALL }).pass(0);
    play.look();
    play.step({ on: 'refused', ticket: play.ticket, code: 'conflict', final: true });
    expect(play.pass(0).look()).toEqual(['new-code', 'ask announce over link']);
  });
});

describe('undone', () => {
  const cases: [string, () => Play, string, string[]][] = [
    ['claimed, no certificate in time', claimed, 'pairing_timeout', ['save unpaired']],
    [
      'no connection in time',
      reconnecting,
      'pairing_not_connected',
      ['save unpaired', 'stop-agent', 'forget', 'open-link'],
    ],
  ];
  test.each(cases)('%s', (_, make, cause, outputs) => {
    const play = make().pass(FAIL_SAFE - 1);
    expect(play.look().filter((output) => output.startsWith('save'))).toEqual([]);
    expect(play.pass(1).look()).toEqual([...outputs, 'new-code', 'ask announce over link']);
    expect(play.state.saved).toEqual({ at: 'unpaired', cause });
  });

  test.each([
    ['claimed', claimed],
    ['reconnecting', reconnecting],
    ['configuring', configuring],
  ] as const)('%s, by the cloud’s word', (_, make) => {
    const play = make().step({ on: 'claimed', claimed: false, cause: 'pairing_document_rejected', wall: WALL });
    expect(play.state.saved).toEqual({ at: 'unpaired', cause: 'pairing_document_rejected' });
  });

  test('a certificate request that the cloud refuses for good', () => {
    const play = claimed();
    play.step({ on: 'refused', ticket: play.ticket, code: 'pairing_request_invalid', final: true });
    expect(play.state.saved).toEqual({ at: 'unpaired', cause: 'pairing_request_invalid' });
  });

  test('a certificate request that got no answer is put again', () => {
    const play = claimed();
    play.step({ on: 'refused', ticket: play.ticket, code: 'timeout', final: false });
    expect(play.pass(ASK_AGAIN).look()).toEqual(['ask certificate over link']);
  });
});

describe('in doubt', () => {
  test('once a document is applied only the cloud can undo: the gateway asks on, by its permanent key where it must', () => {
    const play = configuring().pass(LOOK_AGAIN);
    play.step({ on: 'standing', ticket: play.ticket, state: 'pairing', wall: WALL });
    play.step({ on: 'disconnected', fraction: 0 });
    play.pass(2 * FAIL_SAFE);
    expect(play.state.saved.at).toBe('configuring');
    expect(play.look()).toContain('ask standing over link');
    play.step({ on: 'standing', ticket: play.ticket, state: 'failed', cause: 'pairing_timeout', wall: WALL });
    expect(play.state.saved).toEqual({ at: 'unpaired', cause: 'pairing_timeout' });
    expect(play.look()).toContain('forget');
  });

  test('the cloud’s "paired" counts however late it comes', () => {
    const play = configuring()
      .step({ on: 'disconnected', fraction: 0 })
      .pass(2 * FAIL_SAFE);
    play.step({ on: 'standing', ticket: play.ticket, state: 'paired', wall: WALL });
    expect(play.state.saved).toEqual({ at: 'paired', identity });
  });

  test('a paired gateway that cannot connect asks after a while, not all of a fleet at once', () => {
    for (const fraction of [0, 0.5, 0.99]) {
      const play = paired().step({ on: 'disconnected', fraction });
      expect(play.pass(DOUBT_AFTER * (1 + fraction) - 1).look()).toEqual([]);
      expect(play.pass(1).look()).toEqual(['open-link', 'ask standing over link']);
      expect(play.step({ on: 'connected' }).look()).toEqual(['close-link']);
      expect(pairing.due(play.state)).toBe(NEVER);
    }
  });

  test('a removed gateway undoes; one whose certificate ran out gets a new one; one without an answer asks later', () => {
    const lost = () => {
      const play = paired().step({ on: 'disconnected', fraction: 0 }).pass(DOUBT_AFTER);
      play.look();
      return play;
    };
    const removed = lost();
    removed.step({ on: 'standing', ticket: removed.ticket, state: 'unknown', wall: WALL });
    expect(removed.state.saved).toEqual({ at: 'unpaired', cause: 'removed' });
    const expired = lost();
    expired.step({ on: 'standing', ticket: expired.ticket, state: 'paired', wall: WALL }).pass(0);
    expect(expired.look()).toEqual(['ask certificate over link']);
    const newer = { ...identity, certificate: 'C2' };
    expired.step({ on: 'certified', ticket: expired.ticket, identity: newer });
    expect(expired.look()).toEqual(['save paired', 'stop-agent', 'close-link', 'start-agent']);
    expect(expired.state.saved).toEqual({ at: 'paired', identity: newer });
    const alone = lost();
    alone.step({ on: 'refused', ticket: alone.ticket, code: 'timeout', final: false });
    expect(alone.state.saved.at).toBe('paired');
    expect(alone.pass(DOUBT_AGAIN).look()).toEqual(['ask standing over link']);
  });

  test('the cloud’s farewell is believed only as a reason to ask by the permanent key', () => {
    const play = paired().step({ on: 'released' });
    expect(play.state.saved.at).toBe('paired');
    expect(play.pass(0).look()).toEqual(['open-link', 'ask standing over link']);
    play.step({ on: 'standing', ticket: play.ticket, state: 'unknown', wall: WALL });
    expect(play.state.saved).toEqual({ at: 'unpaired', cause: 'removed' });
    expect(reconnecting().step({ on: 'released' }).pass(0).look()).toEqual([]);
  });

  test('a lost state is got back by the permanent key', () => {
    const play = new Play({ at: 'unpaired', cause: 'state_damaged' }).pass(0);
    play.step({ on: 'standing', ticket: play.ticket, state: 'paired', wall: WALL });
    expect(play.state.saved).toEqual({ at: 'claimed', since: WALL });
  });
});

describe('after a restart', () => {
  test.each([
    [0, FAIL_SAFE],
    [20_000, FAIL_SAFE - 20_000],
    [FAIL_SAFE, 0],
    [10 * FAIL_SAFE, 0],
    [-365 * 86_400_000, FAIL_SAFE],
  ])('%i ms after the claim there are %i ms left, whatever the wall clock did', (after, left) => {
    const play = new Play({ at: 'reconnecting', since: WALL, identity }, WALL + after);
    expect(play.state.deadline).toBe(play.now + left);
  });

  test('each state goes on from where it was', () => {
    const begin = (saved: Saved) => new Play(saved).pass(LOOK_AGAIN).look();
    expect(begin({ at: 'claimed', since: WALL })).toEqual(['open-link', 'ask standing over link']);
    expect(begin({ at: 'reconnecting', since: WALL, identity })).toEqual(['start-agent']);
    expect(begin({ at: 'configuring', since: WALL, identity })).toEqual([
      'start-agent',
      'open-link',
      'ask standing over link',
    ]);
    expect(begin({ at: 'paired', identity })).toEqual(['start-agent']);
  });
});

/** Any input at any time. Tickets are the open one or an older one. */
const input: fc.Arbitrary<{ pass: number; make: (state: PairingState) => PairingInput }> = fc.record({
  pass: fc.constantFrom(0, 1, LOOK_AGAIN, ASK_AGAIN, FAIL_SAFE, CODE_LIFETIME),
  make: fc.oneof(
    fc
      .constantFrom<PairingInput['on']>(
        'claimed',
        'announced',
        'certified',
        'connected',
        'disconnected',
        'released',
        'configured',
        'renewed',
        'refused',
      )
      .map((on) => (state: PairingState) => {
        const all = {
          wall: WALL,
          ticket: state.lastTicket,
          identity,
          code: 'timeout',
          final: false,
          fraction: 0,
          claimed: true,
        };
        return { on, ...all } as PairingInput;
      }),
    fc
      .tuple(fc.constantFrom('unknown', 'waiting', 'pairing', 'paired', 'failed'), fc.nat(1))
      .map(([standing, age]) => (state: PairingState): PairingInput => {
        return { on: 'standing', ticket: state.lastTicket - age, state: standing as 'paired', wall: WALL };
      }),
  ),
});

test('whatever happens: "paired" only by the cloud’s word, no identity without a certificate, no undoing in doubt without the cloud', () => {
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), (inputs) => {
      const play = new Play({ at: 'unpaired' });
      for (const { pass, make } of inputs) {
        const before = play.state.saved;
        play.pass(pass);
        // Passing time alone never ends what only the cloud may end.
        if (before.at === 'configuring' || before.at === 'paired') expect(play.state.saved).toBe(before);
        const at = play.state.saved.at;
        const next = make(play.state);
        play.step(next);
        const after = play.state.saved.at;
        if (after === 'paired' && at !== 'paired') expect(next).toMatchObject({ on: 'standing', state: 'paired' });
        if (after === 'reconnecting' && at !== 'reconnecting') expect(next.on).toBe('certified');
        if (after === 'configuring' && at !== 'configuring') expect(at).toBe('reconnecting');
        if (after !== 'unpaired') expect(play.state.announced).toBe(false);
        // Something always goes on: a deadline, or a connection whose end would be heard of.
        const waits = pairing.due(play.state) < NEVER || play.state.open > 0 || play.state.connected;
        expect(waits).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
