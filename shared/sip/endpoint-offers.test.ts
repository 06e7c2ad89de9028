/** Changes of a session and other requests inside a dialog (RFC 3261 sections 12.2 and 14, RFC 3311). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, obliging, read, type Side } from '#test/support/sip-duo.ts';

let duo = new Duo();
afterEach(() => {
  duo.run();
  for (const { endpoint } of [duo.a, duo.b]) {
    expect([endpoint.counts(), endpoint.waiting]).toEqual([{ transactions: 0, calls: 0 }, 0]);
  }
});

function established(options: ConstructorParameters<typeof Duo>[0] = {}): { mine: string; theirs: string } {
  duo = new Duo(options);
  duo.b.decide = obliging;
  const mine = duo.call();
  duo.run(100);
  return { mine, theirs: duo.b.last('incoming').call };
}

const reoffer = (side: Side, call: string, sdp: string) => side.act((e, now, out) => e.reoffer(call, sdp, now, out));
const hangup = (side: Side, call: string) => side.act((e, now, out) => e.hangup(call, '', now, out));

/** A request of a's dialog, written by hand. */
function inDialog(method: string, seq: number, more = ''): string {
  const ack = duo.a.lastSent('ACK');
  const head = `${method} sip:b@10.0.0.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKhand${seq}${method}\r\n`;
  const ids = `Max-Forwards: 70\r\nFrom: ${ack.header('From')}\r\nTo: ${ack.header('To')}\r\nCall-ID: ${ack.callId}\r\n`;
  return `${head}${ids}CSeq: ${seq} ${method}\r\n${more}Content-Length: 0\r\n\r\n`;
}

describe('re-INVITE', () => {
  it('offer, answer, ACK, with rising sequence numbers, from either side', () => {
    const { mine, theirs } = established();
    reoffer(duo.a, mine, 'hold');
    duo.run(100);
    expect(duo.b.last('offer').sdp).toBe('hold');
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, status: 200, sdp: 'counter' });
    expect(duo.a.lastSent('INVITE').cseq.n).toBe(2);
    expect(duo.a.lastSent('ACK').cseq.n).toBe(2);
    duo.a.decide = obliging;
    reoffer(duo.b, theirs, 'back');
    duo.run(100);
    expect(duo.b.last('reoffered').ok).toBe(true);
    expect(duo.b.names.filter((name) => name === 'confirmed')).toHaveLength(1);
    hangup(duo.a, mine);
  });

  it('refused: the session stays', () => {
    const { mine } = established();
    duo.b.decide = (output, side) => {
      if (output.do === 'offer') side.act((e, now, out) => e.refuseOffer(output.call, 488, now, out));
    };
    reoffer(duo.a, mine, 'video');
    duo.run(100);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: false, status: 488 });
    expect(duo.a.endpoint.counts().calls).toBe(1);
    hangup(duo.a, mine);
  });

  it('without an offer: ours goes into the 2xx, the answer comes with the ACK', () => {
    const { mine } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('INVITE', 2, 'Contact: <sip:new@10.0.0.1>\r\n'));
    expect(duo.b.last('offer').sdp).toBeUndefined();
    const ack = inDialog('ACK', 2).replace(
      'Content-Length: 0\r\n\r\n',
      'Content-Type: application/sdp\r\nContent-Length: 6\r\n\r\nanswer',
    );
    duo.deliver(duo.b, ack);
    expect(duo.b.last('confirmed').sdp).toBe('answer');
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
    expect(duo.b.lastSent('BYE').uri).toBe('sip:new@10.0.0.1');
    hangup(duo.a, mine);
  });

  it('only the ACK of the same number ends the repetition of its 2xx', () => {
    const { mine } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('INVITE', 2));
    for (const [seq, copies] of [
      [1, 2],
      [2, 2],
    ] as const) {
      duo.deliver(duo.b, inDialog('ACK', seq));
      duo.run(600);
      expect(duo.b.sent.map(read).filter((m) => m.status === 200 && m.cseq.n === 2)).toHaveLength(copies);
    }
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
    hangup(duo.a, mine);
  });

  it('whose 2xx is lost has it repeated before BYE: it gets its final answer', () => {
    const { mine, theirs } = established();
    let lost = 0;
    duo.fate = (text, from) => (from === duo.b && text.startsWith('SIP/2.0 200') && lost++ === 0 ? [] : [1]);
    reoffer(duo.a, mine, 'hold');
    duo.run(100);
    hangup(duo.b, theirs);
    duo.run(1_000);
    expect(lost).toBeGreaterThan(1);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, status: 200 });
    expect(duo.a.last('ended').why).toBe('bye');
  });

  it('wishes that come while one is in flight: only the newest follows', () => {
    const { mine } = established();
    for (const sdp of ['one', 'two', 'three']) reoffer(duo.a, mine, sdp);
    duo.run(100);
    expect(
      duo.a.sent
        .map(read)
        .filter((m) => m.method === 'INVITE')
        .map((m) => m.body),
    ).toEqual(['offer', 'one', 'three']);
    expect(duo.a.names.filter((name) => name === 'reoffered')).toHaveLength(2);
    hangup(duo.a, mine);
  });

  it('a wish before the call is confirmed waits for the ACK', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      obliging(output, side);
      if (output.do === 'incoming') reoffer(side, output.call, 'early');
    };
    duo.a.decide = obliging;
    const mine = duo.call();
    duo.run(100);
    expect(duo.b.last('reoffered').ok).toBe(true);
    hangup(duo.a, mine);
  });

  it('glare: both get 491 and come to terms, the caller after 2.1 to 4 s, the callee within 2 s', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { mine, theirs } = established({ seed });
      duo.a.decide = obliging;
      const began = duo.now;
      const times: Record<string, number> = {};
      duo.fate = (text, from) => {
        const message = read(text);
        if (message.kind === 'request' && message.method === 'INVITE')
          times[`${from === duo.a ? 'a' : 'b'}${message.cseq.n}`] = duo.now - began;
        return [1];
      };
      reoffer(duo.a, mine, 'mine');
      reoffer(duo.b, theirs, 'theirs');
      duo.run(10_000);
      expect(duo.a.last('reoffered').ok).toBe(true);
      expect(duo.b.last('reoffered').ok).toBe(true);
      expect(duo.a.lines.filter((line) => line === '491 INVITE')).toHaveLength(1);
      expect(times.a3).toBeGreaterThanOrEqual(2100);
      expect(times.a3).toBeLessThanOrEqual(4010);
      expect(times.b2).toBeLessThanOrEqual(2010);
      hangup(duo.a, mine);
      duo.run();
    }
  });

  it('endless 491 is given up', () => {
    const { mine } = established();
    duo.fate = (text, from) => {
      const message = read(text);
      if (from === duo.a && message.method === 'INVITE') {
        duo.at(1, () =>
          duo.deliver(duo.a, text.replace(/^INVITE .*\r\n/, 'SIP/2.0 491 Pending\r\n').replace(/Contact.*\r\n/, '')),
        );
        return [];
      }
      return message.method === 'ACK' ? [] : [1];
    };
    reoffer(duo.a, mine, 'x');
    duo.run(60_000);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: false, status: 491 });
    expect(duo.a.lines.filter((line) => line === 'INVITE')).toHaveLength(1 + 6);
    duo.fate = () => [1];
    hangup(duo.a, mine);
  });

  it('a second one before the first is decided gets 500 with Retry-After', () => {
    const { mine } = established();
    duo.b.decide = () => {};
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('INVITE', 2));
    duo.deliver(duo.b, inDialog('INVITE', 3));
    const refusal = duo.b.lastSent('500');
    expect(refusal.cseq.n).toBe(3);
    expect(Number(refusal.header('Retry-After'))).toBeLessThanOrEqual(10);
    duo.run(33_000);
    expect(duo.b.lastSent('500 INVITE').cseq.n).toBe(2);
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
    hangup(duo.a, mine);
  });

  it('cancelled: 487 and the offer is void', () => {
    const { mine, theirs } = established();
    duo.b.decide = () => {};
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    const text = inDialog('INVITE', 2);
    duo.deliver(duo.b, text);
    duo.deliver(duo.b, text.replace('INVITE sip', 'CANCEL sip').replace('2 INVITE', '2 CANCEL'));
    expect(duo.b.lines.slice(-2)).toEqual(['200 CANCEL', '487 INVITE']);
    duo.b.act((e, now, out) => e.acceptOffer(theirs, 'late', now, out));
    expect(duo.b.lines.slice(-1)).toEqual(['487 INVITE']);
    expect(duo.b.names).not.toContain('ended');
    duo.fate = () => [1];
    hangup(duo.a, mine);
  });

  it.each([481, 408])('%s to it ends the call', (status) => {
    const { mine } = established();
    duo.b.decide = (output, side) => {
      if (output.do === 'offer') side.act((e, now, out) => e.refuseOffer(output.call, status, now, out));
    };
    reoffer(duo.a, mine, 'x');
    duo.run(1000);
    expect(duo.a.last('ended').why).toBe('timeout');
    expect(duo.b.last('ended').why).toBe('bye');
  });

  it('without any answer the call ends', () => {
    const { mine } = established();
    duo.fate = () => [];
    reoffer(duo.a, mine, 'x');
    duo.run(33_000);
    expect(duo.a.last('ended').why).toBe('timeout');
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
  });
});

describe('UPDATE', () => {
  it('with an offer asks the user, without one only renews the target', () => {
    const { mine } = established();
    const withSdp = inDialog('UPDATE', 2).replace(
      'Content-Length: 0\r\n\r\n',
      'Content-Type: application/sdp\r\nContent-Length: 1\r\n\r\nx',
    );
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, withSdp);
    expect(duo.b.last('offer').sdp).toBe('x');
    expect(duo.b.lastSent('200 UPDATE').body).toBe('counter');
    duo.deliver(duo.b, inDialog('UPDATE', 3, 'Contact: <sip:moved@10.0.0.1>\r\n'));
    expect(duo.b.lastSent('200 UPDATE').contacts).toHaveLength(1);
    expect(duo.b.names.filter((name) => name === 'offer')).toHaveLength(1);
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
    expect(duo.b.lastSent('BYE').uri).toBe('sip:moved@10.0.0.1');
    hangup(duo.a, mine);
  });

  it('crossing our own offer gets 491', () => {
    const { mine, theirs } = established();
    duo.fate = () => [];
    reoffer(duo.b, theirs, 'x');
    duo.deliver(
      duo.b,
      inDialog('UPDATE', 2).replace(
        'Content-Length: 0\r\n\r\n',
        'Content-Type: application/sdp\r\nContent-Length: 1\r\n\r\nx',
      ),
    );
    expect(duo.b.lines.slice(-1)).toEqual(['491 UPDATE']);
    duo.fate = () => [1];
    hangup(duo.a, mine);
  });

  it('while our offer in a 2xx waits for its answer gets 491', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    const mine = duo.call({});
    duo.run(100);
    const ok = duo.b.lastSent('200 INVITE');
    const ids = `From: ${ok.header('From')}\r\nTo: ${ok.header('To')}\r\nCall-ID: ${ok.callId}\r\nCSeq: 2 UPDATE\r\n`;
    duo.deliver(
      duo.b,
      `UPDATE sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKu\r\nMax-Forwards: 70\r\n${ids}Contact: <sip:a@10.0.0.1>\r\nContent-Type: application/sdp\r\nContent-Length: 1\r\n\r\nx`,
    );
    expect(duo.b.lines.slice(-1)).toEqual(['491 UPDATE']);
    for (const [side, call] of [
      [duo.a, mine],
      [duo.b, duo.b.last('incoming').call],
    ] as const)
      hangup(side, call);
  });

  it('sent by the user inside the dialog carries a Contact and brings its response', () => {
    const { mine } = established();
    const handle = duo.a.act((e, now, out) =>
      e.requestInDialog(mine, 'UPDATE', { body: 'x', contentType: 'application/sdp' }, now, out),
    );
    duo.run(100);
    expect(duo.a.last('response')).toMatchObject({ transaction: handle, message: { status: 200 } });
    expect(duo.a.lastSent('UPDATE').contacts).toHaveLength(1);
    hangup(duo.a, mine);
  });
});

describe('other requests in a dialog', () => {
  it.each(['INFO', 'MESSAGE', 'REFER', 'NOTIFY'])('%s reaches the user and its reply comes back', (method) => {
    const { mine, theirs } = established();
    const handle = duo.a.act((e, now, out) =>
      e.requestInDialog(mine, method, { body: 'Signal=5', contentType: 'application/dtmf-relay' }, now, out),
    );
    duo.run(100);
    expect(duo.b.last('in-dialog')).toMatchObject({ call: theirs, message: { method, body: 'Signal=5' } });
    expect(duo.b.last('in-dialog').message.contacts).toHaveLength(method === 'REFER' || method === 'NOTIFY' ? 1 : 0);
    expect(duo.a.last('response')).toMatchObject({ transaction: handle, message: { status: 200 } });
    hangup(duo.a, mine);
  });

  it.each([
    ['NOTIFY', 481, true],
    ['NOTIFY', 408, true],
    ['NOTIFY', 0, true],
    ['MESSAGE', 481, true],
    ['MESSAGE', 408, true],
    ['MESSAGE', 0, true],
    ['INFO', 481, false],
    ['INFO', 0, false],
  ])(
    '%s that is answered %i: whether the call goes on is %s (RFC 5057 sections 5.1 and 5.3)',
    (method, status, goesOn) => {
      const { mine } = established();
      duo.b.decide = (output, side) => {
        if (output.do === 'in-dialog' && status !== 0)
          side.act((e, now, out) => e.reply(output.transaction, status, {}, now, out));
      };
      duo.a.act((e, now, out) => e.requestInDialog(mine, method, {}, now, out));
      duo.run(40_000);
      expect(duo.a.names.includes('ended')).toBe(!goesOn);
      hangup(duo.a, mine);
    },
  );

  it('INFO of a package that nobody asked for is refused, and the call goes on (RFC 6086 section 4.2.2)', () => {
    const { mine } = established();
    const headers = [['Info-Package', 'g.3gpp.ussd']] as const;
    duo.a.act((e, now, out) => e.requestInDialog(mine, 'INFO', { headers }, now, out));
    duo.run(100);
    expect(duo.b.lines.at(-1)).toBe('469 INFO');
    expect(duo.b.lastSent('469').header('Recv-Info')).toBe('');
    expect(duo.b.names).not.toContain('in-dialog');
    hangup(duo.a, mine);
  });

  it('INFO of a package in a dialog that is not there is told so first (RFC 6086 section 4.2.1)', () => {
    const { mine } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('INFO', 9, 'Info-Package: g.3gpp.ussd\r\n').replace('Call-ID: ', 'Call-ID: x'));
    expect(duo.b.lines.at(-1)).toBe('481 INFO');
    duo.fate = () => [1];
    hangup(duo.a, mine);
  });

  it('OPTIONS is answered without the user; an old sequence number with 500; a strange tag or Call-ID with 481', () => {
    const { mine } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('OPTIONS', 9));
    expect(duo.b.lastSent('200 OPTIONS').header('Accept')).toBe('application/sdp');
    duo.deliver(duo.b, inDialog('INFO', 8));
    duo.deliver(duo.b, inDialog('BYE', 10).replace(/;tag=[0-9a-f]*\r\nTo/, ';tag=other\r\nTo'));
    duo.deliver(duo.b, inDialog('BYE', 11).replace('Call-ID: ', 'Call-ID: x'));
    duo.deliver(duo.b, inDialog('BYE', 12).replace(/To: (.*);tag=[0-9a-f]*/, 'To: $1;tag=none'));
    expect(duo.b.lines.slice(-4)).toEqual(['500 INFO', '481 BYE', '481 BYE', '481 BYE']);
    expect(duo.b.names).not.toContain('in-dialog');
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
    hangup(duo.a, mine);
  });

  it('to a call that is over, or has no dialog yet, fails at once', () => {
    duo = new Duo();
    duo.fate = () => [];
    const call = duo.call();
    for (const handle of [call, 'c99']) {
      const transaction = duo.a.act((e, now, out) => e.requestInDialog(handle, 'INFO', {}, now, out));
      expect(duo.a.last('no-response')).toMatchObject({ transaction, why: 'transport' });
    }
  });

  it('BYE from the caller before the answer: 200 and 487', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.progress(output.call, 180, {}, now, out));
    };
    const mine = duo.call();
    duo.run(100);
    duo.a.act((e, now, out) => e.requestInDialog(mine, 'BYE', {}, now, out));
    duo.run(100);
    expect(duo.b.lines).toEqual(expect.arrayContaining(['200 BYE', '487 INVITE']));
    expect(duo.b.last('ended').why).toBe('bye');
    expect(duo.a.last('failed').status).toBe(487);
  });
});
