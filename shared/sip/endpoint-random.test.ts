/** Ten thousand calls in which both users and the network do as they please: nothing leaks, nothing is told twice. */
import { describe, expect, it } from 'vitest';
import { Duo, type Side, seeded, type Told } from '#test/support/sip-duo.ts';
import type { SipProtocol } from './types.ts';

const CALLS = 20;
const WORLDS = 500;

type Draw = (of: number) => number;

/** What a user must never see: news of a call that is over, or that it hung up itself. */
class Watch {
  readonly alive = new Set<string>();
  readonly over = new Set<string>();

  see(output: Told): void {
    if (!('call' in output)) return;
    expect(this.over.has(output.call), `${output.do} after the end of ${output.call}`).toBe(false);
    if (output.do === 'incoming') this.alive.add(output.call);
    if (output.do === 'ended' || output.do === 'failed') this.end(output.call);
  }

  end(call: string): void {
    this.alive.delete(call);
    this.over.add(call);
  }
}

function hangup(side: Side, watch: Watch, call: string): void {
  watch.end(call);
  side.act((e, now, out) => e.hangup(call, 'enough', now, out));
}

/** One of the things that a user may do when told something, or at any time. */
function misbehave(side: Side, watch: Watch, call: string, draw: Draw): void {
  if (watch.over.has(call)) return;
  side.act((e, now, out) => {
    switch (draw(10)) {
      case 0:
        return e.progress(call, 183, { sdp: 'early' }, now, out);
      case 1:
      case 2:
        return e.answer(call, { sdp: 'answer', contact: 'sip:me@10.0.0.1' }, now, out);
      case 3:
        if (draw(3) > 0) return;
        e.reject(call, 486, {}, now, out);
        // A reject that came in time is the end of the call; one that came too late is nothing.
        if (e.dialogId(call) === undefined) watch.end(call);
        return;
      case 4:
        return e.reoffer(call, draw(4) === 0 ? undefined : `offer ${draw(1000)}`, now, out);
      case 5:
        return e.acceptOffer(call, 'accepted', now, out);
      case 6:
        return e.refuseOffer(call, 488, now, out);
      case 7:
        e.requestInDialog(call, ['INFO', 'UPDATE', 'OPTIONS'][draw(3)] ?? 'INFO', {}, now, out);
        return;
      case 8:
        return e.offerEarly(call, `early ${draw(1000)}`, now, out);
    }
  });
  if (draw(12) === 0) hangup(side, watch, call);
}

function play(seed: number): Record<string, number> {
  const random = seeded(seed + 77);
  const draw: Draw = (of) => Math.floor(random.fraction() * of);
  const protocol: SipProtocol = draw(3) === 0 ? 'tcp' : 'udp';
  const one = { reliable: draw(2) === 0 };
  const duo = new Duo({ seed, protocol, a: one, b: one });
  const loss = protocol === 'udp' ? draw(4) * 10 : 0;
  const slow = [1, 20, 300][draw(3)] ?? 1;
  const told: Record<string, number> = {};
  duo.fate = () => {
    if (protocol === 'tcp') return [slow];
    if (draw(100) < loss) return [];
    return draw(10) === 0 ? [1 + draw(slow), 1 + draw(slow)] : [1 + draw(slow)];
  };
  const watches = new Map([duo.a, duo.b].map((side) => [side, new Watch()]));
  const act = (side: Side, call: string) => misbehave(side, watches.get(side) ?? new Watch(), call, draw);
  for (const [side, watch] of watches) {
    side.decide = (output) => {
      told[output.do] = (told[output.do] ?? 0) + 1;
      watch.see(output);
      if (!('call' in output) || watch.over.has(output.call)) return;
      const { call } = output;
      // Not within the batch: its later outputs were made before the user could have acted.
      if (draw(2) === 0) duo.at(0, () => act(side, call));
      for (let i = draw(4); i > 0; i--) duo.at(draw(4000), () => act(side, call));
    };
  }
  for (let i = 0; i < CALLS; i++) {
    duo.at(draw(5000), () => {
      const call = duo.call(draw(4) === 0 ? {} : { sdp: 'offer' });
      watches.get(duo.a)?.alive.add(call);
      duo.at(draw(8000), () => act(duo.a, call));
    });
  }
  if (protocol === 'tcp' && draw(2) === 0) {
    duo.at(draw(10_000), () => {
      for (const side of watches.keys()) side.act((e, now, out) => e.flowClosed(side.flow, now, out));
    });
  }
  duo.run(20_000);
  for (const [side, watch] of watches) for (const call of [...watch.alive]) hangup(side, watch, call);
  duo.run();
  for (const side of watches.keys()) {
    expect(side.endpoint.counts(), `world ${seed}`).toEqual({ transactions: 0, calls: 0 });
    expect(side.endpoint.waiting).toBe(0);
    expect(side.endpoint.due()).toBe(Number.POSITIVE_INFINITY);
  }
  return told;
}

describe('random calls', () => {
  it(`${CALLS * WORLDS} of them leave nothing behind, and everything was told at least once`, () => {
    const all = new Map<string, number>();
    for (let seed = 1; seed <= WORLDS; seed++) {
      for (const [name, count] of Object.entries(play(seed))) all.set(name, (all.get(name) ?? 0) + count);
    }
    for (const name of [
      'incoming',
      'progress',
      'answered',
      'confirmed',
      'failed',
      'ended',
      'offer',
      'reoffered',
      'response',
      'no-response',
      'in-dialog',
    ]) {
      expect(all.get(name) ?? 0, name).toBeGreaterThan(50);
    }
  });
});
