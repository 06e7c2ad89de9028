/** Reliable provisional responses (RFC 3262) between two endpoints. */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, IDLE, lineOf, read } from '#test/support/sip-duo.ts';
import { newResponse } from './message.ts';
import { write } from './write.ts';

const BOTH = { a: { reliable: true }, b: { reliable: true } } as const;

describe('reliable provisional responses', () => {
  let duo = new Duo();
  afterEach(() => expect(duo.end()).toEqual([IDLE, IDLE]));

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

  it('a PRACK that is challenged is proven', () => {
    duo = new Duo(BOTH);
    duo.call({ sdp: 'offer', credentials: { username: 'a', realm: 'r', ha1: { md5: 'x', sha256: 'y' } } });
    duo.run(10);
    duo.fate = (text) => {
      if (lineOf(text) !== 'PRACK' || text.includes('Authorization')) return [1];
      const response = newResponse(read(text), 407);
      response.add('Proxy-Authenticate', 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"');
      duo.at(1, () => duo.deliver(duo.a, write(response)));
      return [];
    };
    ring(183, 'early');
    answer();
    duo.run(100);
    expect(duo.a.lines).toEqual(['INVITE', 'PRACK', 'PRACK', 'ACK']);
    expect(duo.b.lines.slice(2)).toEqual(['200 PRACK', '200 INVITE']);
  });

  it('a PRACK for nothing gets 481', () => {
    const call = begin(BOTH);
    ring(183, 'early');
    duo.run(100);
    duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', { headers: [['RAck', '1 1 INVITE']] }, now, out));
    duo.run(100);
    expect(duo.b.lines.at(-1)).toBe('481 PRACK');
  });

  describe('an offer in PRACK (section 5)', () => {
    /** a's PRACK of the early sound, with an offer, in place of the one that its endpoint sends. */
    const offering = (call: string, seq = 1) => {
      const rseq = duo.b.lastSent('183').header('RSeq');
      const options = {
        headers: [['RAck', `${rseq} ${seq} INVITE`]] as const,
        contentType: 'application/sdp',
        body: 'anew',
      };
      return duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', options, now, out));
    };
    const held = () => {
      const call = begin(BOTH);
      const lost = duo.a.lines.length;
      duo.fate = (text, from) => (from === duo.a && lineOf(text) === 'PRACK' && !text.includes('anew') ? [] : [1]);
      ring(183, 'early');
      duo.run(10);
      expect(lost).toBe(1);
      return call;
    };
    const accept = (sdp = 'counter') => {
      const { call } = duo.b.last('offer');
      duo.b.act((e, now, out) => e.acceptOffer(call, sdp, now, out));
    };

    it('is its user’s to answer, in the 2xx to the PRACK; the 2xx to the INVITE waits for that, and says no more of it', () => {
      offering(held());
      duo.run(10);
      expect(duo.b.last('offer').sdp).toBe('anew');
      answer();
      duo.run(2_000);
      expect(duo.b.lines).toEqual(['100 INVITE', '183 INVITE']);
      accept();
      duo.run(10);
      expect(duo.b.lines.slice(2)).toEqual(['200 PRACK', '200 INVITE']);
      expect([duo.b.lastSent('200 PRACK').body, duo.b.lastSent('200 INVITE').body]).toEqual(['counter', '']);
    });

    it('refused, or left without an answer, it costs the call nothing', () => {
      const call = held();
      offering(call);
      duo.run(10);
      duo.b.act((e, now, out) => e.refuseOffer(duo.b.last('offer').call, 488, now, out));
      duo.run(10);
      expect(duo.b.lines.slice(2)).toEqual(['488 PRACK']);
      ring(183, 'early');
      duo.run(10);
      offering(call);
      duo.run(17_000);
      const finals = duo.b.lines.slice(3).filter((line) => line !== '100 PRACK');
      expect(finals).toEqual(['183 INVITE', '500 PRACK']);
      answer();
      duo.run(10);
      expect(duo.b.lastSent('200 INVITE').body).toBe('answer');
      expect(duo.a.names.at(-1)).toBe('answered');
    });

    it.each([
      ['refused', (call: string) => duo.b.act((e, now, out) => e.refuseOffer(call, 488, now, out))],
      ['taken', () => accept()],
    ])('%s, the answer to the call that waits for it goes at once', (_how, settle) => {
      offering(held());
      duo.run(10);
      answer();
      settle(duo.b.last('offer').call);
      duo.run(5);
      expect(duo.b.lines.at(-1)).toBe('200 INVITE');
    });

    it('before the first offer has an answer is refused with 500, and the response counts as acknowledged', () => {
      const call = begin(BOTH, [['Require', '100rel']]);
      duo.fate = (text, from) => (from === duo.a && lineOf(text) === 'PRACK' && !text.includes('anew') ? [] : [1]);
      ring(180);
      duo.run(10);
      const rseq = duo.b.lastSent('180').header('RSeq');
      const options = {
        headers: [['RAck', `${rseq} 1 INVITE`]] as const,
        contentType: 'application/sdp',
        body: 'anew',
      };
      duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', options, now, out));
      duo.run(5_000);
      expect(duo.b.lines).toEqual(['100 INVITE', '180 INVITE', '500 PRACK']);
      expect(duo.b.names).not.toContain('offer');
      answer();
      duo.run(10);
      expect(duo.a.names.at(-1)).toBe('answered');
    });
  });

  describe('an INVITE without an offer (section 5, RFC 3261 section 13.2.1)', () => {
    const ask = (headers: readonly (readonly [string, string])[] = [], options = BOTH as object) => {
      duo = new Duo(options);
      const call = duo.call({ headers });
      duo.run(10);
      expect(duo.b.last('incoming').offer).toBeUndefined();
      return call;
    };
    const say = (call: string, sdp = 'mine') => duo.a.act((e, now, out) => e.acceptOffer(call, sdp, now, out));

    it.each([
      ['is able to', []],
      ['requires it', [['Require', '100rel']]],
    ] as const)(
      'gets the offer in a reliable response where its sender %s, and the answer comes with its PRACK',
      (_who, headers) => {
        const call = ask(headers);
        ring(180, 'theirs');
        answer();
        duo.run(1_000);
        expect(duo.a.last('progress').sdp).toBe('theirs');
        expect(duo.a.lines).toEqual(['INVITE']);
        say(call);
        duo.run(10);
        expect(duo.a.lines).toEqual(['INVITE', 'PRACK', 'ACK']);
        expect([duo.a.lastSent('PRACK').body, duo.a.lastSent('ACK').body]).toEqual(['mine', '']);
        expect(duo.b.told.filter(({ do: what }) => what === 'confirmed')).toMatchObject([{ sdp: 'mine' }, {}]);
        expect(duo.b.lastSent('200 INVITE').body).toBe('');
        expect(duo.a.last('answered').sdp).toBe('theirs');
      },
    );

    it('gets one offer: a later response says nothing of it', () => {
      const call = ask();
      ring(180, 'theirs');
      duo.run(10);
      say(call);
      duo.run(10);
      ring(183, 'again');
      duo.run(10);
      expect(duo.b.lastSent('183').body).toBe('');
      expect(duo.b.lastSent('183').header('RSeq')).toBeUndefined();
    });

    it('gets no reliable response without an offer, and none that is not reliable with one', () => {
      ask([['Require', '100rel']]);
      ring(180);
      expect(duo.b.lines).toEqual(['100 INVITE']);
      ring(180, 'theirs');
      expect(duo.b.lines).toEqual(['100 INVITE', '180 INVITE']);
      ask([], { b: { reliable: true } });
      ring(180, 'theirs');
      expect(duo.b.lastSent('180').body).toBe('');
    });

    it('whose PRACK brings no answer: its user hears so', () => {
      const call = ask();
      duo.fate = (text, from) => (from === duo.a && text.includes('theirs') ? [] : [1]);
      ring(180, 'theirs');
      duo.run(10);
      const rack = `${duo.b.lastSent('180').header('RSeq')} 1 INVITE`;
      duo.a.act((e, now, out) => e.requestInDialog(call, 'PRACK', { headers: [['RAck', rack]] }, now, out));
      duo.run(10);
      expect(duo.b.lines.at(-1)).toBe('200 PRACK');
      expect(duo.b.last('confirmed').sdp).toBeUndefined();
    });

    it('whose offer finds no answer is cancelled', () => {
      ask();
      ring(180, 'theirs');
      duo.run(17_000);
      expect(duo.a.lines).toEqual(['INVITE', 'CANCEL', 'ACK']);
      expect(duo.a.last('failed').status).toBe(408);
      const call = ask();
      ring(180, 'theirs');
      duo.run(10);
      duo.a.act((e, now, out) => e.refuseOffer(call, 488, now, out));
      duo.run(10);
      expect(duo.a.lines).toEqual(['INVITE', 'CANCEL', 'ACK']);
      expect(duo.b.names.at(-1)).toBe('ended');
    });

    it('answered while its offer waits: the ACK brings the answer', () => {
      const call = ask([], { a: { reliable: true }, b: { reliable: true } });
      ring(180, 'theirs');
      duo.run(10);
      const ringing = duo.b.lastSent('180');
      const text = `SIP/2.0 200 OK\r\nVia: ${ringing.header('Via')}\r\nFrom: ${ringing.header('From')}\r\nTo: ${ringing.header('To')}\r\nCall-ID: ${ringing.callId}\r\nCSeq: 1 INVITE\r\nContact: <sip:b@10.0.0.2>\r\nContent-Length: 0\r\n\r\n`;
      duo.deliver(duo.a, text);
      say(call);
      expect(duo.a.lines).toEqual(['INVITE', 'ACK']);
      expect(duo.a.lastSent('ACK').body).toBe('mine');
      duo.run(40_000);
    });
  });
});
