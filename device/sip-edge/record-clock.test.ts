import { expect, test } from 'vitest';
import { factsOf } from './call-facts.ts';
import { newEdgeCall } from './edge-call.ts';
import { RecordClock } from './record-clock.ts';

function clocks(at = 1_000_000) {
  const now = { wall: at, mono: 500 };
  const pass = (ms: number) => {
    now.wall += ms;
    now.mono += ms;
  };
  const jump = (ms: number) => {
    now.wall += ms;
  };
  return { times: new RecordClock({ wall: () => now.wall, mono: () => now.mono }), pass, jump };
}

test('a correction moves no duration, and a call is dated by the corrected clock from its beginning', () => {
  const { times, pass, jump } = clocks();
  const flow = {
    id: 'f',
    protocol: 'udp',
    local: { host: 'h', port: 1 },
    remote: { host: 'p', port: 2 },
    peer: { kind: 'none' },
  } as const;
  const facts = { id: 'c', flow, shown: '', dialled: '+2', callId: 'x', from: { id: 'a', number: '+1' } };
  const call = newEdgeCall({ ...facts, startedAt: times.now() });
  call.inside = { id: 'b', number: '+2' };
  pass(1_000);
  call.answeredAt = times.now();
  call.rung = [
    { line: 'c', number: '+3', endedAt: times.now(), reason: 'no_answer' },
    { line: 'b', number: '+2' },
  ];
  jump(-3_600_000);
  pass(9_000);
  const { now, correction } = { now: times.now(), correction: times.correction };
  expect(factsOf(call, 'hangup', { now, correction })).toMatchObject({
    startedAt: 1_000_000 - 3_600_000,
    answeredAt: 1_001_000 - 3_600_000,
    endedAt: 1_010_000 - 3_600_000,
    also: [{ to: '+3', endedAt: 1_001_000 - 3_600_000 }],
  });
});

test('it is corrected once, by more than two seconds; what NTP trims adds up', () => {
  const { times, pass, jump } = clocks();
  expect(times.corrected()).toBe(false);
  jump(2_000);
  pass(60_000);
  expect(times.corrected()).toBe(false);
  jump(1);
  expect([times.corrected(), times.corrected()]).toEqual([true, false]);
  jump(-7_200_000);
  expect([times.corrected(), times.corrected()]).toEqual([true, false]);
});
