/** Offers whose turn has to come, and answers to what is no more (RFC 3261 sections 14.1 and 9.2, RFC 3311, RFC 4028). */
import { afterEach, expect, it } from 'vitest';
import { Duo, IDLE, obliging, read, type Side } from '#test/support/sip-duo.ts';
import { newResponse } from './message.ts';
import { write } from './write.ts';

let duo = new Duo();
afterEach(() => expect(duo.end()).toEqual([IDLE, IDLE]));

const NO_UPDATE = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'INFO'];

function established(options: ConstructorParameters<typeof Duo>[0] = {}): { mine: string; theirs: string } {
  duo = new Duo(options);
  duo.b.decide = obliging;
  const mine = duo.call();
  duo.run(100);
  return { mine, theirs: duo.b.last('incoming').call };
}

const reoffer = (side: Side, call: string, sdp: string) => side.act((e, now, out) => e.reoffer(call, sdp, now, out));
const accept = (side: Side, call: string, sdp: string) => side.act((e, now, out) => e.acceptOffer(call, sdp, now, out));

/** A request of a's dialog, written by hand. */
function inDialog(method: string, seq: number, body = '', more = ''): string {
  const ack = duo.a.lastSent('ACK');
  const head = `${method} sip:b@10.0.0.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKhand${seq}\r\n`;
  const ids = `Max-Forwards: 70\r\nFrom: ${ack.header('From')}\r\nTo: ${ack.header('To')}\r\nCall-ID: ${ack.callId}\r\n`;
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  return `${head}${ids}CSeq: ${seq} ${method}\r\n${more}${type}Content-Length: ${body.length}\r\n\r\n${body}`;
}

it('what waits behind an UPDATE goes once that is answered', () => {
  const { theirs } = established();
  duo.b.decide = () => {};
  duo.deliver(duo.b, inDialog('UPDATE', 2, 'theirs'));
  reoffer(duo.b, theirs, 'ours');
  expect(duo.b.lines.filter((line) => line === 'INVITE')).toEqual([]);
  accept(duo.b, theirs, 'answer');
  expect(duo.b.lastSent('200 UPDATE').body).toBe('answer');
  expect(duo.b.lastSent('INVITE').body).toBe('ours');
});

it('an answer to an offer that was withdrawn is none, and is not what a refresh says', () => {
  const timed = { sessionExpires: 1800, allow: NO_UPDATE };
  const { theirs } = established({ a: timed, b: timed });
  duo.b.decide = () => {};
  const described = () => duo.b.act((e) => e.snapshot(theirs))?.session?.described;
  duo.deliver(duo.b, inDialog('INVITE', 2, 'hold'));
  duo.deliver(duo.b, inDialog('CANCEL', 2));
  expect(duo.b.lines).toContain('487 INVITE');
  const before = described();
  accept(duo.b, theirs, 'held');
  expect([before, described()]).toEqual(['answer', 'answer']);
});

it('the answer to a refresh is not taken for that to an offer of the user', () => {
  const timed = { sessionExpires: 1800, allow: NO_UPDATE };
  const { mine } = established({ a: timed, b: timed });
  duo.b.decide = (output, side) => {
    if (output.do === 'offer') accept(side, output.call, output.sdp === 'hold' ? 'held' : 'same');
  };
  duo.fate = (text) => (text.includes('same') ? [400] : [1]);
  const refreshed = () => duo.a.lines.filter((line) => line === 'INVITE').length === 2;
  for (let i = 0; i < 2_000 && !refreshed(); i++) duo.run(1_000);
  expect(refreshed()).toBe(true);
  duo.fate = () => [1];
  reoffer(duo.a, mine, 'hold');
  duo.run(5_000);
  const told = duo.a.told.flatMap((output) => (output.do === 'reoffered' ? [output.sdp] : []));
  expect(told).toEqual(['held']);
});

it('an UPDATE that is sent again with credentials does not take the number of another request', () => {
  duo = new Duo({ a: { reliable: true }, b: { reliable: true } });
  const mine = duo.call({
    sdp: 'offer',
    credentials: { username: 'a', realm: 'r', ha1: { md5: 'x', sha256: 'y' } },
  });
  duo.run(10);
  duo.b.act((e, now, out) => e.progress(duo.b.last('incoming').call, 183, { sdp: 'early' }, now, out));
  duo.run(100);
  duo.fate = () => [];
  duo.a.act((e, now, out) => e.offerEarly(mine, 'anew', now, out));
  const update = duo.a.lastSent('UPDATE');
  duo.a.act((e, now, out) => e.requestInDialog(mine, 'INFO', {}, now, out));
  const challenge = newResponse(update, 401);
  challenge.add('WWW-Authenticate', 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"');
  duo.deliver(duo.a, write(challenge));
  const again = duo.a.lastSent('UPDATE');
  expect(again.header('Authorization')).toMatch(/^Digest /);
  expect([duo.a.lastSent('INFO').cseq.n, again.cseq.n]).toEqual([update.cseq.n + 1, update.cseq.n + 2]);
  duo.a.act((e, now, out) => e.requestInDialog(mine, 'INFO', {}, now, out));
  expect(duo.a.lastSent('INFO').cseq.n).toBe(update.cseq.n + 3);
});

it('after early sound an offer of ours in the 2xx of a re-INVITE gets its answer with the ACK', () => {
  duo = new Duo({ a: { reliable: true }, b: { reliable: true } });
  duo.call();
  duo.run(10);
  const theirs = duo.b.last('incoming').call;
  duo.b.act((e, now, out) => e.progress(theirs, 183, { sdp: 'early' }, now, out));
  duo.run(100);
  duo.b.act((e, now, out) => e.answer(theirs, { sdp: 'answer', contact: 'sip:b@10.0.0.2:5060' }, now, out));
  duo.run(100);
  duo.b.decide = obliging;
  duo.fate = (_text, from) => (from === duo.a ? [1] : []);
  duo.deliver(duo.b, inDialog('INVITE', 9));
  expect(duo.b.last('offer').sdp).toBeUndefined();
  duo.deliver(duo.b, inDialog('ACK', 9, 'theirs'));
  expect(duo.b.last('confirmed').sdp).toBe('theirs');
});

it('a copy of a request of RFC 2543 is known, though its Via was stamped when it came', () => {
  duo = new Duo();
  duo.b.decide = (output, side) => {
    if (output.do === 'incoming') side.act((e, now, out) => e.reject(output.call, 486, {}, now, out));
  };
  const text = (method: string) =>
    `${method} sip:b@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP phone.example:5060;branch=1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: old\r\nCSeq: 1 ${method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`;
  duo.deliver(duo.b, text('INVITE'));
  duo.deliver(duo.b, text('INVITE'));
  expect(duo.b.lines).toEqual(['100 INVITE', '486 INVITE', '486 INVITE']);
  const { toTag } = duo.b.lastSent('486');
  duo.deliver(duo.b, text('ACK').replace('<sip:b@x>', `<sip:b@x>;tag=${toTag}`));
  duo.run(10_000);
  expect(duo.b.lines).toHaveLength(3);
  expect(read(duo.b.sent[1] ?? '').toTag).toBe(toTag);
});
