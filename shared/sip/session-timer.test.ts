/** Session timers (RFC 4028): the tables, and two endpoints that refresh, or do not. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, read } from '#test/support/sip-duo.ts';
import { newRequest, newResponse } from './message.ts';
import { agreedTimer, answerTimer, expireIn, neededInterval, refreshIn, tooShort } from './session-timer.ts';

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
    expect(answer?.headers.some(([name]) => name === 'Require')).toBe(value.endsWith('uac'));
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
