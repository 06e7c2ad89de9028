/** Reliable provisional responses (RFC 3262) between two endpoints. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, lineOf } from '#test/support/sip-duo.ts';

const BOTH = { a: { reliable: true }, b: { reliable: true } } as const;

describe('reliable provisional responses', () => {
  let duo = new Duo();
  afterEach(() => {
    for (const side of [duo.a, duo.b]) {
      for (const output of [...side.told]) {
        if ('call' in output) side.act((endpoint, now, out) => endpoint.hangup(output.call, '', now, out));
      }
    }
    duo.fate = () => [1];
    duo.run();
    expect([duo.a.endpoint.counts(), duo.b.endpoint.counts()]).toEqual([
      { transactions: 0, calls: 0 },
      { transactions: 0, calls: 0 },
    ]);
  });

  const ring = (status: number, sdp?: string) => {
    const { call } = duo.b.last('incoming');
    duo.b.act((e, now, out) => e.progress(call, status, sdp === undefined ? {} : { sdp }, now, out));
  };
  const answer = () => {
    const { call } = duo.b.last('incoming');
    duo.b.act((e, now, out) => e.answer(call, { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out));
  };
  const begin = (options: ConstructorParameters<typeof Duo>[0], headers?: readonly (readonly [string, string])[]) => {
    duo = new Duo(options);
    const call = duo.call({ sdp: 'offer', ...(headers && { headers }) });
    duo.run(10);
    return call;
  };

  it('early sound is acknowledged by PRACK, and the 2xx waits for it', () => {
    begin(BOTH);
    ring(183, 'early');
    answer();
    expect(duo.b.lines).toEqual(['100 INVITE', '183 INVITE']);
    duo.run(100);
    expect(duo.a.lines).toEqual(['INVITE', 'PRACK', 'ACK']);
    expect(duo.b.lines).toEqual(['100 INVITE', '183 INVITE', '200 PRACK', '200 INVITE']);
    const rseq = duo.b.lastSent('183').header('RSeq') ?? '';
    expect(duo.a.lastSent('PRACK').header('RAck')).toBe(`${rseq} 1 INVITE`);
    expect(duo.a.last('progress').sdp).toBe('early');
    expect(duo.a.names).toEqual(['progress', 'answered']);
  });

  it('a response that gets lost is repeated, and heard once', () => {
    begin(BOTH);
    let losses = 2;
    duo.fate = (text) => (lineOf(text) === '183 INVITE' && losses-- > 0 ? [] : [1, 3]);
    ring(183, 'early');
    duo.run(5000);
    expect(duo.a.names.filter((name) => name === 'progress')).toHaveLength(1);
    expect(duo.b.lines.filter((line) => line === '183 INVITE')).toHaveLength(3);
    expect(duo.a.lines.filter((line) => line === 'PRACK')).toHaveLength(1);
  });

  it('one at a time, in order, with growing numbers', () => {
    begin(BOTH, [['Require', '100rel']]);
    ring(180);
    ring(181);
    ring(183, 'early');
    expect(duo.b.lines).toEqual(['100 INVITE', '180 INVITE']);
    duo.run(100);
    expect(duo.a.told.flatMap((output) => (output.do === 'progress' ? [output.status] : []))).toEqual([180, 181, 183]);
    const numbers = duo.b.sent
      .filter((text) => /^SIP\/2.0 18/.test(text))
      .map((text) => Number(/RSeq: (\d+)/.exec(text)?.[1]));
    expect(numbers.map((n) => n - (numbers[0] ?? 0))).toEqual([0, 1, 2]);
  });

  it('a caller that never acknowledges is refused with 504 in the end', () => {
    begin(BOTH);
    duo.fate = (text) => (lineOf(text) === 'PRACK' ? [] : [1]);
    ring(183, 'early');
    duo.run(40_000);
    expect(duo.b.lines.at(-1)).toBe('504 INVITE');
    expect(duo.b.last('ended').why).toBe('timeout');
    expect(duo.a.last('failed').status).toBe(504);
  });

  it('is not used with a caller that knows it not, nor for ringing alone, and is required in vain of one without it', () => {
    begin({ b: { reliable: true } });
    ring(183, 'early');
    expect(duo.b.lastSent('183').header('RSeq')).toBeUndefined();
    begin(BOTH);
    ring(180);
    expect(duo.b.lastSent('180').header('RSeq')).toBeUndefined();
    begin({ a: { reliable: true } }, [['Require', '100rel']]);
    expect(duo.b.lines).toEqual(['420 INVITE']);
  });

  it.each<[string, (rseq: number, seq: number) => string]>([
    ['another response', (rseq, seq) => `${rseq + 1} ${seq} INVITE`],
    ['another request', (rseq, seq) => `${rseq} ${seq + 1} INVITE`],
    ['another method', (rseq, seq) => `${rseq} ${seq} UPDATE`],
  ])('a PRACK for %s gets 481 and ends no repetition', (_what, rackOf) => {
    const call = begin(BOTH);
    duo.fate = (text) => (lineOf(text) === 'PRACK' ? [] : [1]);
    ring(183, 'early');
    duo.run(100);
    const rack = rackOf(Number(duo.b.lastSent('183').header('RSeq')), 1);
    duo.fate = () => [1];
    duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', { headers: [['RAck', rack]] }, now, out));
    duo.run(100);
    expect(duo.b.lines.at(-1)).toBe('481 PRACK');
    duo.run(1_000);
    expect(duo.b.lines.filter((line) => line === '183 INVITE').length).toBeGreaterThan(1);
  });

  it('a PRACK for nothing gets 481', () => {
    const call = begin(BOTH);
    ring(183, 'early');
    duo.run(100);
    duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', { headers: [['RAck', '1 1 INVITE']] }, now, out));
    duo.run(100);
    expect(duo.b.lines.at(-1)).toBe('481 PRACK');
  });
});
