/** Calls that were being made when their process died, and went on in another one. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, Side } from '#test/support/sip-duo.ts';
import { AGAIN_FOR } from './call-resume.ts';
import type { CallHandle, PendingInvite } from './types.ts';

let duo: Duo;
afterEach(() => {
  // Whatever happened, nothing is left once all have hung up.
  duo.run();
  expect([duo.a.endpoint.counts(), duo.b.endpoint.counts()]).toEqual([NOTHING, NOTHING]);
});
const NOTHING = { transactions: 0, calls: 0 };

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Another process in the place of one end, which knows nothing. */
function restart(which: 'a' | 'b', options: ConstructorParameters<typeof Side>[2] = {}): Side {
  const next = new Side(duo, duo[which].flow, options, 77);
  Object.assign(duo, { [which]: next });
  return next;
}

const kept = (side: Side, call: CallHandle): PendingInvite => {
  const pending = side.endpoint.pending(call);
  if (pending === undefined) throw new Error('nothing is pending');
  return copy(pending);
};
const resume = (side: Side, pending: PendingInvite): CallHandle =>
  side.act((e, now) => e.resume(pending, side.flow, now)) ?? '';
const hangup = (side: Side, call: CallHandle) => side.act((e, now, out) => e.hangup(call, 'hangup', now, out));
const answer = (side: Side, call: CallHandle) =>
  side.act((e, now, out) => e.answer(call, { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out));
const again = (side: Side, call: CallHandle, repeat: boolean) =>
  side.act((e, now, out) => e.answerAgain(call, 'answer', { contact: 'sip:b@10.0.0.2:5060', repeat }, now, out));

/** a has called, and b rings. */
function ringing(held = false): { ours: CallHandle; theirs: CallHandle } {
  duo = new Duo();
  duo.b.decide = (output, side) => {
    if (output.do === 'incoming') side.act((e, now, out) => e.progress(output.call, 180, {}, now, out));
  };
  const ours = duo.call(held ? { sdp: 'offer', held } : undefined);
  duo.run(100);
  return { ours, theirs: duo.b.last('incoming').call };
}

describe('an INVITE that came in', () => {
  it('is refused by the process that comes after', () => {
    const { theirs } = ringing();
    const pending = kept(duo.b, theirs);
    const b = restart('b');
    const call = resume(b, pending);
    b.act((e, now, out) => e.reject(call, 503, {}, now, out));
    duo.run(100);
    expect(duo.a.last('failed').status).toBe(503);
  });

  it('is answered by it, in the dialog that rang, and ends by either side', () => {
    for (const by of ['a', 'b'] as const) {
      const { ours, theirs } = ringing();
      const pending = kept(duo.b, theirs);
      const tag = duo.b.lastSent('180').toTag;
      const call = resume(restart('b'), pending);
      answer(duo.b, call);
      duo.run(100);
      expect([duo.a.last('answered').sdp, duo.b.names]).toEqual(['answer', ['confirmed']]);
      expect(duo.b.lastSent('200').toTag).toBe(tag);
      hangup(duo[by], by === 'a' ? ours : call);
      duo.run(100);
      expect(duo[by === 'a' ? 'b' : 'a'].last('ended').why).toBe('bye');
    }
  });

  it('is cancelled by its sender, and its copies begin nothing', () => {
    const { ours, theirs } = ringing();
    const pending = kept(duo.b, theirs);
    const first = duo.a.sent[0] ?? '';
    const call = resume(restart('b'), pending);
    duo.deliver(duo.b, first);
    expect(duo.b.names).toEqual([]);
    hangup(duo.a, ours);
    duo.run(100);
    expect(duo.b.last('ended')).toMatchObject({ call, why: 'cancel' });
  });

  it('keeps its session timer, and that it had no offer', () => {
    duo = new Duo({ a: { sessionExpires: 1800 } });
    const ours = duo.call({});
    duo.run(100);
    const pending = kept(duo.b, duo.b.last('incoming').call);
    expect(pending.asked).toBe(true);
    const call = resume(restart('b', { sessionExpires: 1800 }), pending);
    answer(duo.b, call);
    duo.run(10);
    duo.a.act((e, now, out) => e.acceptOffer(ours, 'late', now, out));
    duo.run(10);
    expect(duo.b.last('confirmed').sdp).toBe('late');
    expect(duo.b.endpoint.snapshot(call)?.session).toMatchObject({ interval: 1_800_000 });
    hangup(duo.a, ours);
  });

  it('that cannot be read is not taken up', () => {
    duo = new Duo();
    for (const invite of ['', 'BYE sip:x SIP/2.0\r\n\r\n']) {
      const pending = { outgoing: false, tag: 't', contact: 'sip:b@x', invite };
      expect(duo.b.endpoint.resume(pending, duo.b.flow, duo.now)).toBeUndefined();
    }
  });
});

describe('an INVITE that was answered in the last moment', () => {
  function answered(arrives: boolean): { ours: CallHandle; call: CallHandle } {
    const { ours, theirs } = ringing();
    const pending = kept(duo.b, theirs);
    if (arrives) {
      answer(duo.b, theirs);
      duo.run(10);
      expect(duo.a.names).toContain('answered');
    }
    return { ours, call: resume(restart('b'), pending) };
  }

  it.each([true, false])('is up at both ends (its 2xx had arrived: %s)', (arrives) => {
    const { ours, call } = answered(arrives);
    again(duo.b, call, true);
    duo.run(100);
    expect(duo.a.names.filter((one) => one === 'answered')).toHaveLength(1);
    expect(duo.b.names).toEqual(['confirmed']);
    hangup(duo.b, call);
    duo.run(100);
    expect(duo.a.last('ended')).toMatchObject({ call: ours, why: 'bye' });
  });

  it('is up where its caller does not acknowledge twice; its BYE waits for that', () => {
    const { ours, call } = answered(true);
    duo.fate = (text, from) => (from === duo.a && text.startsWith('ACK') ? [] : [1]);
    again(duo.b, call, true);
    duo.run(AGAIN_FOR - 1_000);
    expect([duo.b.names, duo.b.lines.filter((line) => line === '200 INVITE').length > 2]).toEqual([[], true]);
    hangup(duo.b, call);
    duo.run(500);
    expect(duo.a.names).not.toContain('ended');
    duo.run(1_000);
    expect(duo.a.last('ended')).toMatchObject({ call: ours, why: 'bye' });
  });

  it('counts as acknowledged where no ACK comes, and goes on', () => {
    const { ours, call } = answered(true);
    duo.fate = (text, from) => (from === duo.a && text.startsWith('ACK') ? [] : [1]);
    again(duo.b, call, true);
    duo.run(AGAIN_FOR + 1);
    expect([duo.b.names, duo.a.names.includes('ended')]).toEqual([['confirmed'], false]);
    hangup(duo.a, ours);
  });

  it('is up without a word where that is long ago', () => {
    const { ours, call } = answered(true);
    again(duo.b, call, false);
    expect(duo.b.sent).toEqual([]);
    hangup(duo.a, ours);
    duo.run(100);
    expect(duo.b.last('ended').why).toBe('bye');
  });
});

describe('an INVITE of ours', () => {
  it('is cancelled by the process that comes after', () => {
    const { ours } = ringing();
    const pending = kept(duo.a, ours);
    const a = restart('a');
    hangup(a, resume(a, pending));
    duo.run(100);
    expect(duo.b.last('ended').why).toBe('cancel');
    expect(a.lines).toEqual(['CANCEL', 'ACK']);
  });

  it.each(['before', 'after'])('whose 2xx came %s it was taken up is acknowledged once it is on record', (when) => {
    const { ours, theirs } = ringing(true);
    const pending = kept(duo.a, ours);
    if (when === 'before') {
      answer(duo.b, theirs);
      duo.run(1);
    }
    const a = restart('a');
    const call = resume(a, pending);
    if (when === 'after') answer(duo.b, theirs);
    duo.run(1_000);
    expect([a.last('answered').sdp, a.lines]).toEqual(['answer', []]);
    a.act((e, now, out) => e.confirm(call, now, out));
    duo.run(100);
    expect(duo.b.names).toContain('confirmed');
    hangup(duo.b, theirs);
    duo.run(100);
    expect(a.last('ended').why).toBe('bye');
  });

  it('that its user no longer wants is acknowledged and ended when it is answered all the same', () => {
    const { ours, theirs } = ringing();
    const pending = kept(duo.a, ours);
    const a = restart('a');
    answer(duo.b, theirs);
    hangup(a, resume(a, pending));
    duo.run(1_000);
    expect(duo.b.last('ended').why).toBe('bye');
  });
});

describe('a 2xx that is held', () => {
  it('is not acknowledged before its user says so, and offers are put off until then', () => {
    const { ours, theirs } = ringing(true);
    answer(duo.b, theirs);
    duo.run(600);
    expect([duo.a.names.at(-1), duo.a.lines.includes('ACK')]).toEqual(['answered', false]);
    expect(duo.b.lines.filter((line) => line === '200 INVITE')).toHaveLength(2);
    duo.b.act((e, now, out) => e.reoffer(theirs, 'more', now, out));
    duo.a.act((e, now, out) => e.confirm(ours, now, out));
    duo.a.act((e, now, out) => e.confirm(ours, now, out));
    duo.run(100);
    expect(duo.a.lines.filter((line) => line === 'ACK')).toHaveLength(1);
    expect(duo.a.last('offer').sdp).toBe('more');
    hangup(duo.a, ours);
  });

  it('is acknowledged and ended where its user hangs up', () => {
    const { ours, theirs } = ringing(true);
    answer(duo.b, theirs);
    duo.run(10);
    hangup(duo.a, ours);
    duo.run(100);
    expect([duo.a.lines.slice(-2), duo.b.last('ended').why]).toEqual([['ACK', 'BYE'], 'bye']);
  });

  it('is acknowledged by the process that comes after, when it asks whether the other side is there', () => {
    const { ours, theirs } = ringing(true);
    answer(duo.b, theirs);
    duo.run(10);
    const snapshot = copy(duo.a.endpoint.snapshot(ours));
    expect(snapshot?.unconfirmed).toBe(1);
    const a = restart('a');
    if (snapshot === undefined) throw new Error('no snapshot');
    const call = a.act((e, now) => e.restore(snapshot, a.flow, now));
    duo.b.decide = obliging;
    a.act((e, now, out) => e.probe(call, now, out));
    duo.run(100);
    expect([a.lines, duo.b.names.includes('confirmed')]).toEqual([['ACK', 'OPTIONS'], true]);
    duo.run(120_000);
    a.act((e, now, out) => e.probe(call, now, out));
    duo.run(100);
    expect(a.lines).toEqual(['ACK', 'OPTIONS', 'OPTIONS']);
    hangup(a, call);
  });
});

describe('a 2xx whose INVITE nobody knows', () => {
  function answeredLate(forgotten: boolean | undefined): Side {
    const { theirs } = ringing();
    const a = restart('a', forgotten === undefined ? {} : { forgotten: () => forgotten });
    answer(duo.b, theirs);
    duo.run(100);
    return a;
  }

  it('is acknowledged and ended where its sender may have been called', () => {
    expect([answeredLate(true).lines, duo.b.last('ended').why]).toEqual([['ACK', 'BYE'], 'bye']);
  });

  it.each([false, undefined])('is dropped where it may not (%s)', (forgotten) => {
    expect(answeredLate(forgotten).lines).toEqual([]);
  });

  it('is acknowledged again where the call is up', () => {
    const { ours, theirs } = ringing();
    answer(duo.b, theirs);
    duo.run(10);
    const snapshot = copy(duo.a.endpoint.snapshot(ours));
    const a = restart('a', { forgotten: () => true });
    if (snapshot === undefined) throw new Error('no snapshot');
    const call = a.act((e, now) => e.restore(snapshot, a.flow, now));
    duo.deliver(a, duo.b.sent.at(-1) ?? '');
    expect(a.lines).toEqual(['ACK']);
    hangup(a, call);
  });
});
