import { expect, it } from 'vitest';
import { Duo } from '#test/support/sip-duo.ts';
import { SAME_CALL } from './transactions.ts';

const request = (branch: string, seq: number, more: { readonly callId?: string; readonly method?: string } = {}) =>
  [
    `${more.method ?? 'MESSAGE'} sip:b@10.0.0.2 SIP/2.0`,
    `Via: SIP/2.0/UDP 10.0.0.1:5060;branch=${branch}`,
    ...['Max-Forwards: 70', 'From: <sip:a@10.0.0.1>;tag=a', 'To: <sip:b@10.0.0.2>'],
    ...[`Call-ID: ${more.callId ?? 'same'}`, `CSeq: ${seq} ${more.method ?? 'MESSAGE'}`, '', ''],
  ].join('\r\n');

it('more requests of one Call-ID than are gone through one by one are told apart, repeated and merged all the same', () => {
  const duo = new Duo();
  const side = duo.b;
  const count = SAME_CALL + 3;
  const say = (text: string) => duo.deliver(side, text);
  for (let i = 0; i < count; i++) say(request(`z9hG4bK${i}`, i + 1));
  expect(side.names.filter((name) => name === 'request')).toHaveLength(count);
  for (let i = 0; i < count; i++) say(request(`z9hG4bK${i}`, i + 1));
  expect(side.names.filter((name) => name === 'request')).toHaveLength(count);
  // The same along another way.
  for (let i = 0; i < count; i++) say(request(`z9hG4bKother${i}`, i + 1));
  expect(side.lines.filter((line) => line === '482 MESSAGE')).toHaveLength(count);
  for (const told of side.told)
    if (told.do === 'request') side.act((endpoint, now, out) => endpoint.reply(told.transaction, 200, {}, now, out));
  expect(side.lines.filter((line) => line === '200 MESSAGE')).toHaveLength(count);
  say(request(`z9hG4bK${count - 1}`, count));
  expect(side.lines.at(-1)).toBe('200 MESSAGE');
  duo.run();
  expect(side.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
});

it('one that is over is forgotten while others of its Call-ID go on', () => {
  const duo = new Duo();
  const side = duo.b;
  const answered = (branch: string, seq: number) => {
    duo.deliver(side, request(branch, seq));
    side.act((endpoint, now, out) => endpoint.reply(side.last('request').transaction, 200, {}, now, out));
  };
  answered('z9hG4bK1', 1);
  duo.run(20_000);
  answered('z9hG4bK2', 2);
  answered('z9hG4bK3', 3);
  duo.run(13_000);
  expect(side.endpoint.counts().transactions).toBe(2);
  const told = side.told.length;
  for (const [branch, seq] of [
    ['z9hG4bK3', 3],
    ['z9hG4bK2', 2],
    ['z9hG4bK1', 1],
  ] as const)
    duo.deliver(side, request(branch, seq));
  expect(side.told.length).toBe(told + 1);
  // And where it was the only one, the next begins anew.
  duo.run();
  duo.deliver(side, request('z9hG4bK4', 4));
  duo.deliver(side, request('z9hG4bK5', 5, { callId: 'another' }));
  duo.deliver(side, request('z9hG4bK4', 4));
  expect(side.told.length).toBe(told + 3);
});

it('a CANCEL is answered although its INVITE is over before it', () => {
  const duo = new Duo({ protocol: 'tcp' });
  // The 487 overtakes the answer to the CANCEL.
  duo.fate = (text) => [text.includes('CSeq: 1 CANCEL') && text.startsWith('SIP') ? 50 : 1];
  const call = duo.call();
  duo.run(20);
  duo.a.act((endpoint, now, out) => endpoint.hangup(call, '', now, out));
  duo.run(20);
  expect(duo.a.endpoint.counts().transactions).toBe(1);
  duo.run(100);
  expect(duo.a.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
});

const invite = (branch: string, method: string, seq: number, more: readonly string[] = []) =>
  [
    `${method} sip:b@10.0.0.2 SIP/2.0`,
    `Via: SIP/2.0/UDP 10.0.0.1:5060;branch=${branch}`,
    ...['Max-Forwards: 70', 'From: <sip:a@10.0.0.1>;tag=a', 'Contact: <sip:a@10.0.0.1:5060>', 'Call-ID: one'],
    ...[`CSeq: ${seq} ${method}`, ...more, '', ''],
  ].join('\r\n');

it('an answered and acknowledged INVITE leaves what absorbs its copies, and what CANCEL asks for', () => {
  const duo = new Duo();
  const side = duo.b;
  const to = 'To: <sip:b@10.0.0.2>';
  duo.deliver(side, invite('z9hG4bKi', 'INVITE', 1, [to]));
  const { call } = side.last('incoming');
  side.act((endpoint, now, out) => endpoint.answer(call, { sdp: 'v=0\r\n', contact: 'sip:b@10.0.0.2' }, now, out));
  const tag = side.endpoint.dialogId(call)?.localTag ?? '';
  duo.deliver(side, invite('z9hG4bKa', 'ACK', 1, [`${to};tag=${tag}`]));
  expect(side.endpoint.counts()).toEqual({ transactions: 1, calls: 1 });
  const [told, sent] = [side.told.length, side.lines.length];
  duo.deliver(side, invite('z9hG4bKi', 'INVITE', 1, [to]));
  duo.deliver(side, invite('z9hG4bKi', 'ACK', 1, [`${to};tag=${tag}`]));
  expect([side.told.length, side.lines.length]).toEqual([told, sent]);
  duo.deliver(side, invite('z9hG4bKi', 'CANCEL', 1, [to]));
  expect(side.lines.at(-1)).toBe('200 CANCEL');
  // The same along another way.
  duo.deliver(side, invite('z9hG4bKother', 'INVITE', 1, [to]));
  expect(side.lines.at(-1)).toBe('482 INVITE');
  duo.deliver(side, invite('z9hG4bKb', 'BYE', 2, [`${to};tag=${tag}`]));
  expect(side.lines.at(-1)).toBe('200 BYE');
  const answers = side.lines.length;
  duo.deliver(side, invite('z9hG4bKb', 'BYE', 2, [`${to};tag=${tag}`]));
  expect(side.lines.slice(answers)).toEqual(['200 BYE']);
  duo.run(33_000);
  expect(side.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
});

it('what comes for an INVITE after its 2xx changes nothing, but a 2xx', () => {
  const duo = new Duo();
  duo.call();
  duo.run(20);
  const { call } = duo.b.last('incoming');
  duo.b.act((endpoint, now, out) => endpoint.answer(call, { sdp: 'v=0\r\n', contact: 'sip:b@10.0.0.2' }, now, out));
  duo.run(100);
  expect(duo.a.names.at(-1)).toBe('answered');
  const answer = duo.b.sent.findLast((text) => text.startsWith('SIP/2.0 200')) ?? '';
  const [told, sent] = [duo.a.told.length, duo.a.sent.length];
  for (const line of ['180 Ringing', '199 Early Dialog Terminated', '302 Moved', '486 Busy Here', '603 Decline'])
    for (const tagged of [answer, answer.replace(/(To:[^\r]*;tag=)\w+/, '$1another')])
      duo.deliver(duo.a, tagged.replace('200 OK', line));
  expect([duo.a.told.length, duo.a.sent.length]).toEqual([told, sent]);
  duo.deliver(duo.a, answer);
  expect(duo.a.lines.slice(sent)).toEqual(['ACK']);
});

it('a CANCEL that crosses the 2xx is said again until it is answered', () => {
  const duo = new Duo();
  duo.fate = (text, from) => (from === duo.a && text.startsWith('CANCEL') && duo.now < 2_000 ? [] : [1]);
  const call = duo.call();
  duo.run(20);
  const ringing = duo.b.last('incoming').call;
  duo.b.act((endpoint, now, out) => endpoint.progress(ringing, 180, {}, now, out));
  duo.run(20);
  duo.a.act((endpoint, now, out) => endpoint.hangup(call, '', now, out));
  duo.b.act((endpoint, now, out) => endpoint.answer(ringing, { sdp: 'v=0\r\n', contact: 'sip:b@10.0.0.2' }, now, out));
  duo.run(5_000);
  expect(duo.a.lines.filter((line) => line === 'CANCEL')).toHaveLength(3);
  expect(duo.b.lines).toContain('200 CANCEL');
  duo.run();
  expect([duo.a.endpoint.counts(), duo.b.endpoint.counts()]).toEqual(new Array(2).fill({ transactions: 0, calls: 0 }));
});
