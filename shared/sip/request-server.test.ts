/** How long a request other than INVITE waits for its answer, and what it hears meanwhile (RFC 4320 section 4). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo } from '#test/support/sip-duo.ts';

let duo = new Duo();
afterEach(() => {
  duo.run();
  expect([duo.b.endpoint.counts(), duo.b.endpoint.waiting]).toEqual([{ transactions: 0, calls: 0 }, 0]);
});

/** b gets a MESSAGE; what it sends is lost. */
function give(protocol: 'UDP' | 'TCP' = 'UDP'): string[] {
  duo.fate = () => [];
  const before = duo.b.lines.length;
  const via = `SIP/2.0/${protocol} 10.0.0.1;branch=z9hG4bKm`;
  const ids = 'From: <sip:a@example.com>;tag=ft\r\nTo: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 7 MESSAGE\r\n';
  const text = `MESSAGE sip:b@example.com SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\n${ids}Content-Length: 0\r\n\r\n`;
  duo.deliver(duo.b, text);
  return duo.b.lines.slice(before);
}

const answer = (status: number) =>
  duo.b.act((e, now, out) => e.reply(duo.b.last('request').transaction, status, {}, now, out));

describe('a request that waits', () => {
  it.each(['udp', 'tcp'] as const)('over %s gets 100 after 3.5 s, once, and a copy gets it again', (protocol) => {
    duo = new Duo({ protocol });
    const copy = () => give(protocol === 'udp' ? 'UDP' : 'TCP');
    expect(copy()).toEqual([]);
    duo.run(3_499);
    expect(duo.b.lines).toEqual([]);
    duo.run(1);
    expect(duo.b.lines).toEqual(['100 MESSAGE']);
    // 100 makes no dialog (RFC 3261 section 8.2.6.2).
    expect(duo.b.lastSent('100').toTag).toBeUndefined();
    duo.run(10_000);
    expect(copy()).toEqual(['100 MESSAGE']);
    answer(200);
    expect(duo.b.lines).toEqual(['100 MESSAGE', '100 MESSAGE', '200 MESSAGE']);
  });

  it('gets none where it is answered in time', () => {
    duo = new Duo();
    give();
    duo.run(3_000);
    answer(202);
    duo.run();
    expect(duo.b.lines).toEqual(['202 MESSAGE']);
  });

  it.each([408, 180, 199])('is not answered by %i', (status) => {
    duo = new Duo();
    give();
    answer(status);
    duo.run();
    expect(duo.b.lines).toEqual(['100 MESSAGE']);
  });
});
