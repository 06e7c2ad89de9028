import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { NEVER, TICK, type Tick } from '#shared/kernel/machine.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Envelope } from '#shared/protocol/envelope.ts';
import { type FaultCode, fault } from '#shared/protocol/fault.ts';
import {
  ANSWERS_LIMIT,
  HELLO_AGAIN,
  HELLO_TIMEOUT,
  type LinkInput,
  type LinkOutput,
  type LinkState,
  link,
  newLink,
  PENDING_LIMIT,
} from './link.ts';

let state: LinkState;
let now: number;
beforeEach(() => {
  state = newLink({ greets: true });
  now = 1000;
});

function step(input: LinkInput | Tick): LinkOutput[] {
  const out: LinkOutput[] = [];
  link.step(state, input, now, out);
  return out;
}
/** Outputs as short words, for tables. */
function words(out: LinkOutput[]): string[] {
  return out.map((output) => {
    switch (output.do) {
      case 'send':
        return `send ${output.channel} ${output.id ?? `re ${output.re}`}`;
      case 'settle':
        return `settle ${output.id} ${output.outcome.ok ? 'ok' : output.outcome.fault.code}`;
      case 'state':
        return `-> ${output.at}`;
      case 'obey':
        return `obey ${output.id}`;
      default:
        return output.do;
    }
  });
}
const say = (input: LinkInput | Tick) => words(step(input));
const closed: LinkInput = { on: 'closed', fraction: 0.5, why: 'x' };
const envelope = (more: Partial<Envelope>): Envelope => ({
  v: 1,
  id: 'e1',
  type: 't',
  ts: 0,
  epoch: 1,
  seq: 1,
  ...more,
});
const received = (channel: 'cmd' | 'res' | 'desired', more: Partial<Envelope>): LinkInput => ({
  on: 'received',
  channel,
  envelope: envelope(more),
});
const ask = (id: string, deadline = now + 10_000): LinkInput => ({
  on: 'ask',
  id,
  channel: 'req',
  verb: 'media.play',
  body: {},
  deadline,
});
const GREETED = { epoch: 4, at: 5000, documents: [{ doc: 'system' }] };
function ready(): void {
  step({ on: 'start' });
  step({ on: 'opened' });
  step({ on: 'hello', id: 'h', body: {} });
  step(received('res', { re: 'h', body: GREETED }));
  expect(state.at).toBe('ready');
}

describe('a connection', () => {
  test('opens, greets, takes epoch, time and documents, and is ready', () => {
    expect(say({ on: 'start' })).toEqual(['-> connecting', 'open']);
    expect(say({ on: 'start' })).toEqual([]);
    expect(say({ on: 'opened' })).toEqual(['-> greeting', 'greet']);
    expect(say({ on: 'hello', id: 'h', body: { a: 1 } })).toEqual(['send hello h']);
    expect(say(received('res', { re: 'other' }))).toEqual([]);
    expect(step(received('res', { re: 'h', body: GREETED }))).toEqual([
      { do: 'desired', body: { doc: 'system' } },
      { do: 'state', at: 'ready' },
    ]);
    expect([state.epoch, state.ahead]).toEqual([4, 4000]);
  });

  test('of an applicant is ready without a greeting', () => {
    state = newLink({ greets: false });
    step({ on: 'start' });
    expect(say({ on: 'opened' })).toEqual(['-> ready']);
  });

  test('that fails is tried again after a wait that grows, and is short after a good connection, shorter after a long one', () => {
    step({ on: 'start' });
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      expect(say(closed)).toEqual(['-> waiting']);
      waits.push(link.due(state) - now);
      now = link.due(state) - 1;
      expect(say(TICK)).toEqual([]);
      now++;
      expect(say(TICK)).toEqual(['-> connecting', 'open']);
    }
    expect(waits).toEqual([550, 1050, 2050, 4050, 8050]);
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h', body: {} });
    step(received('res', { re: 'h', body: GREETED }));
    now += 29_999;
    step(closed);
    expect(link.due(state) - now).toBe(1050);
    state.at = 'ready';
    state.readySince = now - 30_000;
    step(closed);
    expect(link.due(state) - now).toBe(550);
  });

  test('whose hello is not answered is given up', () => {
    step({ on: 'start' });
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h', body: {} });
    expect(link.due(state)).toBe(now + HELLO_TIMEOUT);
    now += HELLO_TIMEOUT;
    expect(say(TICK)).toEqual(['give-up']);
    expect(say(closed)).toEqual(['-> waiting']);
  });

  test.each<[FaultCode, string[]]>([
    ['server_unavailable', ['greet']],
    ['timeout', ['greet']],
    ['internal', ['greet']],
    ['forbidden', []],
    ['bad_request', []],
  ])('whose hello is answered with %s says it again, or is given up', (code, again) => {
    step({ on: 'start' });
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h', body: {} });
    expect(say(received('res', { re: 'h', fault: fault(code) }))).toEqual(again.length === 0 ? ['give-up'] : []);
    now += HELLO_AGAIN;
    if (again.length > 0) expect(say(TICK)).toEqual(again);
  });

  test('can be left for a new one at once; what was under way is asked again there', () => {
    ready();
    step(ask('q'));
    expect(say({ on: 'again' })).toEqual(['close', '-> connecting', 'open']);
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h2', body: {} });
    expect(say(received('res', { re: 'h2', body: GREETED }))).toEqual(['desired', '-> ready', 'send req q']);
  });
});

describe('a request', () => {
  test('waits for the connection, is sent with what it may live, and settles with its answer, once', () => {
    expect(say(ask('early'))).toEqual(['settle early timeout']);
    step({ on: 'start' });
    expect(say(ask('q', now + 500))).toEqual([]);
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h', body: {} });
    now += 100;
    const out = step(received('res', { re: 'h', body: GREETED }));
    expect(out.at(-1)).toMatchObject({ do: 'send', id: 'q', lives: 400, seq: 1, epoch: 4 });
    expect(step(received('res', { re: 'q', body: 7 }))).toEqual([{ do: 'settle', id: 'q', outcome: ok(7) }]);
    expect(step(received('res', { re: 'q', body: 8 }))).toEqual([]);
  });

  test('settles with the fault that came', () => {
    ready();
    step(ask('q'));
    const out = step(received('res', { re: 'q', fault: fault('callee_busy') }));
    expect(out).toEqual([{ do: 'settle', id: 'q', outcome: err(fault('callee_busy')) }]);
  });

  test('is asked again under the same id on the next connection, and times out on its own clock', () => {
    ready();
    expect(say(ask('q', now + 20_000))).toEqual(['send req q']);
    step(closed);
    now = link.due(state);
    step(TICK);
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h2', body: {} });
    expect(say(received('res', { re: 'h2', body: GREETED }))).toContain('send req q');
    now = 21_000;
    expect(say(TICK)).toEqual(['settle q timeout']);
    expect(say(received('res', { re: 'q', body: 1 }))).toEqual([]);
  });

  test('beyond 256 waiting ones is refused', () => {
    ready();
    for (let i = 0; i < PENDING_LIMIT; i++) expect(say(ask(`q${i}`))).toEqual([`send req q${i}`]);
    expect(say(ask('more'))).toEqual(['settle more rate_limited']);
    step(received('res', { re: 'q0', body: 1 }));
    expect(say(ask('more'))).toEqual(['send req more']);
  });

  test('settles when the gateway stops', () => {
    ready();
    step(ask('q'));
    expect(say({ on: 'stop' })).toEqual(['-> stopped', 'close', 'settle q timeout']);
    expect(link.due(state)).toBe(NEVER);
    expect(say(closed)).toEqual([]);
  });
});

describe('a command', () => {
  test('is obeyed once and answered for every repetition', () => {
    ready();
    expect(say(received('cmd', { id: 'c' }))).toEqual(['obey c']);
    expect(say(received('cmd', { id: 'c' }))).toEqual([]);
    expect(say({ on: 'obeyed', id: 'c', outcome: ok(1) })).toEqual(['send res re c']);
    expect(say({ on: 'obeyed', id: 'c', outcome: ok(2) })).toEqual([]);
    expect(step(received('cmd', { id: 'c' }))).toMatchObject([{ do: 'send', re: 'c', answer: { body: 1 } }]);
  });

  test('is still answered from memory after a reconnection', () => {
    ready();
    step(received('cmd', { id: 'c' }));
    step(closed);
    expect(say({ on: 'obeyed', id: 'c', outcome: ok(1) })).toEqual([]);
    now = link.due(state);
    step(TICK);
    step({ on: 'opened' });
    step({ on: 'hello', id: 'h2', body: {} });
    step(received('res', { re: 'h2', body: GREETED }));
    expect(say(received('cmd', { id: 'c' }))).toEqual(['send res re c']);
  });

  test('is not obeyed before the hello is answered, nor after it has expired by the cloud’s clock', () => {
    step({ on: 'start' });
    step({ on: 'opened' });
    expect(say(received('cmd', { id: 'c' }))).toEqual([]);
    step({ on: 'hello', id: 'h', body: {} });
    step(received('res', { re: 'h', body: GREETED }));
    now += 5000;
    expect(say(received('cmd', { id: 'c', exp: 9999 }))).toEqual([]);
    expect(say(received('cmd', { id: 'c', exp: 10_000 }))).toEqual(['obey c']);
  });

  test('of long ago is forgotten, so that memory is bounded', () => {
    ready();
    for (let i = 0; i <= ANSWERS_LIMIT; i++) {
      step(received('cmd', { id: `c${i}` }));
      step({ on: 'obeyed', id: `c${i}`, outcome: ok(i) });
    }
    expect(state.answers.size).toBe(ANSWERS_LIMIT);
    expect(say(received('cmd', { id: 'c1' }))).toEqual(['send res re c1']);
    expect(say(received('cmd', { id: 'c0' }))).toEqual(['obey c0']);
  });
});

test('whatever comes in whatever order: every request settles exactly once, and no more is open than asked', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const input = fc.oneof(
    fc.constantFrom<LinkInput | Tick>({ on: 'start' }, { on: 'opened' }, { on: 'again' }, closed, TICK),
    id.map((name): LinkInput => ({ on: 'hello', id: `h${name}`, body: {} })),
    id.map((name): LinkInput => received('res', { re: `h${name}`, body: GREETED })),
    id.map((name): LinkInput => received('res', { re: name, body: 1 })),
    id.map((name): LinkInput => received('cmd', { id: name })),
    id.map((name): LinkInput => ({ on: 'obeyed', id: name, outcome: ok(1) })),
    fc.nat(20_000),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(input, fc.option(id)), { maxLength: 60 }), (inputs) => {
      state = newLink({ greets: true });
      now = 0;
      let serial = 0;
      const open = new Set<string>();
      const take = (out: LinkOutput[]) => {
        for (const output of out) if (output.do === 'settle') expect(open.delete(output.id), output.id).toBe(true);
      };
      for (const [next, asking] of inputs) {
        if (asking !== null) {
          const name = `${asking}${serial++}`;
          open.add(name);
          take(step(ask(name)));
        }
        if (typeof next === 'number') now += next;
        else if (
          next.on === 'received' &&
          next.channel === 'res' &&
          open.size > 0 &&
          !next.envelope.re?.startsWith('h')
        )
          take(step(received('res', { re: [...open][0] ?? '', body: 1 })));
        else take(step(next));
      }
      take(step({ on: 'stop' }));
      expect(open.size).toBe(0);
      expect(link.due(state)).toBe(NEVER);
    }),
    { numRuns: 500, seed: 11 },
  );
});
