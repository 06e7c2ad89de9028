/** Calls between two endpoints: how they begin and how they end (RFC 3261 sections 9, 13, 15). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, lineOf, obliging, read, type Side } from '#test/support/sip-duo.ts';

let duo = new Duo();
afterEach(() => {
  duo.run();
  for (const { endpoint } of [duo.a, duo.b]) {
    expect([endpoint.counts(), endpoint.waiting]).toEqual([{ transactions: 0, calls: 0 }, 0]);
  }
});

const hangup = (side: Side, call: string, reason = '') =>
  side.act((endpoint, now, out) => endpoint.hangup(call, reason, now, out));

/** A confirmed call; gives both handles. */
function established(options: ConstructorParameters<typeof Duo>[0] = {}): { mine: string; theirs: string } {
  duo = new Duo(options);
  duo.b.decide = obliging;
  const mine = duo.call();
  duo.run(100);
  expect(duo.a.names).toContain('answered');
  expect(duo.b.names).toContain('confirmed');
  return { mine, theirs: duo.b.last('incoming').call };
}

describe('set-up', () => {
  it('100 goes out at once, then 180 and 200 with tag, Contact and SDP, then ACK', () => {
    established();
    expect(duo.b.lines).toEqual(['100 INVITE', '180 INVITE', '200 INVITE']);
    expect(duo.a.lines).toEqual(['INVITE', 'ACK']);
    expect(read(duo.b.sent[0] ?? '').to.params.has('tag')).toBe(false);
    const ok = duo.b.lastSent('200');
    expect(ok.to.params.get('tag')).toBe(duo.b.lastSent('180').to.params.get('tag'));
    expect(ok.contacts[0]?.uri).toBe('sip:b@10.0.0.2:5060');
    expect(ok.body).toBe('answer');
    expect(ok.header('Allow')).toContain('UPDATE');
    const ack = duo.a.lastSent('ACK');
    expect(ack.uri).toBe('sip:b@10.0.0.2:5060');
    expect(ack.cseq).toEqual({ n: 1, method: 'ACK' });
    expect(ack.topVia?.params.get('branch')).not.toBe(duo.a.lastSent('INVITE').topVia?.params.get('branch'));
    expect(duo.a.last('answered').sdp).toBe('answer');
    expect(duo.a.told.map((output) => output.do)).toEqual(['progress', 'answered']);
    hangup(duo.a, duo.a.last('answered').call);
  });

  it.each([
    ['1', 1_000],
    ['30', 30_000],
  ])('an INVITE that is for %s s only ends with 487 (section 13.3.1)', (expires, after) => {
    duo = new Duo();
    duo.call({ sdp: 'offer', headers: [['Expires', expires]] });
    duo.run(after - 500);
    expect(duo.b.lines).toEqual(['100 INVITE']);
    duo.run(1_000);
    expect([duo.b.lines.at(-1), duo.a.last('failed').status]).toEqual(['487 INVITE', 487]);
    expect(duo.b.names).toContain('ended');
  });

  it('a response with more than one Via was meant for somebody else (section 8.1.3.3)', () => {
    duo = new Duo();
    const call = duo.call();
    duo.run(50);
    const trying = duo.b.sent.find((text) => text.startsWith('SIP/2.0 100')) ?? '';
    const ringing = trying.replace('100 Trying', '180 Ringing');
    const other = 'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother\r\n';
    duo.deliver(duo.a, ringing.replace('From:', `${other}From:`));
    expect(duo.a.names).not.toContain('progress');
    duo.deliver(duo.a, ringing);
    expect(duo.a.names).toContain('progress');
    hangup(duo.a, call);
  });

  it('one that is answered in its time goes on', () => {
    established();
    hangup(duo.a, duo.a.last('answered').call);
    duo = new Duo();
    duo.b.decide = obliging;
    const call = duo.call({ sdp: 'offer', headers: [['Expires', '5']] });
    duo.run(10_000);
    expect(duo.b.names).not.toContain('ended');
    hangup(duo.a, call);
  });

  it('an offer in the 2xx is answered in the ACK', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    duo.a.decide = (output, side) => {
      if (output.do === 'answered') side.act((e, now, out) => e.acceptOffer(output.call, 'late', now, out));
    };
    const call = duo.call({});
    duo.run(100);
    expect(duo.b.last('incoming').offer).toBeUndefined();
    expect(duo.a.last('answered').sdp).toBe('answer');
    expect(duo.b.last('confirmed').sdp).toBe('late');
    hangup(duo.a, call);
  });

  it('a late offer that the user refuses, or never answers, ends with ACK and BYE', () => {
    for (const decided of [true, false]) {
      duo = new Duo();
      duo.b.decide = obliging;
      const call = duo.call({});
      duo.run(100);
      if (decided) duo.a.act((e, now, out) => e.refuseOffer(call, 488, now, out));
      duo.fate = (_text, from) => (from === duo.a ? [1] : []);
      duo.run();
      expect(duo.a.lines.filter((line) => line === 'BYE').length).toBeGreaterThan(0);
      expect(duo.a.lines.filter((line) => line === 'ACK')).toHaveLength(1);
      expect(duo.a.names.includes('ended')).toBe(!decided);
      expect(duo.b.names).toContain('ended');
    }
  });

  it('a refusal is acknowledged and told', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.reject(output.call, 486, { reason: 'Busy' }, now, out));
    };
    duo.call();
    duo.run(100);
    expect(duo.a.last('failed').status).toBe(486);
    expect(duo.a.lines).toEqual(['INVITE', 'ACK']);
    expect(duo.a.lastSent('ACK').topVia?.params.get('branch')).toBe(
      duo.a.lastSent('INVITE').topVia?.params.get('branch'),
    );
  });

  it('nobody there: 408 after 32 s; a broken flow: 503', () => {
    duo = new Duo();
    duo.fate = () => [];
    duo.call();
    duo.run();
    expect(duo.a.last('failed').status).toBe(408);
    expect(duo.now).toBe(33_000);
    duo = new Duo({ protocol: 'tcp' });
    duo.fate = () => [];
    duo.call();
    duo.a.act((e, now, out) => e.flowClosed(duo.a.flow, now, out));
    expect(duo.a.last('failed').status).toBe(503);
  });

  it('forks: the first 2xx wins, another is acknowledged and ended, each copy acknowledged again', () => {
    duo = new Duo();
    const call = duo.call();
    duo.fate = () => [];
    const invite = duo.a.lastSent('INVITE');
    const answer = (tag: string, status: number) =>
      `SIP/2.0 ${status} X\r\nVia: ${invite.header('Via')}\r\nFrom: ${invite.header('From')}\r\nTo: ${invite.header('To')};tag=${tag}\r\nCall-ID: ${invite.callId}\r\nCSeq: 1 INVITE\r\nContact: <sip:${tag}@10.0.0.9>\r\nContent-Length: 0\r\n\r\n`;
    for (const [tag, status] of [
      ['one', 180],
      ['two', 180],
      ['two', 200],
      ['one', 200],
      ['two', 200],
      ['one', 200],
    ] as const) {
      duo.deliver(duo.a, answer(tag, status));
    }
    expect(duo.a.names).toEqual(['progress', 'progress', 'answered']);
    expect(duo.a.sent.slice(1).map((text) => `${lineOf(text)} ${read(text).uri}`)).toEqual([
      'ACK sip:two@10.0.0.9',
      'ACK sip:one@10.0.0.9',
      'BYE sip:one@10.0.0.9',
      'ACK sip:two@10.0.0.9',
      'ACK sip:one@10.0.0.9',
    ]);
    expect(duo.a.endpoint.dialogId(call)?.remoteTag).toBe('two');
    hangup(duo.a, call);
  });
});

describe('2xx and ACK over a bad network', () => {
  it('2xx is repeated until ACK, also over TCP; ACK again for each copy', () => {
    for (const protocol of ['udp', 'tcp'] as const) {
      duo = new Duo({ protocol });
      duo.b.decide = obliging;
      let lost = 3;
      duo.fate = (text) => (lineOf(text) === 'ACK' && lost-- > 0 ? [] : [1]);
      const call = duo.call();
      duo.run(10_000);
      expect(duo.b.lines.filter((line) => line === '200 INVITE')).toHaveLength(4);
      expect(duo.a.lines.filter((line) => line === 'ACK')).toHaveLength(4);
      expect(duo.b.names.filter((name) => name === 'confirmed')).toHaveLength(1);
      hangup(duo.a, call);
      duo.run();
    }
  });

  it('no ACK for 64*T1: BYE, and the user is told', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    duo.fate = (text) => (lineOf(text) === 'ACK' ? [] : [1]);
    duo.call();
    duo.run(31_900);
    expect(duo.b.names).not.toContain('ended');
    duo.run(200);
    expect(duo.b.last('ended').why).toBe('no-ack');
    expect(duo.b.lines.filter((line) => line === '200 INVITE')).toHaveLength(11);
    duo.run(100);
    expect(duo.a.last('ended').why).toBe('bye');
  });

  it('an early BYE by the callee waits for the ACK', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    let held = true;
    duo.fate = (text) => (lineOf(text) === 'ACK' && held ? [] : [1]);
    duo.call();
    duo.run(100);
    hangup(duo.b, duo.b.last('incoming').call);
    duo.run(300);
    expect(duo.b.lines).not.toContain('BYE');
    held = false;
    duo.run(1000);
    expect(duo.b.lines.filter((line) => line === 'BYE')).toHaveLength(1);
    expect(duo.b.names).not.toContain('ended');
    expect(duo.a.last('ended').why).toBe('bye');
  });
});

describe('CANCEL', () => {
  it('before any provisional response it is held back until one comes', () => {
    duo = new Duo();
    duo.fate = () => [];
    const call = duo.call();
    hangup(duo.a, call, 'Q.850;cause=16');
    duo.run(400);
    expect(duo.a.lines).toEqual(['INVITE']);
    duo.fate = () => [1];
    duo.run(1000);
    expect(duo.a.lines).toContain('CANCEL');
    expect(duo.a.lastSent('CANCEL').header('Reason')).toBe('Q.850;cause=16');
    expect(duo.b.last('ended').why).toBe('cancel');
    expect(duo.b.lines).toContain('487 INVITE');
    expect(duo.b.lines).toContain('200 CANCEL');
    expect(duo.a.told).toEqual([]);
  });

  it('of a ringing call: 200, 487, ACK, and silence for its user', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.progress(output.call, 180, {}, now, out));
    };
    const call = duo.call();
    duo.run(100);
    hangup(duo.a, call);
    duo.run(100);
    expect(duo.a.names).toEqual(['progress']);
    expect(duo.a.lines).toEqual(['INVITE', 'CANCEL', 'ACK']);
    expect(duo.b.last('ended').why).toBe('cancel');
  });

  it('crossing a 2xx: ACK and BYE', () => {
    duo = new Duo();
    duo.b.decide = obliging;
    duo.fate = (text) => (lineOf(text) === '200 INVITE' ? [200] : [1]);
    const call = duo.call();
    duo.run(100);
    hangup(duo.a, call);
    duo.run(1000);
    expect(duo.a.lines).toEqual(['INVITE', 'CANCEL', 'ACK', 'BYE']);
    expect(duo.a.names).toEqual(['progress']);
    expect(duo.b.last('ended').why).toBe('bye');
  });

  it('without a final response it ends after 64*T1', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.progress(output.call, 180, {}, now, out));
    };
    const call = duo.call();
    duo.run(100);
    duo.fate = () => [];
    hangup(duo.a, call);
    duo.run(32_100);
    expect(duo.a.endpoint.counts().calls).toBe(0);
    duo.fate = () => [1];
    hangup(duo.b, duo.b.last('incoming').call);
  });

  it('of nothing is answered 481', () => {
    duo = new Duo();
    duo.fate = () => [];
    duo.call();
    const invite = duo.a.lastSent('INVITE');
    invite.set('CSeq', '1 CANCEL');
    const text = duo.a.sent[0]?.replace('INVITE sip', 'CANCEL sip').replace('1 INVITE', '1 CANCEL') ?? '';
    duo.deliver(duo.b, text);
    expect(duo.b.lines).toEqual(['481 CANCEL']);
  });
});

describe('hangup', () => {
  it('of an established call is BYE with a Reason', () => {
    const { mine } = established();
    hangup(duo.a, mine, 'no money "left"');
    duo.run(100);
    expect(duo.a.lastSent('BYE').header('Reason')).toBe('SIP;text="no money left"');
    expect(duo.b.last('ended').why).toBe('bye');
    expect(duo.a.names).not.toContain('ended');
  });

  it('by the callee, established: the route of the dialog the other way', () => {
    const { theirs } = established();
    hangup(duo.b, theirs);
    duo.run(100);
    const bye = duo.b.lastSent('BYE');
    expect(bye.uri).toBe('sip:a@10.0.0.1:5060');
    expect(bye.from.params.get('tag')).toBe(duo.b.lastSent('200').to.params.get('tag'));
    expect(duo.a.last('ended').why).toBe('bye');
  });

  it('of a ringing call by the callee is 603', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') hangup(side, output.call);
    };
    duo.call();
    duo.run(100);
    expect(duo.a.last('failed').status).toBe(603);
  });

  it('both at once: each BYE is answered', () => {
    const { mine, theirs } = established();
    hangup(duo.a, mine);
    hangup(duo.b, theirs);
    duo.run(100);
    expect(duo.a.lines.filter((line) => line.endsWith('BYE'))).toHaveLength(2);
    expect(duo.a.names).not.toContain('ended');
  });
});

describe('time', () => {
  it('nobody decides about an incoming call: 480 after ten minutes, 180 repeated each minute', () => {
    duo = new Duo();
    duo.b.decide = (output, side) => {
      if (output.do === 'incoming') side.act((e, now, out) => e.progress(output.call, 180, {}, now, out));
    };
    duo.call();
    duo.run(599_000);
    expect(duo.b.lines.filter((line) => line === '180 INVITE')).toHaveLength(10);
    expect(duo.b.names).toEqual(['incoming']);
    duo.run(2000);
    expect(duo.b.last('ended').why).toBe('timeout');
    expect(duo.a.last('failed').status).toBe(480);
  });

  it('a callee that only ever sends one 100: given up after ten minutes with CANCEL', () => {
    duo = new Duo();
    duo.b.decide = () => {};
    duo.call();
    duo.run(100);
    duo.fate = () => [];
    duo.run(600_100);
    expect(duo.a.last('failed').status).toBe(408);
    expect(duo.a.lines).toContain('CANCEL');
  });
});
