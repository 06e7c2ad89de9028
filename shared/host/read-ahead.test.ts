/** Datagrams that wait for a receiver that is behind: sorted, none lost that is not named, and those for help never while there is another. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import type { Net, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { agent, optionsText } from '#test/support/sip-agent.ts';
import { INLINE, ReadAhead, WAITING_LIMIT } from './read-ahead.ts';

interface Thing {
  readonly n: number;
  /** Undefined: in the order of all. */
  readonly rank: number | undefined;
}

/** What the loop does next: reads so many at once, each of such a rank, after a pause. */
interface Poll {
  readonly pause: number;
  readonly ranks: readonly (number | undefined)[];
}

let now: number;
/** Milliseconds that one takes to be served. */
let cost: number;
let served: (Thing & { readonly waited: number })[];
let lost: Thing[];
let turns: (() => void)[];
let ahead: ReadAhead<Thing>;
let octets: number;

beforeEach(() => {
  [now, cost, octets] = [0, 0.1, 500];
  [served, lost, turns] = [[], [], []];
  ahead = new ReadAhead({
    now: () => now,
    ranks: 5,
    place: ({ rank }) => ({ rank, octets }),
    serve: (thing, waited) => {
      served.push({ ...thing, waited });
      now += cost;
      if (thing.n === Number.NEGATIVE_INFINITY) throw new Error('served badly');
    },
    lost: (thing) => lost.push(thing),
  });
});

let count = 0;
const read = (...ranks: readonly (number | undefined)[]): void => {
  for (const rank of ranks) ahead.take({ n: count++, rank }, (run) => turns.push(run));
};
const turn = (): void => {
  for (const run of turns.splice(0)) run();
};
const fresh = (of: number): number[] => new Array<number>(of).fill(4);

describe('a receiver that is behind', () => {
  it('serves what comes turn by turn at once, whatever it is', () => {
    for (let i = 0; i < 3 * INLINE; i++) {
      read(4, 4, 4, 4);
      turn();
    }
    expect([served.length, ahead.size]).toEqual([12 * INLINE, 0]);
  });

  it('serves what was waiting later, the urgent first', () => {
    read(...fresh(INLINE), 4, 3, 1, 0, 1);
    expect([served.length, ahead.size]).toEqual([INLINE, 5]);
    turn();
    expect(served.slice(INLINE).map(({ rank }) => rank)).toEqual([0, 1, 1, 3, 4]);
    expect([ahead.size, turns.length]).toEqual([0, 0]);
    read(4);
    expect(served).toHaveLength(INLINE + 6);
  });

  it('lets the loop read on after some milliseconds, sooner while there is more', () => {
    read(...fresh(200));
    turn();
    const first = served.length - INLINE;
    turn();
    const second = served.length - INLINE - first;
    expect([first >= 5 && first <= 6, second >= 40 && second <= 41]).toEqual([true, true]);
    read(0);
    turn();
    expect(served[INLINE + first + second]?.rank).toBe(0);
  });

  it('serves what has no rank in the order of all, as long as there is not too much of it', () => {
    cost = 0;
    read(...fresh(INLINE), 4, 4, undefined, 0, undefined, 1);
    turn();
    expect(served.slice(INLINE).map(({ rank }) => rank)).toEqual([0, 1, undefined, 4, undefined, 4]);
    read(...fresh(INLINE + 10), ...new Array<undefined>(80).fill(undefined), 1);
    served = [];
    turn();
    expect(served.slice(0, 11).map(({ rank }) => rank)).toEqual([1, ...fresh(9), undefined]);
    expect([served.length, served.at(-1)?.rank, ahead.size]).toEqual([91, undefined, 0]);
  });

  it('tells how long one has waited', () => {
    read(...fresh(INLINE + 1));
    now += 30;
    turn();
    expect(served.at(-1)?.waited).toBeCloseTo(30);
    expect(served[0]?.waited).toBe(0);
  });

  it('names what it has no room for, new calls before calls for help', () => {
    read(...fresh(INLINE + WAITING_LIMIT.things), 0);
    expect(lost.map(({ rank }) => rank)).toEqual([4]);
    read(undefined);
    octets = WAITING_LIMIT.weight;
    read(0);
    expect(ahead.size).toBe(2);
    turn();
    expect(served.slice(-2).map(({ rank }) => rank)).toEqual([0, undefined]);
  });

  it('goes on after one that could not be served', () => {
    read(...fresh(INLINE));
    ahead.take({ n: Number.NEGATIVE_INFINITY, rank: 0 }, (run) => turns.push(run));
    read(4);
    expect(turn).toThrow('served badly');
    turn();
    expect([served.length, ahead.size]).toEqual([INLINE + 2, 0]);
  });

  it('serves nothing once it is closed', () => {
    read(...fresh(INLINE + 3));
    ahead.close();
    turn();
    expect(served).toHaveLength(INLINE);
  });

  it('serves or names all that was read, once, and of one rank in its order', () => {
    const polls = fc.array<Poll>(
      fc.record({
        pause: fc.constantFrom(0, 0.01, 1, 40),
        ranks: fc.array(fc.option(fc.nat(4), { nil: undefined }), { maxLength: 40 }),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(polls, fc.constantFrom(0.01, 0.1, 1), (all, each) => {
        [served, lost, turns, count, cost] = [[], [], [], 0, each];
        for (const { pause, ranks } of all) {
          now += pause;
          read(...ranks);
          turn();
        }
        while (turns.length > 0) turn();
        expect(ahead.size).toBe(0);
        expect([...served, ...lost].map(({ n }) => n).sort((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_none, n) => n),
        );
        for (let rank = 0; rank < 5; rank++) {
          const its = served.filter((one) => one.rank === rank).map(({ n }) => n);
          expect(its).toEqual([...its].sort((a, b) => a - b));
        }
        expect(lost.some(({ rank }) => rank === 0)).toBe(false);
      }),
    );
  });
});

/** A host whose datagrams of one moment are read before any of them is served, and whose machine grants little room for them. */
function busyHost(world: World, warned: unknown[]): World {
  const net: Net = {
    ...world.net,
    async udp(options, onMessage) {
      const { local, send, close } = await world.net.udp(options, onMessage);
      const soon = (run: () => void) => void world.clock.at(world.clock.mono() + 1, run);
      return { local, send, close, soon, room: { granted: 212_992, wished: 4_194_304 } };
    },
  };
  const log = { ...world.log, warn: (what: string, more?: object) => void warned.push([what, more]) };
  return { ...world, net, log };
}

describe('SIP at a host that is behind', () => {
  it('takes in who calls for help first, all others in the end, and says what the machine lacks', async () => {
    using world = new VirtualWorld({ seed: 5 });
    const warned: unknown[] = [];
    const isHelp = (uri: string): boolean => uri.startsWith('sip:112@');
    const server = agent(busyHost(world.host('server', ['10.0.0.2']), warned), { isHelp });
    await server.transport.bind({ udp: { host: '10.0.0.2', port: 5060 } });
    const advice = 'sysctl -w net.core.rmem_max=4194304';
    expect(warned).toEqual([['sip.small-buffer', { port: 5060, granted: 212_992, wished: 4_194_304, advice }]]);
    const phone = await world.host('phone', ['10.0.0.1']).net.udp({ host: '10.0.0.1', port: 5060 }, () => {});
    const help = optionsText().replace('sip:b@10.0.0.2', 'sip:112@10.0.0.2').replaceAll('OPTIONS', 'INVITE');
    for (const text of [...Array.from({ length: 60 }, () => optionsText()), help])
      phone.send(fromLatin1(text), { host: '10.0.0.2', port: 5060 });
    await world.run(100);
    const came = server.wire.filter((line) => line.startsWith('in ')).map((line) => line.split(' ')[1]);
    expect([came.length, came.indexOf('INVITE')]).toEqual([61, INLINE]);
    expect(server.wire.filter((line) => line === 'out SIP/2.0 200 OK').length).toBeGreaterThanOrEqual(60);
    await server.transport.close();
  });
});
