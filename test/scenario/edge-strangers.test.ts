/** Who is no phone of the house is answered by the gateway once, whatever it sends (RFC 3261 section 26.3.2.4). */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let asked = 0;

beforeAll(async () => {
  ({ stage, world } = await virtualStage({ seed: 47 }));
  elm = await stage.home('elm');
});
afterAll(() => stage[Symbol.asyncDispose]());

it.each([
  ['without a credential', '', 401],
  ['with a credential that is none', 'Authorization: Digest username="x", broken\r\n', 401],
  [
    'with a wrong credential',
    'Authorization: Digest username="USER", realm="DOMAIN", nonce="00", uri="sip:x", response="00"\r\n',
    401,
  ],
  ['that wants what nobody can do', 'Require: wonders\r\n', 420],
  ['of a dialog that nobody has', '', 481],
])('an INVITE %s', async (_name, more, status) => {
  const { username = '', domain } = (await stage.line(elm, { name: 'hall' })).sip;
  await world.run(500);
  const server = elm.gateway.status().sip.udp;
  const { net } = world.host('stranger', ['10.8.9.9']);
  const answers: string[] = [];
  const socket = await world.settle(
    net.udp({ host: '10.8.9.9', port: 5060 }, (data) => answers.push(Buffer.from(data).toString('latin1'))),
  );
  const tag = status === 481 ? ';tag=none' : '';
  const head = `INVITE sip:${username}@${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 10.8.9.9:5060;branch=z9hG4bK${++asked};rport\r\nMax-Forwards: 70\r\nFrom: <sip:${username}@${domain}>;tag=a\r\nTo: <sip:b@${domain}>${tag}\r\nCall-ID: ${asked}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.8.9.9>\r\n`;
  const fields = more.replace('USER', username).replace('DOMAIN', domain);
  const text = `${head}${fields}X-Padding: ${'x'.repeat(Math.max(0, 350 - head.length - fields.length))}\r\nContent-Length: 0\r\n\r\n`;
  if (server === undefined) throw new Error('the gateway has no address');
  socket.send(new TextEncoder().encode(text), server);
  await world.run(40_000);
  expect(answers.map((one) => Number(one.slice(8, 11)))).toEqual([status]);
  expect(answers.join('').length).toBeLessThanOrEqual(text.length * 1.5);
  await socket.close();
});

it.each([
  ['with the cloud, which knows no way', false, 500],
  ['with the WAN cut and no other way', true, 503],
])('a call for help of whoever is on the LAN, %s', async (_name, cut, status) => {
  const host = `${elm.address.split('.').slice(0, 3).join('.')}.20${++asked}`;
  if (cut) world.partition(['elm', `guest${asked}`]);
  await world.run(cut ? 120_000 : 500);
  const { net } = world.host(`guest${asked}`, [host]);
  const answers: string[] = [];
  const socket = await world.settle(
    net.udp({ host, port: 5060 }, (data) => answers.push(Buffer.from(data).toString('latin1'))),
  );
  const sdp = `v=0\r\no=- 1 1 IN IP4 ${host}\r\ns=-\r\nc=IN IP4 ${host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n`;
  const text = `INVITE urn:service:sos SIP/2.0\r\nVia: SIP/2.0/UDP ${host};branch=z9hG4bK${asked};rport\r\nMax-Forwards: 70\r\nFrom: <sip:x@x.test>;tag=a\r\nTo: <urn:service:sos>\r\nCall-ID: ${asked}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@${host}>\r\nContent-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`;
  socket.send(new TextEncoder().encode(text), elm.gateway.status().sip.udp);
  await world.run(40_000);
  expect(answers.map((one) => Number(one.slice(8, 11)))).toEqual([status]);
  expect(answers.join('').length).toBeLessThanOrEqual(text.length * 1.5);
  await socket.close();
});

it.each([
  ['of a subscription that there is not', 'Event: dialog\r\nSubscription-State: active;expires=60\r\n', ';tag=t', 481],
  ['outside any dialog', 'Event: message-summary\r\nSubscription-State: terminated\r\n', '', 481],
  ['that keeps a path open', 'Event: keep-alive\r\n', '', 489],
  ['that does not say how its subscription stands', 'Event: dialog\r\n', ';tag=t', 400],
])('a NOTIFY %s', async (_name, fields, tag, status) => {
  world.heal();
  const { net } = world.host('stranger', ['10.8.9.9']);
  const answers: string[] = [];
  const socket = await world.settle(
    net.udp({ host: '10.8.9.9', port: 5060 }, (data) => answers.push(Buffer.from(data).toString('latin1'))),
  );
  const text = `NOTIFY sip:hl@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.8.9.9:5060;branch=z9hG4bK${++asked};rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>${tag}\r\nCall-ID: ${asked}\r\nCSeq: 1 NOTIFY\r\nContact: <sip:a@10.8.9.9>\r\n${fields}Content-Length: 0\r\n\r\n`;
  socket.send(new TextEncoder().encode(text), elm.gateway.status().sip.udp);
  await world.run(40_000);
  expect(answers.map((one) => Number(one.slice(8, 11)))).toEqual([status]);
  await socket.close();
});
