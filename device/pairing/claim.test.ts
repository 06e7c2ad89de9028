/** The machine with a claim from the boot partition: shown before the code, dropped when it is done or refused, never in a circle. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { TICK } from '#shared/kernel/machine.ts';
import { CODE_LIFETIME, FAIL_SAFE } from '#shared/protocol/pairing.ts';
import { pairing } from './machine.ts';
import { readClaim } from './saved.ts';
import { ASK_AGAIN, type Identity, newPairing, type PairingInput, type PairingOutput, type Saved } from './states.ts';

const WALL = 1_800_000_000_000;
const identity: Identity = { gateway: 'gw_1', home: 'home_1', certificate: 'C', key: 'K', authority: 'A' };

function play(saved: Saved, claim: boolean) {
  const state = newPairing(saved, claim);
  const out: PairingOutput[] = [];
  let now = 0;
  const step = (input: PairingInput) => pairing.step(state, input, now, out);
  const pass = (ms: number) => {
    const end = now + ms;
    while (pairing.due(state) <= end) {
      now = Math.max(now, pairing.due(state));
      pairing.step(state, TICK, now, out);
    }
    now = end;
  };
  const look = () =>
    out.splice(0).map((output) => {
      if (output.do === 'save') return `save ${output.saved.at}`;
      return output.do === 'ask' ? `ask ${output.what}` : output.do;
    });
  step({ on: 'start', wall: WALL });
  return { state, step, pass, look, ticket: () => state.lastTicket };
}

/** Asked how it stands, unknown: now the claim has its turn. */
function showing() {
  const it = play({ at: 'unpaired' }, true);
  it.pass(0);
  it.step({ on: 'standing', ticket: it.ticket(), state: 'unknown', wall: WALL });
  it.pass(0);
  expect(it.look()).toEqual(['open-link', 'new-code', 'ask standing', 'ask claim']);
  return it;
}

describe('a claim', () => {
  test('stands for the code, and is dropped once the gateway is paired', () => {
    const it = showing();
    it.step({ on: 'claim-taken', ticket: it.ticket(), wall: WALL });
    expect(it.look()).toEqual(['save claimed', 'ask certificate']);
    it.step({ on: 'certified', ticket: it.ticket(), identity });
    it.step({ on: 'connected' });
    it.step({ on: 'configured' });
    it.pass(200);
    expect(it.look()).not.toContain('drop-claim');
    it.step({ on: 'standing', ticket: it.ticket(), state: 'paired', wall: WALL });
    expect(it.look()).toEqual(['save paired', 'drop-claim']);
  });

  test.each(['claim_unknown', 'claim_used', 'claim_expired', 'forbidden'])(
    'refused for good (%s) is dropped with its cause, and the code is announced',
    (code) => {
      const it = showing();
      it.step({ on: 'refused', ticket: it.ticket(), code, final: true });
      it.pass(0);
      expect(it.look()).toEqual(['save unpaired', 'drop-claim', 'ask announce']);
      expect(it.state.saved).toEqual({ at: 'unpaired', cause: code });
      it.pass(CODE_LIFETIME);
      expect(it.look()).not.toContain('ask claim');
    },
  );

  test('refused for now gives way to the code and has its next turn with the next one', () => {
    const it = showing();
    it.step({ on: 'refused', ticket: it.ticket(), code: 'rate_limited', final: false });
    it.pass(0);
    expect(it.look()).toEqual(['ask announce']);
    it.step({ on: 'announced', ticket: it.ticket() });
    it.pass(CODE_LIFETIME);
    expect(it.look()).toEqual(['new-code', 'ask claim']);
  });

  test('without an answer is shown again', () => {
    const it = showing();
    it.step({ on: 'refused', ticket: it.ticket(), code: 'timeout', final: false });
    it.pass(ASK_AGAIN);
    expect(it.look()).toEqual(['ask claim']);
  });

  test('whose pairing was undone waits for the next code: no circle', () => {
    const it = showing();
    it.step({ on: 'claim-taken', ticket: it.ticket(), wall: WALL });
    it.look();
    it.pass(FAIL_SAFE);
    expect(it.look().filter((what) => what === 'ask claim')).toEqual([]);
    it.pass(CODE_LIFETIME);
    expect(it.look().filter((what) => what === 'ask claim')).toEqual(['ask claim']);
  });

  test('on a gateway that is paired already is dropped at its start', () => {
    expect(play({ at: 'paired', identity }, true).look()).toEqual(['drop-claim', 'start-agent']);
    expect(play({ at: 'paired', identity }, false).look()).toEqual(['start-agent']);
  });

  test.each([
    [`{"claim":"hlc_${'0'.repeat(32)}"}`, `hlc_${'0'.repeat(32)}`],
    [`{"claim":"hlc_${'0'.repeat(31)}"}`, undefined],
    [`{"claim":"hlc_${'i'.repeat(32)}"}`, undefined],
    ['{"claim":7}', undefined],
    ['null', undefined],
    ['{', undefined],
  ])('is read back with care: %s', (text, claim) => expect(readClaim(utf8(text))).toBe(claim));
});
