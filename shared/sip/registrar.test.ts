import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newRequest, type SipMessage } from './message.ts';
import {
  type Bindings,
  bindingOf,
  CONTACT_LIMIT,
  contactValues,
  plainBinding,
  type RegisterOptions,
  type RegisterOutcome,
  register,
  removeExpired,
  removeFlow,
} from './registrar.ts';

const options: RegisterOptions = { flow: 'f1', min: 60, max: 3600 };

interface Ask {
  readonly contacts?: readonly string[];
  readonly expires?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly to?: string;
  readonly more?: readonly (readonly [string, string])[];
}

function ask({ contacts = [], expires, callId = 'c', cseq = 1, to = 'sip:a@h', more = [] }: Ask): SipMessage {
  return newRequest('REGISTER', 'sip:h', [
    ['To', `<${to}>`],
    ['Call-ID', callId],
    ['CSeq', `${cseq} REGISTER`],
    ...contacts.map((one): [string, string] => ['Contact', one]),
    ...(expires === undefined ? [] : [['Expires', expires] as const]),
    ...more,
  ]);
}

const run = (bindings: Bindings, asked: Ask, now = 0, change: Partial<RegisterOptions> = {}): RegisterOutcome =>
  register(bindings, ask(asked), now, { ...options, ...change });

const A = '<sip:a@192.0.2.1>';
const B = '<sip:a@192.0.2.2>';

it('a binding that was written down is the same again', () => {
  const bindings: Bindings = [];
  run(bindings, { contacts: ['<sip:a@192.0.2.1>;reg-id=1;+sip.instance="<urn:uuid:1>";q=0.5;flag'] });
  const [binding] = bindings;
  if (binding === undefined) throw new Error('no binding');
  expect([...binding.params.keys()]).toContain('flag');
  const plain = JSON.parse(JSON.stringify(plainBinding(binding))) as ReturnType<typeof plainBinding>;
  expect(bindingOf(plain, binding.expiresAt)).toEqual(binding);
});

describe('register', () => {
  it.each<[string, string, string | undefined, number]>([
    ['the contact’s own number', `${A};expires=120`, '600', 120],
    ['the header’s number', A, '600', 600],
    ['the default', A, undefined, 3600],
    ['the most allowed', A, '99999', 3600],
    ['the most allowed for a huge number', `${A};expires=280297596632815`, undefined, 3600],
    ['the default for what is no number', `${A};expires=soon`, '600', 3600],
    ['the default for a signed number', `${A};expires=-1`, '600', 3600],
    ['the default for no value', `${A};expires`, '600', 3600],
    ['exactly the least', `${A};expires=60`, undefined, 60],
  ])('grants %s', (_, contact, expires, seconds) => {
    const bindings: Bindings = [];
    const outcome = run(bindings, { contacts: [contact], ...(expires === undefined ? {} : { expires }) }, 5000);
    expect(outcome).toEqual({
      status: 200,
      reason: 'OK',
      contacts: [`${A};expires=${seconds}`],
      headers: [],
      changed: true,
    });
    expect(bindings[0]?.expiresAt).toBe(5000 + seconds * 1000);
  });

  it('refuses too short an interval, and says what is not', () => {
    const bindings: Bindings = [];
    const outcome = run(bindings, { contacts: [B, `${A};expires=59`] });
    expect(outcome).toMatchObject({ status: 423, headers: [['Min-Expires', '60']], contacts: [] });
    expect(bindings).toEqual([]);
  });

  it('keeps several contacts, refreshes and removes each', () => {
    const bindings: Bindings = [];
    expect(run(bindings, { contacts: [A, `${B};q=0.5`] }).contacts).toEqual([
      `${A};expires=3600`,
      `${B};q=0.5;expires=3600`,
    ]);
    expect(run(bindings, { contacts: [A], cseq: 2 }, 1000).changed).toBe(false);
    expect(run(bindings, {}, 1000).contacts).toEqual([`${A};expires=3600`, `${B};q=0.5;expires=3599`]);
    expect(run(bindings, { contacts: ['<sip:%61@192.0.2.1>;expires=0'], cseq: 3 }, 1000)).toMatchObject({
      changed: true,
      contacts: [`${B};q=0.5;expires=3599`],
    });
    expect(run(bindings, { contacts: ['<sip:x@h>;expires=0'], cseq: 4 }, 1000)).toMatchObject({
      status: 200,
      changed: false,
    });
  });

  it('takes the same contact twice in one request as one', () => {
    const bindings: Bindings = [];
    expect(run(bindings, { contacts: [A, `${A};expires=90`] }).contacts).toEqual([`${A};expires=90`]);
  });

  it('calls a move to another flow or path a change', () => {
    const bindings: Bindings = [];
    run(bindings, { contacts: [A] });
    expect(run(bindings, { contacts: [A], cseq: 2 }, 0, { flow: 'f2' }).changed).toBe(true);
    expect(run(bindings, { contacts: [A], cseq: 3, more: [['Path', '<sip:p;lr>']] }, 0, { flow: 'f2' }).changed).toBe(
      true,
    );
    expect(bindings[0]).toMatchObject({ flow: 'f2', path: ['<sip:p;lr>'] });
  });

  it('refuses what comes out of order, as a whole', () => {
    const bindings: Bindings = [];
    run(bindings, { contacts: [A], cseq: 5 });
    const before = [...bindings];
    for (const cseq of [5, 4]) {
      expect(run(bindings, { contacts: [B, A], cseq }).status).toBe(500);
      expect(run(bindings, { contacts: [`${A};expires=0`], cseq }).status).toBe(500);
      expect(run(bindings, { contacts: ['*'], expires: '0', cseq }).status).toBe(500);
    }
    expect(bindings).toEqual(before);
    expect(run(bindings, { contacts: [A], cseq: 1, callId: 'another' }).status).toBe(200);
  });

  it('removes all by star', () => {
    const bindings: Bindings = [];
    run(bindings, { contacts: [A, B] });
    for (const expires of [undefined, '1', '00', '']) {
      expect(run(bindings, { contacts: ['*'], cseq: 2, ...(expires === undefined ? {} : { expires }) }).status).toBe(
        400,
      );
    }
    expect(run(bindings, { contacts: ['*', A], cseq: 2, expires: '0' }).status).toBe(400);
    expect(bindings).toHaveLength(2);
    expect(run(bindings, { contacts: ['*'], cseq: 2, expires: '0' })).toMatchObject({
      status: 200,
      contacts: [],
      changed: true,
    });
    expect(bindings).toEqual([]);
  });

  it('takes as many contacts as allowed and none more', () => {
    const bindings: Bindings = [];
    const contacts = Array.from({ length: CONTACT_LIMIT }, (_, i) => `<sip:a@192.0.2.${i}>`);
    expect(run(bindings, { contacts }).contacts).toHaveLength(CONTACT_LIMIT);
    expect(run(bindings, { contacts: ['<sip:a@h>'], cseq: 2 })).toMatchObject({ status: 403, changed: false });
    expect(bindings).toHaveLength(CONTACT_LIMIT);
    expect(run(bindings, { contacts: [`${contacts[0]};expires=0`, '<sip:a@h>'], cseq: 3 }).status).toBe(200);
    expect(run([], { contacts: [...contacts, '<sip:a@h>'] }).status).toBe(403);
  });

  it('knows a device by instance and reg-id (RFC 5626)', () => {
    const device = (uri: string, id: string): string => `<${uri}>;+sip.instance="<urn:uuid:1>";reg-id=${id}`;
    const bindings: Bindings = [];
    const more = [['Supported', 'outbound'] as const, ['Via', 'SIP/2.0/TCP a;branch=z9hG4bKx'] as const];
    run(bindings, { contacts: [device('sip:a@192.0.2.1:1', '1')], more });
    run(bindings, { contacts: [device('sip:a@192.0.2.1:2', '1')], cseq: 2, more });
    expect(bindings.map(({ uri }) => uri)).toEqual(['sip:a@192.0.2.1:2']);
    run(bindings, { contacts: [device('sip:a@192.0.2.1:2', '2')], cseq: 3, more });
    expect(bindings).toHaveLength(2);
    const [value] = contactValues(bindings, 0);
    expect(value).toBe('<sip:a@192.0.2.1:2>;+sip.instance="<urn:uuid:1>";reg-id=1;expires=3600');
    run(bindings, { contacts: [device('sip:a@192.0.2.1:3', '0')], cseq: 4, more });
    run(bindings, { contacts: ['<sip:a@192.0.2.1:3>'], cseq: 5, more });
    expect(bindings).toHaveLength(3);
  });

  it('keeps Path and gives it back', () => {
    const bindings: Bindings = [];
    const outcome = run(bindings, { contacts: [A], more: [['Path', '<sip:p1;lr>, <sip:p2;lr>']] });
    expect(bindings[0]?.path).toEqual(['<sip:p1;lr>', '<sip:p2;lr>']);
    expect(outcome.headers).toEqual([
      ['Path', '<sip:p1;lr>'],
      ['Path', '<sip:p2;lr>'],
    ]);
  });

  it.each([
    ['an address of record that is no SIP URI', { to: 'http://www.example.com', contacts: [A] }],
    ['a contact that is no URI', { contacts: ['<nonsense>'] }],
  ])('refuses %s', (_, asked) => {
    const bindings: Bindings = [];
    expect(run(bindings, asked).status).toBe(400);
    expect(bindings).toEqual([]);
  });
});

describe('time and flows', () => {
  it('expire bindings', () => {
    const bindings: Bindings = [];
    run(bindings, { contacts: [`${A};expires=60`, `${B};expires=61`] });
    expect(contactValues(bindings, 59_001)).toEqual([`${A};expires=1`, `${B};expires=2`]);
    expect(removeExpired(bindings, 59_999)).toBe(false);
    expect(removeExpired(bindings, 60_000)).toBe(true);
    expect(bindings.map(({ uri }) => uri)).toEqual(['sip:a@192.0.2.2']);
    expect(contactValues(bindings, 61_000)).toEqual([]);
    expect(run(bindings, {}, 61_000)).toMatchObject({ contacts: [], changed: true });
    expect(run(bindings, { contacts: [B], cseq: 1 }, 62_000).status).toBe(200);
  });

  it('a lost flow takes its bindings along', () => {
    const bindings: Bindings = [];
    run(bindings, { contacts: [A] });
    run(bindings, { contacts: [B], cseq: 2 }, 0, { flow: 'f2' });
    expect(removeFlow(bindings, 'f3')).toBe(false);
    expect(removeFlow(bindings, 'f1')).toBe(true);
    expect(bindings.map(({ flow }) => flow)).toEqual(['f2']);
  });
});

/** A plain model: the last successful word about each contact, as long as it holds. */
it('agrees with a model over any sequence of requests', () => {
  const step = fc.record({
    who: fc.integer({ min: 0, max: 11 }),
    seconds: fc.constantFrom(0, 30, 60, 100, 5000),
    wait: fc.integer({ min: 0, max: 60_000 }),
    star: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const bindings: Bindings = [];
      let model = new Map<number, number>();
      let now = 0;
      steps.forEach(({ who, seconds, wait, star }, index) => {
        now += wait;
        model = new Map([...model].filter(([, end]) => end > now));
        const all = star && index % 5 === 0;
        const asked: Ask = all
          ? { contacts: ['*'], expires: '0', cseq: index + 1 }
          : { contacts: [`<sip:a@192.0.2.${who}>;expires=${seconds}`], cseq: index + 1 };
        const { status } = run(bindings, asked, now);
        if (all) model.clear();
        else if (seconds === 0) model.delete(who);
        else if (seconds >= 60 && (model.has(who) || model.size < CONTACT_LIMIT)) {
          model.set(who, now + Math.min(seconds, 3600) * 1000);
        } else expect(status).not.toBe(200);
        removeExpired(bindings, now);
        const held = new Map(bindings.map(({ uri, expiresAt }) => [Number(uri.split('.').pop()), expiresAt]));
        expect(held).toEqual(model);
      });
    }),
  );
});
