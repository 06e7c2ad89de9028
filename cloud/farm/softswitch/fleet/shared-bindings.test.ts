import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { Flow, SipProtocol } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Location } from '../location.ts';
import { SharedBindings } from './shared-bindings.ts';

const [A, B] = ['0-aaaaaaaa', '1-bbbbbbbb'];
const line = { id: 'line_1', number: '+49301', home: 'home_1' } as LineRow;

let world: VirtualWorld;
let clock: Clock;
let store: Store;
let alive: string[];
let commits: number;

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  ({ clock } = world.host('cloud', ['10.0.0.1']));
  store = openLocalStore(':memory:');
  alive = [A, B];
  commits = 0;
  const commit = store.commit.bind(store);
  store.commit = (statements) => {
    commits++;
    return commit(statements);
  };
});
afterEach(() => world[Symbol.dispose]());

function flow(protocol: SipProtocol, port: number): Flow {
  const id = protocol === 'udp' ? `udp0:10.0.0.9:${port}` : `${protocol}${port}`;
  return {
    ...{ id, protocol, peer: { kind: 'none' } },
    ...{ local: { host: '10.0.0.1', port: 5060 }, remote: { host: '10.0.0.9', port } },
  };
}

/** One process of the two; each hears what the other tells. */
class Side {
  readonly location = new Location();
  readonly shared: SharedBindings;
  readonly owner: string;
  other: Side | undefined;
  #seq = 1;

  constructor(owner: string) {
    this.owner = owner;
    const fleet = { owner, alive: () => alive, inherit: async () => {} } as Partial<Fleet> as Fleet;
    this.shared = new SharedBindings({
      ...{ fleet, store, clock, location: this.location },
      tell: (changed) => this.other?.shared.changed(changed),
      flowTo: async ({ port }) => flow('udp', port),
    });
  }

  register(from: Flow, user: string, { expires = 600, path = '' } = {}) {
    const message = newRequest('REGISTER', 'sip:hearthline', [
      ['To', '<sip:1@hearthline>'],
      ['From', '<sip:1@hearthline>;tag=1'],
      ['Call-ID', `${user}-${this.owner}`],
      ['CSeq', `${this.#seq++} REGISTER`],
      ['Contact', `<sip:${user}@10.0.0.9>;expires=${expires}`],
      ...(path === '' ? [] : [['Path', path] as const]),
    ]);
    return this.shared.change('line_1', () => this.location.register(line, message, { flow: from }, clock.mono()));
  }

  /** The phones that it would ring, with the ways. */
  async phones(): Promise<string[]> {
    await this.shared.sync('line_1');
    const contacts = this.location.contacts('line_1', clock.mono());
    return contacts.map(({ uri, flow: { id } }) => `${uri.slice(4, uri.indexOf('@'))} ${id}`).sort();
  }
}

function both(): [Side, Side] {
  const [a, b] = [new Side(A), new Side(B)];
  a.other = b;
  b.other = a;
  return [a, b];
}

it('a phone that registered with one is reached by the other over its flow, or by way of a proxy', async () => {
  const [a, b] = both();
  await a.register(flow('tcp', 7), 'desk');
  await a.register(flow('udp', 8), 'hall');
  await a.register(flow('udp', 9), 'loft', { path: '<sip:10.0.0.9:9;lr>' });
  expect(await a.phones()).toEqual(['desk tcp7', 'hall udp0:10.0.0.9:8', 'loft udp0:10.0.0.9:9']);
  expect(await b.phones()).toEqual([`desk ${A}/tcp7`, `hall ${A}/udp0:10.0.0.9:8`, 'loft udp0:10.0.0.9:9']);
  alive = [B];
  b.shared.changed();
  expect(await b.phones()).toEqual(['hall udp0:10.0.0.9:8', 'loft udp0:10.0.0.9:9']);
});

it('phones of one line may be with both; a phone that moves is with the last one alone', async () => {
  const [a, b] = both();
  await Promise.all([a.register(flow('tcp', 7), 'desk'), b.register(flow('tcp', 8), 'hall')]);
  expect(await a.phones()).toEqual(['desk tcp7', `hall ${B}/tcp8`]);
  const { contacts } = await b.register(flow('tcp', 9), 'desk');
  expect(contacts).toHaveLength(2);
  expect(await a.phones()).toEqual([`desk ${B}/tcp9`, `hall ${B}/tcp8`]);
  await a.register(flow('tcp', 7), 'hall', { expires: 0 });
  expect([await a.phones(), await b.phones()]).toEqual([[`desk ${B}/tcp9`], ['desk tcp9']]);
});

it('a mere refresh is written once what is written has run half its time', async () => {
  const [a, b] = both();
  await a.register(flow('tcp', 7), 'desk');
  expect(commits).toBe(1);
  await world.run(200_000);
  await a.register(flow('tcp', 7), 'desk');
  expect(commits).toBe(1);
  await world.run(200_000);
  await a.register(flow('tcp', 7), 'desk');
  expect(commits).toBe(2);
  await world.run(500_000);
  expect(await b.phones()).toEqual([`desk ${A}/tcp7`]);
  await world.run(200_000);
  expect([await a.phones(), await b.phones()]).toEqual([[], []]);
});

it('reads a line once until somebody changes it', async () => {
  const [a, b] = both();
  await a.register(flow('tcp', 7), 'desk');
  let reads = 0;
  const all = store.all.bind(store);
  store.all = (...asked) => {
    reads++;
    return all(...asked);
  };
  await b.phones();
  await b.phones();
  expect(reads).toBe(1);
  await a.register(flow('tcp', 8), 'hall');
  expect(await b.phones()).toHaveLength(2);
});

it('what came over a connection that is gone is gone for both, and so is a line', async () => {
  const [a, b] = both();
  await a.register(flow('tcp', 7), 'desk');
  await b.register(flow('tcp', 8), 'hall');
  await b.phones();
  a.location.lost(flow('tcp', 7));
  await a.shared.lost(flow('tcp', 7), ['line_1']);
  expect([await a.phones(), await b.phones()]).toEqual([[`hall ${B}/tcp8`], ['hall tcp8']]);
  await b.shared.gone('line_1');
  expect(await a.phones()).toEqual([]);
});

it('a process that starts again forgets the connections of the one before, and keeps who came over UDP', async () => {
  const [a, b] = both();
  await a.register(flow('tcp', 7), 'desk');
  await a.register(flow('udp', 8), 'hall');
  const again = new Side(A);
  await again.shared.begin();
  b.shared.changed();
  await again.shared.syncAll();
  const found = again.location.list(undefined, clock.mono());
  expect(found).toMatchObject([{ line: 'line_1', contacts: 1 }]);
  expect(await b.phones()).toEqual([`hall ${A}/udp0:10.0.0.9:8`]);
});
