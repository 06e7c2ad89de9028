/**
 * Every order of events: a world of phones, router, media and recorder that act when the dice say so, lose replies, and go on
 * acting after they were hung up. Whatever happens, the call ends whole.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NEVER, TICK } from '../kernel/machine.ts';
import { CALLER, type CallInput, type CallOutput, callMachine, newCall } from './call.ts';

type In = CallInput<string>;
type Out = CallOutput<string>;
const machine = callMachine<string>();
const SDP = (direction: string) => `v=0\r\nm=audio 4000 RTP/AVP 0\r\na=${direction}\r\n`;

/** A small generator (mulberry32), so that a seed is a whole story. */
function dice(seed: number): (sides: number) => number {
  let a = seed;
  return (sides) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

class Scene {
  readonly state = newCall<string>();
  readonly die: (sides: number) => number;
  now = 0;
  waiting: In[] = [];
  readonly dialogs = new Map<string, 'open' | 'closed'>();
  final = 0;
  /** Final answers of those who wanted to take the call, by name; `gone`: it gave up first. */
  readonly takers = new Map<string, number | 'gone'>();
  overs = 0;
  reroutes = 0;
  readonly named = new Set<string>();
  readonly ended = new Map<string, number>();
  readonly held = new Map<string, number>();
  readonly visited: Set<string>;

  constructor(die: (sides: number) => number, visited: Set<string>) {
    this.die = die;
    this.visited = visited;
  }

  feed(input: In | typeof TICK): void {
    this.visited.add(`${this.state.at} ${input.on}`);
    // A route that comes after it was given up names nobody.
    if (this.state.routing && (input.on === 'routed' || input.on === 'held')) {
      const targets = input.on === 'routed' ? input.targets : [];
      for (const name of ['A', ...targets.map((one) => one.leg)]) this.named.add(name);
    }
    if (input.on === 'open' || (input.on === 'rerouted' && this.state.at !== 'over')) this.named.add(input.target.leg);
    const before = structuredClone(this.state);
    const out: Out[] = [];
    machine.step(this.state, input, this.now, out);
    const again: Out[] = [];
    machine.step(before, structuredClone(input), this.now, again);
    expect(again).toEqual(out);
    for (const o of out) this.carryOut(o);
  }

  carryOut(o: Out): void {
    expect(this.overs).toBe(0);
    if (o.do === 'route') this.later(this.route(), 9);
    else if (o.do === 'reroute') this.later(this.reroute(), 6);
    else if (o.do === 'invite') {
      expect(this.dialogs.has(o.branch)).toBe(false);
      this.dialogs.set(o.branch, 'open');
    } else if (o.do === 'hangup') {
      expect(this.dialogs.get(o.party)).toBe('open');
      // Who has no answer yet is refused, not hung up.
      if (this.takers.has(o.party)) expect(this.takers.get(o.party)).toBe(1);
      this.dialogs.set(o.party, 'closed');
    } else if (o.do === 'answer') this.answered(o.party);
    else if (o.do === 'reject') {
      this.answered(o.party);
      this.dialogs.set(o.party, 'closed');
    } else if (o.do === 'media') this.mediaReply(o);
    else if (o.do === 'release') this.released(o.leg);
    else if (o.do === 'report' && o.event === 'answered') this.later({ on: 'recorded' }, 5);
    else if (o.do === 'report' && o.event === 'ended') {
      expect(this.named.has(o.leg)).toBe(true);
      this.ended.set(o.leg, (this.ended.get(o.leg) ?? 0) + 1);
    } else if (o.do === 'reoffer') this.later(this.reofferReply(o.party), 8);
    else if (o.do === 'over') this.overs++;
  }

  answered(party: string): void {
    if (party === CALLER) this.final++;
    else this.takers.set(party, Number(this.takers.get(party)) + 1);
  }

  /** Somebody calls in and wants this call. */
  take(): void {
    const n = this.takers.size;
    if (n > 1) return;
    this.takers.set(`T${n}`, 0);
    this.dialogs.set(`T${n}`, 'open');
    this.named.add(`P${n}`);
    this.feed({ on: 'taken', branch: `T${n}`, leg: `P${n}`, to: 'x', sdp: SDP('sendrecv') });
  }

  /** Most replies come, at some time; one in `odds` is lost. */
  later(input: In, odds: number): void {
    if (this.die(odds) !== 0) this.waiting.push(input);
  }

  mediaReply(o: Extract<Out, { do: 'media' }>): void {
    this.held.set(o.leg, (this.held.get(o.leg) ?? 0) + 1);
    const good: In = { on: 'media', op: o.op, ...(o.want === 'accept' ? {} : { sdp: SDP('sendrecv') }) };
    this.later(this.die(8) === 0 ? { on: 'media', op: o.op, failed: 488 } : good, 9);
  }

  released(leg: string): void {
    expect(this.held.get(leg)).toBeGreaterThan(0);
    this.held.delete(leg);
  }

  reofferReply(party: string): In {
    const ok = this.die(3) !== 0;
    return { on: 'reoffered', party, ok, status: ok ? 200 : 488, ...(ok ? { sdp: SDP('recvonly') } : {}) };
  }

  route(): In {
    const kind = this.die(8);
    if (kind === 0) return { on: 'refused', status: 404, reason: 'callee_unknown' };
    if (kind === 1) return { on: 'held', callerLeg: 'A', limit: 2_000 };
    const targets = Array.from({ length: this.die(4) }, (_, leg) => ({
      leg: `L${leg}`,
      branches: Array.from({ length: this.die(4) }, (_, n) => ({ branch: `L${leg}.${n}`, to: 'x' })),
    }));
    return { on: 'routed', callerLeg: 'A', targets, ringFor: 5_000, relay: this.die(3) !== 0 };
  }

  reroute(): In {
    const kind = this.die(4);
    if (kind === 0) return { on: 'refused', status: 480, reason: 'callee_offline' };
    if (kind === 1) return { on: 'refused', status: 302, reason: 'moved', moved: 'sip:x@a.test' };
    const leg = `M${this.reroutes++}`;
    const branches = Array.from({ length: this.die(3) }, (_, n) => ({ branch: `${leg}.${n}`, to: 'x' }));
    return { on: 'rerouted', target: { leg, branches }, ringFor: 5_000, again: this.die(2) === 0 };
  }

  /** Some party acts, maybe one that is gone. */
  act(): void {
    const parties = [...this.dialogs.keys(), 'stranger'];
    const party = parties[this.die(parties.length)] ?? CALLER;
    const sdp = this.die(4) === 0 ? {} : { sdp: SDP(['sendrecv', 'sendonly', 'inactive'][this.die(3)] ?? '') };
    const status = [180, 181, 183, 199][this.die(4)] ?? 180;
    const refused = [302, 302, 302, 302, 401, 404, 408, 480, 486, 488, 503, 600, 603][this.die(13)] ?? 480;
    const inputs: In[] = [
      { on: 'progress', branch: party, status, ...sdp },
      { on: 'progress', branch: party, status: 180 },
      { on: 'answered', branch: party, ...sdp },
      { on: 'answered', branch: party, ...sdp },
      { on: 'failed', branch: party, status: refused, moved: refused === 302 ? 'sip:x@a.test' : undefined },
      { on: 'ended', party, why: ['bye', 'cancel', 'no-ack', 'transport'][this.die(4)] ?? 'bye' },
      { on: 'offer', party, ...sdp },
      { on: 'confirmed', party, ...sdp },
      { on: 'admit' },
      { on: 'close', reason: 'api', leg: `L${this.die(3)}` },
    ];
    // What ends the call comes more rarely, or nothing would live long enough for the rest.
    const input = inputs[this.die(inputs.length)] ?? TICK;
    if ((input.on === 'ended' || input.on === 'close') && this.die(6) !== 0) return;
    if (input.on === 'ended' && this.dialogs.has(party)) {
      this.dialogs.set(party, 'closed');
      if (this.takers.get(party) === 0) this.takers.set(party, 'gone');
    }
    if (input.on === 'failed' && this.dialogs.has(party) && this.state.branches.get(party)?.at === 'ringing') {
      this.dialogs.set(party, 'closed');
    }
    this.feed(input as In);
  }

  turn(): void {
    const what = this.die(6);
    if (what <= 2 && this.waiting.length > 0) {
      const [input] = this.waiting.splice(this.die(this.waiting.length), 1);
      if (input !== undefined) this.feed(input);
    } else if (what === 3) {
      this.now += this.die(4_000);
      if (machine.due(this.state) <= this.now) this.feed(TICK);
    } else if (what === 4 && this.state.at !== 'idle' && this.die(8) === 0) this.take();
    else this.act();
  }

  /** No more phones: what waits comes or its time runs out, and somebody closes. */
  drain(): void {
    this.feed({ on: 'close', reason: 'shutdown' });
    for (const input of this.waiting.splice(0)) this.feed(input);
    for (let i = 0; machine.due(this.state) !== NEVER; i++) {
      expect(i).toBeLessThan(100);
      this.now = Math.max(this.now, machine.due(this.state));
      this.feed(TICK);
    }
  }
}

test('whatever the order, the call ends whole', () => {
  const visited = new Set<string>();
  fc.assert(
    fc.property(fc.integer(), fc.nat({ max: 120 }), fc.nat({ max: 9 }), (seed, turns, kind) => {
      const instructed = kind === 0;
      const scene = new Scene(dice(seed), visited);
      if (instructed) {
        const branches = [0, 1].map((n) => ({ branch: `L0.${n}`, to: 'x' }));
        scene.feed({ on: 'open', target: { leg: 'L0', branches }, ringFor: 3_000 });
      } else {
        scene.dialogs.set(CALLER, 'open');
        scene.feed({ on: 'invite', ...(scene.die(4) === 0 ? {} : { sdp: SDP('sendrecv') }) });
      }
      for (let turn = 0; turn < turns && scene.overs === 0; turn++) scene.turn();
      const gaveUp = !instructed && scene.dialogs.get(CALLER) === 'closed' && scene.final === 0;
      scene.drain();
      expect(scene.state.at).toBe('over');
      expect(scene.overs).toBe(1);
      expect(scene.final).toBe(instructed || gaveUp ? 0 : 1);
      for (const [name, finals] of scene.takers)
        expect([name, finals]).toSatisfy(([, is]) => is === 1 || is === 'gone');
      for (const [party, at] of scene.dialogs) expect([party, at]).toEqual([party, 'closed']);
      expect(Object.fromEntries(scene.ended)).toEqual(Object.fromEntries([...scene.named].map((name) => [name, 1])));
      if (!instructed && scene.state.owned) expect([...scene.held]).toEqual([]);
      expect(scene.state.asks.size).toBe(0);
    }),
    { numRuns: 10_000 },
  );
  // The dice reached every phase with every kind of input.
  const inputs =
    'routed held refused rerouted admit progress answered failed ended offer confirmed media recorded close taken tick';
  const phases = 'routing held ringing rerouting answering up ending';
  const never =
    /^(held|ringing|answering|up) (routed|held|refused)$|^(held|routing) (media|recorded)$|^ringing recorded$|^up tick$|^(routing|held|ringing|answering|up) rerouted$|^rerouting (routed|held|recorded)$|^ending rerouted$|^(up|ending) recorded$/;
  const missing = phases
    .split(' ')
    .flatMap((at) => inputs.split(' ').map((on) => `${at} ${on}`))
    .filter((pair) => !never.test(pair) && !visited.has(pair));
  expect(missing.join(', ')).toBe('');
});
