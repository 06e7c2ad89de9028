import { describe, expect, test } from 'vitest';
import { newRequest, newResponse, type SipMessage } from './message.ts';
import { SUBSCRIBE_AGAIN, Subscriber, TIMER_N } from './subscriber.ts';

const WATCHED = { uri: 'sip:1@h', from: 'sip:1@h', contact: 'sip:hl@10.0.0.9' };
const ASKED = { event: 'message-summary', accept: 'application/simple-message-summary', expires: 600 };
/** Its first subscription is `c1` with the tag `ours`, the next `c2` with `ours2`. */
function make(): Subscriber {
  let n = 0;
  return new Subscriber(ASKED, () => ({ callId: `c${++n}`, tag: n === 1 ? 'ours' : `ours${n}` }));
}

/** The answer to a SUBSCRIBE. */
function answer(request: SipMessage, status: number, expires?: number): SipMessage {
  const response = newResponse(request, status);
  if (expires !== undefined) response.add('Expires', String(expires));
  return response;
}

interface Notify {
  readonly n: number;
  readonly tag?: string;
  readonly to?: string;
  readonly state?: string;
  readonly body?: string;
  readonly callId?: string;
  readonly event?: string;
}

const notify = ({
  n,
  tag = 'theirs',
  to = 'ours',
  state = 'active;expires=600',
  body = 'b',
  callId = 'c1',
  event = 'message-summary',
}: Notify) =>
  newRequest(
    'NOTIFY',
    WATCHED.contact,
    [
      ['From', `<sip:1@h>;tag=${tag}`],
      ['To', `<sip:1@h>;tag=${to}`],
      ['Call-ID', callId],
      ['CSeq', `${n} NOTIFY`],
      ['Contact', '<sip:switch@10.0.0.1>'],
      ['Event', event],
      ...(state === '' ? [] : [['Subscription-State', state] as const]),
    ],
    body,
  );

describe('a subscription of ours', () => {
  test('begins outside a dialog, and is refreshed inside it at half of its time', () => {
    const one = make();
    const first = one.request(WATCHED);
    expect(['From', 'To', 'CSeq', 'Event', 'Expires'].map((name) => first.header(name))).toEqual([
      '<sip:1@h>;tag=ours',
      '<sip:1@h>',
      '1 SUBSCRIBE',
      'message-summary',
      '600',
    ]);
    expect(one.due).toBe(Number.POSITIVE_INFINITY);
    expect(one.answered(answer(first, 200, 100), 1_000)).toBe(false);
    expect(one.notified(notify({ n: 1 }), 1_100)).toEqual({ status: 200, body: 'b' });
    expect(one.due).toBe(51_000);
    const again = one.request(WATCHED);
    expect([again.uri, again.header('To'), again.header('From'), again.header('CSeq')]).toEqual([
      'sip:switch@10.0.0.1',
      '<sip:1@h>;tag=theirs',
      '<sip:1@h>;tag=ours',
      '2 SUBSCRIBE',
    ]);
    expect(one.request(WATCHED).cseq.n).toBe(3);
  });

  test('hears a NOTIFY that overtakes the answer, each once and in order, and none of another dialog', () => {
    const one = make();
    one.request(WATCHED);
    expect(one.notified(notify({ n: 5 }), 0).status).toBe(200);
    expect(one.notified(notify({ n: 5, body: 'old' }), 0)).toEqual({ status: 500 });
    expect(one.notified(notify({ n: 4 }), 0)).toEqual({ status: 500 });
    expect(one.notified(notify({ n: 9, tag: 'other' }), 0)).toEqual({ status: 481 });
    expect(one.notified(notify({ n: 9, to: 'other' }), 0)).toEqual({ status: 481 });
    expect(one.notified(notify({ n: 9, callId: 'c2' }), 0)).toEqual({ status: 481 });
    expect(one.notified(notify({ n: 70, body: '' }), 0)).toEqual({ status: 200 });
  });

  test.each([
    ['does not know it', 481, true],
    ['knows nobody of that name', 404, false],
    ['is not there', 480, false],
    ['does not know its package any more', 489, false],
    ['says nothing', 0, false],
  ])('is over where the notifier %s: the next is another one (RFC 6665 section 4.1.2.2)', (_how, status, atOnce) => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1 }), 0);
    const refresh = one.request(WATCHED);
    expect(one.answered(status === 0 ? undefined : answer(refresh, status), 5_000)).toBe(atOnce);
    expect(one.due).toBe(5_000 + SUBSCRIBE_AGAIN);
    // What the old one still has to say is nobody's.
    expect(one.notified(notify({ n: 2 }), 5_500)).toEqual({ status: 481 });
    const next = one.request(WATCHED);
    expect([next.header('To'), next.callId, next.header('From')]).toEqual(['<sip:1@h>', 'c2', '<sip:1@h>;tag=ours2']);
    expect(one.notified(notify({ n: 1, callId: 'c2', to: 'ours2' }), 6_000)).toEqual({ status: 200, body: 'b' });
  });

  test.each([403, 500, 503])('goes on in its dialog where a refresh alone is refused (%i)', (status) => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1 }), 0);
    expect(one.answered(answer(one.request(WATCHED), status), 5_000)).toBe(false);
    expect(one.due).toBe(5_000 + SUBSCRIBE_AGAIN);
    expect(one.notified(notify({ n: 2 }), 5_500).status).toBe(200);
    const next = one.request(WATCHED);
    expect([next.header('To'), next.callId, next.cseq.n]).toEqual(['<sip:1@h>;tag=theirs', 'c1', 3]);
  });

  test('that was told of after a refresh goes on, though nobody answered that', () => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1 }), 0);
    one.request(WATCHED);
    one.notified(notify({ n: 2 }), 1_000);
    one.answered(undefined, TIMER_N);
    expect(one.request(WATCHED).header('To')).toBe('<sip:1@h>;tag=theirs');
  });

  test('that nobody answered is not made by a NOTIFY that comes too late (RFC 6665 section 4.1.2.4)', () => {
    const one = make();
    one.request(WATCHED);
    one.answered(undefined, TIMER_N);
    expect(one.notified(notify({ n: 1 }), TIMER_N + 1)).toEqual({ status: 481 });
  });

  test('is not changed by a NOTIFY of another package, or that does not say how it stands', () => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    expect(one.notified(notify({ n: 5, event: 'dialog' }), 0)).toEqual({ status: 489 });
    expect(one.notified(notify({ n: 5, state: '' }), 0)).toEqual({ status: 400 });
    expect(one.notified(notify({ n: 1 }), 0)).toEqual({ status: 200, body: 'b' });
  });

  test.each([
    ['terminated;reason=deactivated', 0],
    ['Terminated; reason=timeout', 0],
    ['terminated;reason=rejected', SUBSCRIBE_AGAIN],
    ['terminated;reason=noresource', SUBSCRIBE_AGAIN],
    ['terminated', SUBSCRIBE_AGAIN],
    ['terminated;reason=probation;retry-after=300', 300_000],
    ['terminated;reason=giveup; Retry-After=5', SUBSCRIBE_AGAIN],
    ['terminated;reason=deactivated;retry-after=7', 7_000],
    ['terminated;reason=probation;retry-after=99999999999', 86_400_000],
    ['terminated;reason=probation;retry-after=soon', SUBSCRIBE_AGAIN],
  ])('that is ended by "%s" is wanted again after %i ms', (state, wait) => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1 }), 0);
    one.notified(notify({ n: 2, state }), 7_000);
    expect(one.due).toBe(7_000 + wait);
  });

  test('is refreshed in the time that the notifier says, and not before it wants that (Retry-After)', () => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1, state: 'active;expires=100' }), 2_000);
    expect(one.due).toBe(52_000);
    const busy = answer(one.request(WATCHED), 503);
    busy.add('Retry-After', '120 (soon)');
    one.answered(busy, 60_000);
    expect(one.due).toBe(180_000);
  });

  test('that is ended by the notifier is wanted at once, and may have another dialog', () => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    one.notified(notify({ n: 1 }), 0);
    expect(one.notified(notify({ n: 2, state: 'terminated;reason=timeout' }), 7_000).status).toBe(200);
    expect(one.due).toBe(7_000);
    expect(one.notified(notify({ n: 3 }), 7_050).status).toBe(481);
    expect(one.request(WATCHED).header('To')).toBe('<sip:1@h>');
    expect(one.notified(notify({ n: 1, tag: 'another', callId: 'c2', to: 'ours2' }), 7_100).status).toBe(200);
  });

  describe('that was granted and is not told of within 64*T1 (RFC 6665 sections 4.1.2.2 and 4.1.2.4)', () => {
    test('is begun anew, as another one', () => {
      const one = make();
      one.answered(answer(one.request(WATCHED), 200, 600), 1_000);
      expect(one.due).toBe(1_000 + TIMER_N);
      const next = one.request(WATCHED);
      expect([next.header('To'), next.callId, next.cseq.n]).toEqual(['<sip:1@h>', 'c2', 1]);
    });

    test('is begun anew where it was told of before, since a refresh is answered by a NOTIFY too', () => {
      const one = make();
      one.answered(answer(one.request(WATCHED), 200, 600), 0);
      one.notified(notify({ n: 1 }), 0);
      one.answered(answer(one.request(WATCHED), 200, 600), 300_000);
      expect(one.due).toBe(300_000 + TIMER_N);
      expect(one.request(WATCHED).header('To')).toBe('<sip:1@h>');
    });

    test.each(['before', 'after'])('is kept for its time where the NOTIFY comes %s the 200', (when) => {
      const one = make();
      const first = one.request(WATCHED);
      if (when === 'before') one.notified(notify({ n: 1, state: 'active' }), 500);
      one.answered(answer(first, 200, 600), 1_000);
      if (when === 'after') one.notified(notify({ n: 1, state: 'active' }), 2_000);
      expect(one.due).toBe(301_000);
      expect(one.request(WATCHED).header('To')).toBe('<sip:1@h>;tag=theirs');
    });
  });

  test.each([
    ['deactivated', 500],
    ['rejected', 500 + SUBSCRIBE_AGAIN],
  ])('that is ended (%s) before its 200 comes is not taken for granted by it', (reason, due) => {
    const one = make();
    const first = one.request(WATCHED);
    one.notified(notify({ n: 1, state: `terminated;reason=${reason}` }), 500);
    one.answered(answer(first, 200, 600), 1_000);
    expect(one.due).toBe(due);
  });

  test('is not told of by a NOTIFY whose Event has an id: it asked for none (RFC 6665 section 8.2.1)', () => {
    const one = make();
    one.answered(answer(one.request(WATCHED), 200, 600), 0);
    expect(one.notified(notify({ n: 5, event: 'message-summary;id=7' }), 0)).toEqual({ status: 481 });
    expect(one.notified(notify({ n: 1, event: 'message-summary;other=7' }), 0)).toEqual({ status: 200, body: 'b' });
  });
});
