/** Re-INVITEs and the targets that they move (RFC 6141), with reliable responses to them (RFC 3262 section 4). */
import { afterEach, describe, expect, it } from 'vitest';
import { Duo, IDLE, obliging, read } from '#test/support/sip-duo.ts';
import { newResponse, type SipMessage } from './message.ts';
import { write } from './write.ts';

let duo = new Duo();
afterEach(() => expect(duo.end()).toEqual([IDLE, IDLE]));

function established(): { mine: string; theirs: string } {
  duo = new Duo({ a: { reliable: true }, b: { reliable: true } });
  duo.b.decide = obliging;
  const credentials = { username: 'a', realm: 'r', ha1: { md5: 'x', sha256: 'y' } };
  const mine = duo.call({ sdp: 'offer', credentials });
  duo.run(100);
  return { mine, theirs: duo.b.last('incoming').call };
}

const reoffer = (call: string, sdp: string | undefined) => duo.a.act((e, now, out) => e.reoffer(call, sdp, now, out));

/** A response of b's, written by hand. */
function respond(request: SipMessage, status: number, body: string, header?: readonly (readonly [string, string])[]) {
  const response = newResponse(request, status);
  for (const [name, value] of header ?? []) response.add(name, value);
  if (body !== '') response.set('Content-Type', 'application/sdp');
  response.body = body;
  return write(response);
}

describe('reliable responses to a re-INVITE', () => {
  type Said = readonly [rseq: number, sdp: string];

  /** b answers re-INVITEs by hand: one with these responses and a 200 after 100 ms, and before it one with those and a challenge. */
  function answering(said: readonly Said[], ok: string, { reliably = true, challenged = [] as readonly Said[] } = {}) {
    const { mine } = established();
    let first = challenged.length > 0;
    const texts = (request: SipMessage, numbers: readonly Said[]) =>
      numbers.map(([rseq, body]) => {
        const contact = ['Contact', `<sip:at${rseq}@10.0.0.2>`] as const;
        const required = reliably ? [['Require', '100rel'] as const] : [];
        return respond(request, 183, body, [contact, ['RSeq', String(rseq)], ...required]);
      });
    const challenge = ['WWW-Authenticate', 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'] as const;
    duo.fate = (text, from) => {
      const request = read(text);
      if (from !== duo.a || request.kind !== 'request') return [1];
      const all: string[] = [];
      if (request.method === 'PRACK') all.push(respond(request, 200, ''));
      else if (request.method === 'INVITE' && first) {
        first = false;
        all.push(...texts(request, challenged), respond(request, 401, '', [challenge]));
      } else if (request.method === 'INVITE') {
        all.push(...texts(request, said));
        duo.at(100, () => duo.deliver(duo.a, respond(request, 200, ok)));
      }
      for (const [at, one] of all.entries()) duo.at(1 + at, () => duo.deliver(duo.a, one));
      return [];
    };
    return mine;
  }

  const racks = () => duo.a.sent.filter((text) => text.startsWith('PRACK')).map((text) => read(text).header('RAck'));

  it('are acknowledged by their own numbers, each once and in order; what the first says is the answer', () => {
    const call = answering(
      [
        [7, 'first'],
        [7, 'first'],
        [9, 'skipped'],
        [8, ''],
      ],
      'last',
    );
    reoffer(call, 'hold');
    duo.run(50);
    expect(racks()).toEqual(['7 2 INVITE', '8 2 INVITE']);
    expect(duo.a.names).not.toContain('reoffered');
    // The target has moved already (RFC 6141 section 4.7).
    expect(duo.a.lastSent('PRACK').uri).toBe('sip:at8@10.0.0.2');
    duo.run(200);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, status: 200, sdp: 'first' });
    expect(duo.a.lastSent('ACK').body).toBe('');
  });

  it('begin anew where it was challenged, with their numbers and with what they say', () => {
    const call = answering([[7, 'first']], '', { challenged: [[70, 'before']] });
    reoffer(call, 'hold');
    duo.run(200);
    expect(racks().map((rack) => rack?.split(' ')[0])).toEqual(['70', '7']);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'first' });
  });

  it('are told from those that are not, which get no PRACK, answer nothing and move no target', () => {
    const call = answering([[7, 'first']], 'second', { reliably: false });
    reoffer(call, 'hold');
    duo.run(50);
    expect(racks()).toEqual([]);
    duo.a.act((e, now, out) => e.requestInDialog(call, 'INFO', {}, now, out));
    expect(duo.a.lastSent('INFO').uri).not.toContain('sip:at');
    duo.run(200);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'second' });
  });

  it('are not asked for by one that wants an offer', () => {
    const call = answering([], 'theirs');
    reoffer(call, undefined);
    expect(duo.a.lastSent('INVITE').header('Supported')).not.toContain('100rel');
    duo.run(200);
    expect(duo.a.last('reoffered')).toMatchObject({ ok: true, sdp: 'theirs' });
    duo.a.act((e, now, out) => e.acceptOffer(call, 'ours', now, out));
    expect(duo.a.lastSent('ACK').body).toBe('ours');
    reoffer(call, 'next');
    expect(duo.a.lastSent('INVITE').header('Supported')).toContain('100rel');
  });
});

describe('the target', () => {
  /** A request of a's dialog, written by hand. */
  function inDialog(method: string, seq: number, where: string, body = ''): string {
    const ack = duo.a.lastSent('ACK');
    const head = `${method} sip:b@10.0.0.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKhand${seq}\r\n`;
    const ids = `Max-Forwards: 70\r\nFrom: ${ack.header('From')}\r\nTo: ${ack.header('To')}\r\nCall-ID: ${ack.callId}\r\n`;
    const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
    return `${head}${ids}CSeq: ${seq} ${method}\r\nContact: <sip:${where}@10.0.0.1>\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  it.each(['INVITE', 'UPDATE'])('stays where its %s is refused, and moves where it is taken', (method) => {
    const { theirs } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    const target = () => {
      duo.b.act((e, now, out) => e.requestInDialog(theirs, 'INFO', {}, now, out));
      return duo.b.lastSent('INFO').uri;
    };
    const before = target();
    duo.b.decide = () => {};
    duo.deliver(duo.b, inDialog(method, 2, 'refused', 'new'));
    expect(target()).toBe(before);
    duo.b.act((e, now, out) => e.refuseOffer(theirs, 488, now, out));
    expect(target()).toBe(before);
    if (method === 'INVITE') duo.deliver(duo.b, inDialog('ACK', 2, 'refused'));
    duo.deliver(duo.b, inDialog(method, 3, 'taken', 'new'));
    duo.b.act((e, now, out) => e.acceptOffer(theirs, 'counter', now, out));
    expect(target()).toBe('sip:taken@10.0.0.1');
    if (method === 'INVITE') duo.deliver(duo.b, inDialog('ACK', 3, 'taken'));
  });

  it('moves by an UPDATE without an offer', () => {
    const { theirs } = established();
    duo.fate = (_text, from) => (from === duo.a ? [1] : []);
    duo.deliver(duo.b, inDialog('UPDATE', 2, 'moved'));
    duo.b.act((e, now, out) => e.requestInDialog(theirs, 'INFO', {}, now, out));
    expect(duo.b.lastSent('INFO').uri).toBe('sip:moved@10.0.0.1');
  });
});
