/** Session timers (RFC 4028): the tables, and two endpoints that refresh, or do not. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, read } from '#test/support/sip-duo.ts';
import { newRequest, newResponse } from './message.ts';
import { agreedTimer, answerTimer, expireIn, neededInterval, refreshIn, tooShort } from './session-timer.ts';
import { write } from './write.ts';

const invite = (headers: readonly (readonly [string, string])[]) => newRequest('INVITE', 'sip:b@example.com', headers);
const ok = (headers: readonly (readonly [string, string])[]) => {
  const response = newResponse(invite([['CSeq', '1 INVITE']]), 200);
  for (const [name, value] of headers) response.add(name, value);
  return response;
};

describe('the decisions', () => {
  it.each([
    [
      '89 from a side with timers',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '89'],
      ],
      true,
    ],
    [
      '90',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '90'],
      ],
      false,
    ],
    ['89 from a side without', [['Session-Expires', '89']], false],
    ['none', [['Supported', 'timer']], false],
    [
      'junk',
      [
        ['Supported', 'timer'],
        ['Session-Expires', 'soon'],
      ],
      false,
    ],
    [
      'a huge number',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '99999999999'],
      ],
      false,
    ],
  ] as const)('too short: %s', (_name, headers, expected) => expect(tooShort(invite(headers))).toBe(expected));

  it.each([
    [
      'asked without a role',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '600'],
      ],
      '600;refresher=uac',
      'them',
    ],
    [
      'asked of us',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '600;refresher=uas'],
      ],
      '600;refresher=uas',
      'us',
    ],
    [
      'asked of itself',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '600;refresher=uac'],
      ],
      '600;refresher=uac',
      'them',
    ],
    ['able and silent', [['Supported', 'timer']], '1800;refresher=uac', 'them'],
    ['a proxy asked for one that is not able', [['Session-Expires', '600']], '600;refresher=uas', 'us'],
    [
      'longer than ours',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '7200'],
      ],
      '1800;refresher=uac',
      'them',
    ],
    [
      'no shorter than the other side takes (section 9)',
      [
        ['Supported', 'timer'],
        ['Session-Expires', '7200'],
        ['Min-SE', '3600'],
      ],
      '3600;refresher=uac',
      'them',
    ],
    [
      'no shorter than the other side takes, where it wishes nothing',
      [
        ['Supported', 'timer'],
        ['Min-SE', '2400;x'],
      ],
      '2400;refresher=uac',
      'them',
    ],
  ] as const)('answers %s', (_name, headers, value, refresher) => {
    const answer = answerTimer(invite(headers), 1800);
    expect(answer?.headers[0]).toEqual(['Session-Expires', value]);
    expect(answer?.timer.refresher).toBe(refresher);
    // Whoever knows timers has to read it, refresher or not: it ends the call that nobody refreshes (section 9).
    expect(answer?.headers.some(([name]) => name === 'Require')).toBe(headers.some(([name]) => name === 'Supported'));
  });

  it('has no timer where neither side wants one', () => {
    expect(answerTimer(invite([]), 1800)).toBeUndefined();
    expect(agreedTimer(ok([]))).toBeUndefined();
    expect(agreedTimer(ok([['Session-Expires', '30;refresher=uas']]))).toBeUndefined();
  });

  it.each([
    ['90;refresher=uac', 'us'],
    ['90;refresher=uas', 'them'],
    ['90', 'us'],
  ])('agrees to %s: %s', (value, refresher) => {
    expect(agreedTimer(ok([['Session-Expires', value]]))).toMatchObject({ interval: 90_000, refresher });
  });

  it('refreshes at half, ends a third or 32 s before', () => {
    const timer = (seconds: number) => ({ interval: seconds * 1000, refresher: 'us', byUpdate: true }) as const;
    expect([refreshIn(timer(90)), expireIn(timer(90)), expireIn(timer(1800))]).toEqual([45_000, 60_000, 1_768_000]);
  });

  it('takes from a 422 what is an interval', () => {
    expect([
      neededInterval(ok([['Min-SE', '120']])),
      neededInterval(ok([['Min-SE', '5']])),
      neededInterval(ok([])),
    ]).toEqual([120, undefined, undefined]);
  });
});

describe('two endpoints', () => {
  let duo = new Duo();
  afterEach(() => {
    for (const side of [duo.a, duo.b]) {
      for (const output of [...side.told]) {
        if ('call' in output) side.act((endpoint, now, out) => endpoint.hangup(output.call, '', now, out));
      }
    }
    duo.run();
    expect([duo.a.endpoint.counts(), duo.b.endpoint.counts()]).toEqual([
      { transactions: 0, calls: 0 },
      { transactions: 0, calls: 0 },
    ]);
  });

  function established(options: ConstructorParameters<typeof Duo>[0]): string {
    duo = new Duo(options);
    duo.b.decide = obliging;
    duo.a.decide = obliging;
    const call = duo.call();
    duo.run(100);
    expect(duo.a.names).toContain('answered');
    return call;
  }
  const refreshes = (side: { readonly lines: string[] }, method: string) =>
    side.lines.filter((line) => line === method).length;

  it('the caller refreshes by UPDATE at half the interval, for as long as the call lasts', () => {
    established({ a: { sessionExpires: 100 }, b: { sessionExpires: 1800 } });
    duo.run(49_000);
    expect(refreshes(duo.a, 'UPDATE')).toBe(0);
    duo.run(300_000);
    expect([refreshes(duo.a, 'UPDATE'), refreshes(duo.b, 'UPDATE')]).toEqual([6, 0]);
    expect(read(duo.a.sent.findLast((text) => text.startsWith('UPDATE')) ?? '').header('Session-Expires')).toBe(
      '100;refresher=uac',
    );
    expect(duo.a.names).not.toContain('ended');
  });

  it('a peer without timers is left alone; without UPDATE it gets a re-INVITE with the same description', () => {
    established({ a: { sessionExpires: 100 } });
    duo.run(400_000);
    expect(refreshes(duo.a, 'UPDATE') + refreshes(duo.a, 'INVITE')).toBe(1);
    const allow = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS'];
    established({ a: { sessionExpires: 100 }, b: { sessionExpires: 100, allow } });
    duo.run(120_000);
    expect([refreshes(duo.a, 'UPDATE'), refreshes(duo.a, 'INVITE')]).toEqual([0, 3]);
    expect(duo.a.lastSent('INVITE').body).toBe('offer');
    expect(duo.a.names).not.toContain('ended');
  });

  it('a call that nobody refreshes ends by BYE of both sides, before its interval is over', () => {
    established({ a: { sessionExpires: 90 }, b: { sessionExpires: 90 } });
    duo.fate = () => [];
    duo.run(120_000);
    expect(duo.b.last('ended').why).toBe('timeout');
    expect(duo.a.last('ended').why).toBe('timeout');
    expect(refreshes(duo.b, 'BYE')).toBeGreaterThan(0);
  });

  it('an interval that is too short is refused with 422, and asked for anew once', () => {
    established({ a: { sessionExpires: 30 }, b: { sessionExpires: 600 } });
    expect(duo.b.lines).toContain('422 INVITE');
    expect(duo.a.lastSent('INVITE').header('Session-Expires')).toBe('90');
    expect(duo.a.lastSent('INVITE').cseq.n).toBe(2);
    duo.run(200_000);
    expect(duo.a.names).not.toContain('ended');
    expect(refreshes(duo.a, 'UPDATE')).toBe(4);
  });

  /** b's answers to the next requests of that kind, in place of its endpoint's. */
  function says(
    method: string,
    ...answers: readonly (readonly [status: number, header?: readonly [string, string]])[]
  ): void {
    const left = [...answers];
    duo.fate = (text, from) => {
      const request = from === duo.a ? read(text) : undefined;
      if (request?.kind !== 'request' || request.method !== method) return [1];
      const [status, header] = left.shift() ?? [];
      if (status === undefined) return [1];
      const response = newResponse(request, status);
      if (header !== undefined) response.add(...header);
      duo.at(1, () => duo.deliver(duo.a, write(response)));
      return [];
    };
  }
  const byInvite = {
    a: { sessionExpires: 100 },
    b: { sessionExpires: 100, allow: ['INVITE', 'ACK', 'CANCEL', 'BYE'] },
  };
  const byUpdate = { a: { sessionExpires: 100 }, b: { sessionExpires: 100 } };

  it.each([
    ['UPDATE', byUpdate],
    ['INVITE', byInvite],
  ] as const)(
    'a refresh by %s that gets 422 goes once more with what is needed, and so do all later ones',
    (method, options) => {
      established(options);
      says(method, [422, ['Min-SE', '200']]);
      duo.run(50_100);
      const last = () => read(duo.a.sent.findLast((text) => text.startsWith(method)) ?? '');
      expect([last().header('Session-Expires'), last().header('Min-SE')]).toEqual(['200;refresher=uac', '200']);
      const before = refreshes(duo.a, method);
      duo.run(49_000);
      expect(refreshes(duo.a, method)).toBe(before);
      duo.run(52_000);
      expect([refreshes(duo.a, method), last().header('Min-SE')]).toEqual([before + 1, '200']);
      expect(duo.a.names).not.toContain('ended');
    },
  );

  it.each([
    ['UPDATE', byUpdate],
    ['INVITE', byInvite],
  ] as const)('a refresh by %s that is refused is tried again before the time is over', (method, options) => {
    established(options);
    says(method, [500], [503]);
    duo.run(66_000);
    // After 50, 59 and 64 s; at 68 the call would end.
    expect(refreshes(duo.a, method)).toBe(method === 'INVITE' ? 4 : 3);
    duo.run(100_000);
    expect(duo.a.names).not.toContain('ended');
    says(method, ...Array.from({ length: 40 }, () => [500] as const));
    duo.run(100_000);
    expect(duo.a.names).toContain('ended');
    expect(refreshes(duo.a, method)).toBeLessThan(16);
  });

  it('a description that was refused is not said again by a later refresh', () => {
    const call = established(byInvite);
    says('INVITE', [488]);
    duo.a.act((endpoint, now, out) => endpoint.reoffer(call, 'refused', now, out));
    duo.run(60_000);
    expect(duo.a.lastSent('INVITE').body).toBe('offer');
  });

  it('who knows no UPDATE after all gets a re-INVITE', () => {
    established(byUpdate);
    says('UPDATE', [405]);
    duo.run(160_000);
    expect([refreshes(duo.a, 'UPDATE'), refreshes(duo.a, 'INVITE')]).toEqual([3, 2]);
  });

  it('what a request of the other side needs at the least, refreshes of ours say from then on (section 7.4)', () => {
    const call = established({ a: { sessionExpires: 600 }, b: { sessionExpires: 600 } });
    const { remoteTag: tag } = duo.a.endpoint.dialogId(call) ?? {};
    const ack = duo.a.lastSent('ACK');
    const head = `UPDATE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKmin\r\nMax-Forwards: 70\r\n`;
    const ids = `From: <sip:b@example.com>;tag=${tag}\r\nTo: ${ack.header('From')}\r\nCall-ID: ${ack.callId}\r\nCSeq: 900 UPDATE\r\n`;
    const more = `Contact: <sip:b@10.0.0.2>\r\nSupported: timer\r\nAllow: UPDATE\r\nSession-Expires: 400;refresher=uas\r\nMin-SE: 300\r\n`;
    duo.deliver(duo.a, `${head}${ids}${more}Content-Length: 0\r\n\r\n`);
    expect(duo.a.lastSent('200').header('Session-Expires')).toBe('400;refresher=uas');
    duo.run(210_000);
    const refresh = duo.a.lastSent('UPDATE');
    expect([refresh.header('Session-Expires'), refresh.header('Min-SE')]).toEqual(['400;refresher=uac', '300']);
  });

  it('a refresh that is challenged is proven', () => {
    const ha1 = { md5: 'x', sha256: 'y' };
    duo = new Duo(byUpdate);
    duo.a.decide = obliging;
    duo.b.decide = obliging;
    duo.call({ sdp: 'offer', credentials: { username: 'a', realm: 'r', ha1 } });
    duo.run(100);
    says('UPDATE', [401, ['WWW-Authenticate', 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"']]);
    duo.run(51_000);
    expect(refreshes(duo.a, 'UPDATE')).toBe(2);
    expect(read(duo.a.sent.findLast((text) => text.startsWith('UPDATE')) ?? '').header('Authorization')).toContain(
      'realm="r"',
    );
    duo.run(200_000);
    expect(duo.a.names).not.toContain('ended');
  });

  it('a refresh moves the target (RFC 3311 section 5.2)', () => {
    established(byUpdate);
    says('UPDATE', [200, ['Contact', '<sip:moved@10.0.0.7>']]);
    duo.run(51_000);
    says('BYE');
    duo.a.act((endpoint, now, out) => endpoint.hangup(duo.a.last('answered').call, '', now, out));
    expect(duo.a.lastSent('BYE').uri).toBe('sip:moved@10.0.0.7');
  });

  it('goes on after a restart', () => {
    const call = established({ a: { sessionExpires: 100 }, b: { sessionExpires: 100 } });
    const snapshot = duo.a.endpoint.snapshot(call);
    expect(snapshot?.session).toEqual({ interval: 100_000, refresher: 'us', byUpdate: true });
    if (snapshot === undefined) return;
    const restored = duo.a.endpoint.restore(JSON.parse(JSON.stringify(snapshot)), duo.a.flow, duo.now);
    duo.run(60_000);
    expect(refreshes(duo.a, 'UPDATE')).toBe(2);
    duo.a.act((endpoint, now, out) => endpoint.hangup(restored, '', now, out));
  });
});
