import { describe, expect, it } from 'vitest';
import { newRequest } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { House, type HouseLine } from './house.ts';

const line = (n: number): HouseLine => ({
  id: `line_${n}`,
  number: `+1555010000${n}`,
  username: `u${n}`,
  kind: 'phone',
  ha1: { md5: '', sha256: '' },
});
const flow = (id: string): Flow => ({
  id,
  protocol: 'udp',
  local: { host: '10.0.0.1', port: 5060 },
  remote: { host: '10.0.0.9', port: 5060 },
  peer: { kind: 'none' },
});

function house(): House {
  const made = new House();
  made.apply([line(1), line(2)]);
  return made;
}

let calls = 0;
/** A REGISTER of a line for one contact at `now`; the status of its answer. */
function enter(to: House, n: number, contact: string, at: Flow, now: number, expires = 600): number {
  const own = `<sip:u${n}@example.net>`;
  const message = newRequest('REGISTER', 'sip:example.net', [
    ['From', `${own};tag=1`],
    ['To', own],
    ['Call-ID', `c${++calls}`],
    ['CSeq', '1 REGISTER'],
    ['Contact', `<${contact}>`],
    ['Expires', String(expires)],
  ]);
  return to.register(line(n), message, at, now, 1_000_000 + now).status;
}

describe('the house', () => {
  it.each(['u1', 'line_1', '+15550100001', '0015550100001'])('means its line by %s', (dialled) => {
    expect(house().dialled(dialled)?.id).toBe('line_1');
  });

  it.each(['u3', '700', '+15550109999', '', '__proto__'])('means nobody by %s', (dialled) => {
    expect(house().dialled(dialled)).toBeUndefined();
  });

  it('rings every contact of a line until it expires', () => {
    const made = house();
    expect(enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0)).toBe(200);
    expect(enter(made, 1, 'sip:u1@10.0.0.8', flow('b'), 0, 60)).toBe(200);
    expect(made.phones('line_1', 1).map(({ uri, flow: { id } }) => [uri, id])).toEqual([
      ['sip:u1@10.0.0.9', 'a'],
      ['sip:u1@10.0.0.8', 'b'],
    ]);
    expect(made.phones('line_1', 60_001)).toHaveLength(1);
    expect(made.present(60_001)).toEqual([{ line: 'line_1', contacts: 1, since: 1_000_000 }]);
    expect(made.present(600_001)).toEqual([]);
    expect(made.phones('line_2', 1)).toEqual([]);
  });

  it('refuses a registration shorter than a minute, and takes one away at once', () => {
    const made = house();
    expect(enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0, 10)).toBe(423);
    expect(made.present(1)).toEqual([]);
    enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0);
    expect(enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 5, 0)).toBe(200);
    expect(made.present(6)).toEqual([]);
  });

  it('forgets what came over a lost connection, and that alone', () => {
    const made = house();
    enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0);
    enter(made, 1, 'sip:u1@10.0.0.8', flow('b'), 0);
    enter(made, 2, 'sip:u2@10.0.0.8', flow('b'), 0);
    made.lost(flow('b'));
    expect(made.present(1).map(({ line: id, contacts }) => [id, contacts])).toEqual([['line_1', 1]]);
  });

  it('forgets the phones of a line that is gone; the others stay', () => {
    const made = house();
    enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0);
    enter(made, 2, 'sip:u2@10.0.0.8', flow('b'), 0);
    made.apply([line(2)]);
    expect(made.phones('line_1', 1)).toEqual([]);
    expect(made.byUsername('u1')).toBeUndefined();
    expect(made.present(1).map((one) => one.line)).toEqual(['line_2']);
  });

  it('lets nobody speak for another line', () => {
    const [own, other] = [line(1), line(2)];
    const invite = (user: string) =>
      newRequest('INVITE', 'sip:x@example.net', [
        ['From', `<sip:${user}@example.net>;tag=1`],
        ['To', '<sip:x@example.net>'],
        ['Call-ID', 'c'],
        ['CSeq', '1 INVITE'],
      ]);
    expect(House.owns(own, invite(own.username))).toBe(true);
    expect(House.owns(own, invite(own.number))).toBe(true);
    expect(House.owns(own, invite(other.username))).toBe(false);
    expect(House.owns(own, invite(other.number))).toBe(false);
  });

  it('keeps its phones over a restart, each for the time that it was last granted', () => {
    const made = house();
    enter(made, 1, 'sip:u1@10.0.0.9', flow('a'), 0);
    enter(made, 2, 'sip:u2@10.0.0.8', flow('b'), 500_000, 60);
    enter(made, 2, 'sip:u2@10.0.0.7', { ...flow('c'), protocol: 'tcp' }, 500_000);
    const kept = made.kept();
    expect(kept.map(({ line: of, granted }) => [of, granted])).toEqual([
      ['line_1', 600_000],
      ['line_2', 60_000],
    ]);
    const next = new House();
    for (const phone of kept) next.restore(phone, { ...phone.flow, id: `new-${phone.flow.id}` }, 1_000, 5);
    next.apply([line(1)]);
    expect(next.phones('line_1', 600_999).map(({ flow: { id } }) => id)).toEqual(['new-a']);
    expect(next.phones('line_1', 601_001)).toEqual([]);
    expect(next.phones('line_2', 1_001)).toEqual([]);
    expect(next.kept()).toHaveLength(1);
    expect(next.present(601_001)).toEqual([]);
    expect(next.kept()).toEqual([]);
  });
});
