import { describe, expect, it } from 'vitest';
import { newRequest } from './message.ts';
import { type EventPackage, Notifier, type Subscription } from './notifier.ts';
import type { Flow } from './types.ts';

const FLOW: Flow = {
  ...{ id: 'f1', protocol: 'tcp', local: { host: '10.0.0.1', port: 5060 } },
  ...{ remote: { host: '10.0.0.2', port: 5060 }, peer: { kind: 'none' } },
};
const PACKAGE: EventPackage = {
  name: 'dialog',
  contentType: 'application/dialog-info+xml',
  min: 60,
  max: 600,
  usual: 300,
};

interface Ask {
  readonly event?: string;
  readonly expires?: number;
  readonly accept?: string;
  readonly tag?: string;
  readonly cseq?: number;
  readonly callId?: string;
  readonly contact?: string;
}

function request({ event = 'dialog', expires, accept, tag, cseq = 1, callId = 'c1', contact = 'sip:a@10.0.0.2' }: Ask) {
  return newRequest('SUBSCRIBE', 'sip:b@h', [
    ['From', '<sip:a@h>;tag=a1'],
    ['To', `<sip:b@h>${tag === undefined ? '' : `;tag=${tag}`}`],
    ['Call-ID', callId],
    ['CSeq', `${cseq} SUBSCRIBE`],
    ['Contact', `<${contact}>`],
    ['Event', event],
    ...(expires === undefined ? [] : [['Expires', String(expires)] as const]),
    ...(accept === undefined ? [] : [['Accept', accept] as const]),
  ]);
}

function rig(more: { most?: number; perResource?: number } = {}) {
  let tags = 0;
  const notifier = new Notifier({ packages: [PACKAGE], tag: () => `t${++tags}`, ...more });
  const add = (ask: Ask = {}, now = 0, resource = 'line_b', flow = FLOW) =>
    notifier.add(request(ask), { flow, resource, contact: 'sip:s@10.0.0.1' }, now);
  /** Sends what is due and says that it got `status`; gives the NOTIFYs. */
  const tell = (now = 0, status = 200) =>
    [...notifier.due(now)].map((one: Subscription) => {
      const message = notifier.notify(one, one.over === undefined ? 'state' : undefined, now);
      notifier.answered(one, status, 0);
      return message;
    });
  return { notifier, add, tell };
}

const state = (message: { header(name: string): string | undefined } | undefined) =>
  message?.header('Subscription-State');

describe('a subscription (RFC 6665)', () => {
  it('is granted, told at once, told of changes, and ends when its time is over', () => {
    const { notifier, add, tell } = rig();
    expect(add({ expires: 100 })).toEqual({
      status: 200,
      tag: 't1',
      headers: [
        ['Expires', '100'],
        ['Contact', '<sip:s@10.0.0.1;transport=tcp>'],
      ],
    });
    const [first] = tell(1000);
    expect(first?.uri).toBe('sip:a@10.0.0.2');
    expect(['From', 'To', 'Call-ID', 'CSeq', 'Event'].map((name) => first?.header(name))).toEqual([
      '<sip:b@h>;tag=t1',
      '<sip:a@h>;tag=a1',
      'c1',
      '1 NOTIFY',
      'dialog',
    ]);
    expect([state(first), first?.body]).toEqual(['active;expires=99', 'state']);
    expect(tell(2000)).toEqual([]);
    notifier.changed('dialog', 'line_c');
    notifier.changed('presence', 'line_b');
    expect(tell(2000)).toEqual([]);
    notifier.changed('dialog', 'line_b');
    expect(tell(2000).map((one) => [one.header('CSeq'), state(one)])).toEqual([['2 NOTIFY', 'active;expires=98']]);
    expect(tell(99_999)).toEqual([]);
    expect(tell(100_000).map(state)).toEqual(['terminated;reason=timeout']);
    expect(notifier.size).toBe(0);
  });

  it('is refreshed and ended in its dialog, at the target that it names last', () => {
    const { notifier, add, tell } = rig();
    add({ expires: 100 });
    tell();
    const again = request({ tag: 't1', cseq: 2, expires: 200, contact: 'sip:a@10.0.0.9' });
    const known = notifier.known(again);
    if (known === undefined) throw new Error('not known');
    expect(notifier.refresh(known, again, FLOW, 50_000)).toMatchObject({
      status: 200,
      headers: [['Expires', '200'], expect.anything()],
    });
    expect(tell(50_000).map((one) => [one.uri, state(one)])).toEqual([['sip:a@10.0.0.9', 'active;expires=200']]);
    expect(notifier.refresh(known, again, FLOW, 50_000)).toMatchObject({ status: 500 });
    // Nowhere else than at a SIP URI can it hear of anything (RFC 3261 section 12.2.2).
    notifier.refresh(known, request({ tag: 't1', cseq: 3, expires: 200, contact: 'mailto:a@b' }), FLOW, 50_000);
    expect(tell(50_000).map(({ uri }) => uri)).toEqual(['sip:a@10.0.0.9']);
    notifier.refresh(known, request({ tag: 't1', cseq: 4, expires: 0 }), FLOW, 60_000);
    expect(tell(60_000).map(state)).toEqual(['terminated;reason=timeout']);
    expect(notifier.known(request({ tag: 't1', cseq: 5 }))).toBeUndefined();
  });

  it.each<[string, Ask]>([
    ['another tag', { tag: 't9' }],
    ['another Call-ID', { tag: 't1', callId: 'c2' }],
    ['another id of the event', { tag: 't1', event: 'dialog;id=7' }],
  ])('is not known by %s', (_what, ask) => {
    const { notifier, add } = rig();
    add();
    expect(notifier.known(request(ask))).toBeUndefined();
    expect(notifier.known(request({ tag: 't1', cseq: 2 }))).toBeDefined();
  });

  it.each<[string, Ask, number]>([
    ['another tag', { tag: 't9' }, 481],
    ['another Call-ID', { tag: 't1', callId: 'c2' }, 481],
    ['another id in the dialog of one', { tag: 't1', event: 'dialog;id=7' }, 403],
    ['a package that is not known there', { tag: 't1', event: 'presence' }, 489],
  ])('that is meant by %s is refused (RFC 6665 section 4.5.2)', (_what, ask, status) => {
    const { notifier, add, tell } = rig();
    add();
    tell();
    const refused = notifier.unknown(request(ask));
    expect([refused.status, refused.headers.flat().includes('Warning')]).toEqual([status, status === 403]);
    expect(notifier.size).toBe(1);
  });

  it('keeps the id of its event', () => {
    const { add, tell } = rig();
    add({ event: 'Dialog ; id=7' });
    expect(tell()[0]?.header('Event')).toBe('dialog;id=7');
  });

  it('of 0 seconds is a question that is answered once', () => {
    const { notifier, add, tell } = rig();
    expect(add({ expires: 0 })).toMatchObject({ status: 200, headers: [['Expires', '0'], expect.anything()] });
    expect(tell().map(state)).toEqual(['terminated;reason=timeout']);
    expect(notifier.size).toBe(0);
  });

  it.each<[string, Ask, object]>([
    ['an unknown event', { event: 'presence' }, { status: 489, headers: [['Allow-Events', 'dialog']] }],
    ['a malformed event', { event: 'a b' }, { status: 489 }],
    ['too short a time', { expires: 59 }, { status: 423, headers: [['Min-Expires', '60']] }],
    ['a type that is not ours', { accept: 'application/pidf+xml' }, { status: 406 }],
  ])('is refused for %s', (_what, ask, refusal) => {
    const { notifier, add } = rig();
    expect(add(ask)).toMatchObject(refusal);
    expect(notifier.size).toBe(0);
  });

  it.each<[string, Ask, string]>([
    ['exactly the least', { expires: 60 }, '60'],
    ['more than the most', { expires: 99_999 }, '600'],
    ['nothing', {}, '300'],
    ['our type among others', { accept: 'text/plain, application/dialog-info+xml;q=0.5' }, '300'],
    ['any type of the family', { accept: 'application/*' }, '300'],
  ])('that asks for %s is granted', (_what, ask, seconds) => {
    expect(rig().add(ask).headers[0]).toEqual(['Expires', seconds]);
  });

  it.each([0, 404, 405, 408, 410, 416, 480, 481, 485, 489, 501, 604])('whose NOTIFY gets %i is forgotten', (status) => {
    const { notifier, add } = rig();
    add();
    const [one] = [...notifier.due(0)] as [Subscription];
    notifier.notify(one, 'x', 0);
    notifier.answered(one, status, 0, 20);
    expect(notifier.size).toBe(0);
  });

  it.each([302, 400, 403, 486, 500, 503, 603])(
    'whose NOTIFY gets %i is told anew after a while: it speaks of that request alone (RFC 6665 section 4.2.2)',
    (status) => {
      const { notifier, add, tell } = rig();
      add({ expires: 600 });
      tell(0, status);
      notifier.changed('dialog', 'line_b');
      expect(tell(59_999)).toEqual([]);
      expect(tell(60_000).map(state)).toEqual(['active;expires=540']);
      // Not past its time: then it hears of its end.
      tell(600_000, status);
      expect(notifier.size).toBe(0);
    },
  );

  it('whose subscriber says when it wants to hear more is told then, or at the end of its time', () => {
    const { notifier, add, tell } = rig();
    add({ expires: 100 });
    const [one] = [...notifier.due(0)] as [Subscription];
    notifier.notify(one, 'x', 0);
    notifier.answered(one, 503, 1_000, 20);
    expect([[...notifier.due(20_999)].length, [...notifier.due(21_000)].length, notifier.size]).toEqual([0, 1, 1]);
    notifier.notify(one, 'x', 21_000);
    notifier.answered(one, 503, 21_000, 999_999);
    expect(tell(99_999)).toEqual([]);
    expect(tell(100_000).map(state)).toEqual(['terminated;reason=timeout']);
    expect(notifier.size).toBe(0);
  });

  it('is told one thing at a time; what changes meanwhile is told together', () => {
    const { notifier, add } = rig();
    add();
    const [one] = [...notifier.due(0)];
    if (one === undefined) throw new Error('nothing is due');
    notifier.notify(one, 'a', 0);
    notifier.changed('dialog', 'line_b');
    notifier.changed('dialog', 'line_b');
    expect([...notifier.due(0)]).toEqual([]);
    notifier.answered(one, 200, 0);
    expect([...notifier.due(0)]).toEqual([one]);
  });

  it('is not given up for a NOTIFY that went a way which is given up', () => {
    const { notifier, add } = rig();
    add({ expires: 600 });
    const [one] = [...notifier.due(0)] as [Subscription];
    notifier.notify(one, 'a', 0);
    const again = request({ tag: 't1', cseq: 2, expires: 600 });
    notifier.refresh(one, again, { ...FLOW, id: 'f2' }, 0);
    notifier.answered(one, 0, 0);
    expect([...notifier.due(0)]).toEqual([one]);
    notifier.notify(one, 'a', 0);
    notifier.answered(one, 0, 0);
    expect(notifier.size).toBe(0);
  });

  it('ends with what it watches, or with its connection', () => {
    const { notifier, add, tell } = rig();
    add();
    tell();
    notifier.end('line_b', 'noresource');
    expect(tell().map(state)).toEqual(['terminated;reason=noresource']);
    add();
    notifier.lost({ ...FLOW, id: 'f2' });
    expect(notifier.size).toBe(1);
    notifier.lost(FLOW);
    expect([notifier.size, notifier.watches('dialog', 'line_b')]).toEqual([0, false]);
  });

  it('is one of a bounded number, in all and for one resource', () => {
    const { add } = rig({ most: 3, perResource: 2 });
    const status = (resource: string) => add({}, 0, resource).status;
    expect(['a', 'a', 'a', 'b', 'c'].map(status)).toEqual([200, 200, 503, 200, 503]);
  });
});

describe('over a restart', () => {
  /** What a second process makes of what the first one kept last, with a clock of its own. */
  const restored = (more: { wall: number; flow?: Flow }) => {
    const first = rig();
    first.add({ expires: 100 });
    first.tell(1_000);
    const [one] =
      [...first.notifier.due(1_000)].length > 0 ? [] : [first.notifier.known(request({ tag: 't1', cseq: 2 }))];
    if (one === undefined) throw new Error('no subscription');
    const saved = JSON.parse(JSON.stringify(first.notifier.save(one, 1_000_000)));
    const second = rig();
    second.notifier.restore(saved, more.flow, more.wall);
    return { ...second, saved };
  };

  it('goes on with greater numbers, all of its state, and the time that it had', () => {
    const { notifier, tell } = restored({ wall: 1_040_000, flow: FLOW });
    const [first] = tell(0);
    expect([Number.parseInt(first?.header('CSeq') ?? '', 10) > 1, first?.header('To')]).toEqual([
      true,
      '<sip:a@h>;tag=a1',
    ]);
    expect([state(first), first?.header('From')]).toEqual(['active;expires=60', '<sip:b@h>;tag=t1']);
    expect(notifier.known(request({ tag: 't1', cseq: 2 }))?.told).toBeGreaterThan(1);
    expect(tell(60_000).map(state)).toEqual(['terminated;reason=timeout']);
  });

  it('is never told a number again, whatever was sent after the last writing', () => {
    const first = rig();
    first.add({ expires: 600 });
    first.tell();
    const one = first.notifier.known(request({ tag: 't1', cseq: 2 })) as Subscription;
    let saved = first.notifier.save(one, 0);
    let last = 0;
    for (let i = 0; i < 300; i++) {
      first.notifier.changed('dialog', 'line_b');
      const [message] = first.tell();
      last = message?.cseq.n ?? 0;
      if (last > one.keptSeq) saved = first.notifier.save(one, 0);
      const second = rig();
      second.notifier.restore(structuredClone(saved), FLOW, 0);
      expect(second.tell()[0]?.cseq.n ?? 0).toBeGreaterThan(last);
    }
  });

  it('without its connection waits for a refresh, and is forgotten where none comes', () => {
    const { notifier, tell } = restored({ wall: 1_000_000 });
    notifier.changed('dialog', 'line_b');
    expect(tell(10_000)).toEqual([]);
    const again = request({ tag: 't1', cseq: 2, expires: 200 });
    const known = notifier.known(again) as Subscription;
    expect(notifier.refresh(known, again, { ...FLOW, id: 'f9' }, 20_000).status).toBe(200);
    expect(tell(20_000).map(state)).toEqual(['active;expires=200']);
    const other = restored({ wall: 1_000_000 });
    expect([other.tell(100_000), other.notifier.size]).toEqual([[], 0]);
  });

  it('lets go of what is over', () => {
    const gone: string[] = [];
    const notifier = new Notifier({ packages: [PACKAGE], tag: () => 't1', gone: (tag) => gone.push(tag) });
    notifier.add(request({ expires: 0 }), { flow: FLOW, resource: 'line_b', contact: 'sip:s@h' }, 0);
    for (const one of [...notifier.due(0)]) {
      notifier.notify(one, 'a', 0);
      notifier.answered(one, 200, 0);
    }
    expect(gone).toEqual(['t1']);
  });
});
