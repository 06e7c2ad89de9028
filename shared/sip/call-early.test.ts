/** Offers in early dialogs (RFC 3311 section 5) between two endpoints, and what forks say of their sessions (RFC 3261 section 13.2.2.4). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, IDLE, lineOf, read, type Side } from '#test/support/sip-duo.ts';

const BOTH = { a: { reliable: true }, b: { reliable: true } } as const;

let duo = new Duo();
afterEach(() => expect(duo.end()).toEqual([IDLE, IDLE]));

const theirs = () => duo.b.last('incoming').call;
const ring = (status = 183, body: { readonly sdp?: string } = { sdp: 'early' }) =>
  duo.b.act((e, now, out) => e.progress(theirs(), status, body, now, out));
const answer = () =>
  duo.b.act((e, now, out) => e.answer(theirs(), { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out));
const offer = (side: Side, call: string, sdp = 'anew') => side.act((e, now, out) => e.offerEarly(call, sdp, now, out));
const taking = (sdp: string) => (output: Parameters<Side['decide']>[0], side: Side) => {
  if (output.do === 'offer') side.act((e, now, out) => e.acceptOffer(output.call, sdp, now, out));
};

/** a calls b, which rings with early sound, and the PRACK of that has come. */
function early(options: ConstructorParameters<typeof Duo>[0] = BOTH): string {
  duo = new Duo(options);
  const mine = duo.call();
  duo.run(10);
  ring();
  duo.run(100);
  return mine;
}

/** An UPDATE with an offer from one side to the other, written by hand. */
function byHand(from: Side, seq: number, more = '', body = 'x'): string {
  const invite = duo.a.lastSent('INVITE');
  const ringing = duo.b.lastSent('18');
  const [local, remote] = [invite.header('From'), ringing.header('To')];
  const ids = from === duo.a ? `From: ${local}\r\nTo: ${remote}` : `From: ${remote}\r\nTo: ${local}`;
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  const via = `Via: SIP/2.0/UDP ${from.flow.local.host}:5060;branch=z9hG4bKhand${seq}`;
  return `UPDATE sip:x@10.0.0.9 SIP/2.0\r\n${via}\r\nMax-Forwards: 70\r\n${ids}\r\nCall-ID: ${invite.callId}\r\nCSeq: ${seq} UPDATE\r\nContact: <sip:moved@10.0.0.7>\r\n${more}${type}Content-Length: ${body.length}\r\n\r\n${body}`;
}

describe('UPDATE with an offer before the answer', () => {
  it.each(['caller', 'callee'] as const)(
    'of the %s is the user’s to answer, and the 2xx says no more of the session',
    (who) => {
      const mine = early();
      const [from, to, call] = who === 'caller' ? [duo.a, duo.b, mine] : [duo.b, duo.a, theirs()];
      to.decide = taking('counter');
      offer(from, call);
      duo.run(100);
      expect(to.last('offer').sdp).toBe('anew');
      expect(from.last('reoffered')).toMatchObject({ ok: true, status: 200, sdp: 'counter' });
      expect(to.lastSent('200 UPDATE').contacts).toHaveLength(1);
      to.decide = () => {};
      answer();
      duo.run(100);
      expect(duo.b.lastSent('200 INVITE').body).toBe('');
      expect(duo.a.last('answered').sdp).toBe(who === 'caller' ? 'counter' : 'anew');
      duo.a.decide = taking('later');
      duo.b.act((e, now, out) => e.reoffer(theirs(), 'hold', now, out));
      duo.run(100);
      expect(duo.b.last('reoffered')).toMatchObject({ ok: true, sdp: 'later' });
    },
  );

  it.each([true, false])('renews the target of its sender where it is taken: %s (RFC 6141 section 4.6)', (taken) => {
    early();
    duo.b.decide = (output, side) => {
      if (output.do !== 'offer') return;
      if (taken) side.act((e, now, out) => e.acceptOffer(output.call, 'counter', now, out));
      else side.act((e, now, out) => e.refuseOffer(output.call, 488, now, out));
    };
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, byHand(duo.a, 5));
    offer(duo.b, theirs());
    expect(duo.b.lastSent('UPDATE').uri === 'sip:moved@10.0.0.7').toBe(taken);
  });

  it('of the callee waits for the PRACK of its answer', () => {
    duo = new Duo(BOTH);
    duo.call();
    duo.run(10);
    ring();
    offer(duo.b, theirs());
    expect(duo.b.lines).toEqual(['100 INVITE', '183 INVITE']);
    duo.a.decide = taking('counter');
    duo.run(100);
    expect(duo.b.lines).toEqual(['100 INVITE', '183 INVITE', '200 PRACK', 'UPDATE']);
    expect(duo.b.last('reoffered').sdp).toBe('counter');
  });

  it('refused by the user: the session stays', () => {
    const mine = early();
    duo.b.decide = (output, side) => {
      if (output.do === 'offer') side.act((e, now, out) => e.refuseOffer(output.call, 488, now, out));
    };
    offer(duo.a, mine);
    duo.run(100);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: false, status: 488 });
    answer();
    duo.run(100);
    expect(duo.b.lastSent('200 INVITE').body).toBe('answer');
    expect(duo.a.last('answered').sdp).toBe('answer');
  });

  it.each([
    ['the caller, before its offer is answered', () => duo.a, 500],
    ['the callee, before it has answered', () => duo.b, 491],
  ] as const)('of %s comes too early', (_who, from, status) => {
    duo = new Duo(BOTH);
    duo.call();
    duo.run(10);
    ring(180, {});
    duo.run(10);
    const to = from() === duo.a ? duo.b : duo.a;
    duo.deliver(to, byHand(from(), 2));
    expect(to.lines.at(-1)).toBe(`${status} UPDATE`);
    const wait = to.lastSent(`${status}`).header('Retry-After');
    expect(status === 500 ? Number(wait) <= 10 : wait === undefined).toBe(true);
    expect(to.names).not.toContain('offer');
  });

  it('that crosses another gets 491, and one after an unanswered one 500', () => {
    const mine = early();
    offer(duo.a, mine);
    offer(duo.b, theirs());
    duo.run(100);
    for (const side of [duo.a, duo.b]) expect(side.last('reoffered')).toMatchObject({ ok: false, status: 491 });
    duo.deliver(duo.b, byHand(duo.a, 8));
    duo.deliver(duo.b, byHand(duo.a, 9));
    expect(duo.b.lines.slice(-1)).toEqual(['500 UPDATE']);
    offer(duo.b, theirs());
    expect(duo.b.last('reoffered')).toMatchObject({ ok: false, status: 491 });
  });

  it('that the user leaves unanswered gets 500', () => {
    early();
    duo.deliver(duo.b, byHand(duo.a, 8));
    duo.run(17_000);
    expect(duo.b.lines.at(-1)).toBe('500 UPDATE');
  });

  it.each([
    ['rejected', (_mine: string) => duo.b.act((e, now, out) => e.reject(theirs(), 486, {}, now, out))],
    ['cancelled', (mine: string) => duo.a.act((e, now, out) => e.hangup(mine, '', now, out))],
  ])('waits in a call that is %s: it gets its answer', (_how, end) => {
    const mine = early();
    duo.deliver(duo.b, byHand(duo.a, 8));
    end(mine);
    duo.run(100);
    expect(duo.b.lines).toContain('487 UPDATE');
  });

  it('answered after the call is: each gets its own answer', () => {
    const mine = early();
    offer(duo.a, mine);
    duo.run(10);
    answer();
    duo.run(100);
    expect(duo.a.last('answered').sdp).toBe('answer');
    duo.b.act((e, now, out) => e.acceptOffer(theirs(), 'counter', now, out));
    duo.run(100);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'counter' });
    expect(duo.a.names.filter((name) => name === 'ended')).toEqual([]);
  });

  it.each([
    ['knows no reliable responses', { b: { reliable: true } }],
    ['knows no UPDATE', { a: { reliable: true, allow: ['INVITE', 'ACK', 'BYE', 'CANCEL'] }, b: { reliable: true } }],
  ])('is not sent to who %s', (_what, options) => {
    early(options);
    offer(duo.b, theirs());
    expect(duo.b.last('reoffered')).toMatchObject({ ok: false, status: 488 });
    expect(duo.b.lines).not.toContain('UPDATE');
  });

  it('without an offer renews the target and starts no session timer', () => {
    early({ a: { reliable: true }, b: { reliable: true, sessionExpires: 90 } });
    duo.deliver(duo.b, byHand(duo.a, 8, 'Supported: timer\r\nSession-Expires: 90\r\n', ''));
    expect(duo.b.lines.at(-1)).toBe('200 UPDATE');
    expect(duo.b.lastSent('200 UPDATE').header('Session-Expires')).toBeUndefined();
    duo.run(200_000);
    expect(duo.b.endpoint.counts().calls).toBe(1);
  });
});

describe('forks', () => {
  /** The INVITE was forked behind a proxy: b's 183 comes again from another phone, and each may say something else. */
  function forked(): { other: (status: number, more: string, body: string) => string } {
    early();
    const text = duo.b.sent.find((one) => lineOf(one) === '183 INVITE') ?? '';
    const tag = read(text).toTag ?? '';
    return {
      other: (status, more, body) => {
        const head = text.slice(0, text.indexOf('\r\n\r\n')).replaceAll(tag, 'other');
        const lines = head.split('\r\n').filter((line) => !/^(?:RSeq|Require|Content|SIP)/.test(line));
        const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
        return `SIP/2.0 ${status} Yes\r\n${lines.join('\r\n')}\r\n${more}${type}Content-Length: ${body.length}\r\n\r\n${body}`;
      },
    };
  }

  it('the one that answers without a description has said it before, and the others end', () => {
    const { other } = forked();
    duo.deliver(duo.a, other(183, 'Require: 100rel\r\nRSeq: 7\r\n', 'elsewhere'));
    duo.deliver(duo.a, other(200, '', ''));
    expect(duo.a.last('answered').sdp).toBe('elsewhere');
    expect(duo.a.lastSent('ACK').toTag).toBe('other');
    answer();
    duo.run(100);
    const mine = read(duo.b.sent.findLast((one) => lineOf(one) === '200 INVITE') ?? '').toTag;
    expect(duo.a.lastSent('BYE').toTag).toBe(mine);
    expect(duo.b.last('ended').why).toBe('bye');
    expect(duo.a.names.filter((name) => name === 'answered')).toHaveLength(1);
  });

  it('an offer of one whose sound is not heard is refused', () => {
    const { other } = forked();
    duo.deliver(duo.a, other(183, 'Require: 100rel\r\nRSeq: 7\r\n', 'elsewhere'));
    const update = byHand(duo.b, 3).replace(/;tag=[^\r]*/, ';tag=other');
    duo.deliver(duo.a, update);
    expect(duo.a.lines.at(-1)).toBe('488 UPDATE');
  });
});

describe('a re-INVITE that asks for an offer', () => {
  function established(): string {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      const { endpoint } = side;
      if (output.do === 'incoming')
        side.act((_, now, out) =>
          endpoint.answer(output.call, { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out),
        );
      if (output.do === 'offer') side.act((_, now, out) => endpoint.acceptOffer(output.call, 'theirs', now, out));
    };
    const mine = duo.call();
    duo.run(100);
    return mine;
  }
  const ask = (call: string) => duo.a.act((e, now, out) => e.reoffer(call, undefined, now, out));

  it('gets it in the 2xx, and our answer goes into the ACK', () => {
    const mine = established();
    ask(mine);
    duo.run(1_000);
    expect(duo.a.lastSent('INVITE').body).toBe('');
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'theirs' });
    expect(duo.a.lines.filter((line) => line === 'ACK')).toHaveLength(1);
    duo.a.act((e, now, out) => e.acceptOffer(mine, 'ours', now, out));
    duo.run(1_000);
    expect(duo.b.last('confirmed').sdp).toBe('ours');
    expect(duo.b.lines.filter((line) => line === '200 INVITE').length).toBeGreaterThan(2);
    duo.a.act((e, now, out) => e.reoffer(mine, 'hold', now, out));
    duo.run(100);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'theirs' });
  });

  it.each([
    ['never given', (_mine: string) => duo.run(33_000), 'ended'],
    ['hung up instead', (mine: string) => duo.a.act((e, now, out) => e.hangup(mine, '', now, out)), 'reoffered'],
  ])('whose answer is %s ends the call, acknowledged', (_how, end, told) => {
    const mine = established();
    duo.fate = (text, from) => (from === duo.b && text.startsWith('BYE') ? [] : [1]);
    ask(mine);
    duo.run(1_000);
    end(mine);
    duo.run(100);
    expect(duo.a.lines.slice(-2)).toEqual(['ACK', 'BYE']);
    expect(duo.a.names.at(-1)).toBe(told);
  });
});
