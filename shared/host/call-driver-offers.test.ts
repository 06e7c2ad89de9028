/** Descriptions in a call: an offer that a phone asks for (a re-INVITE without SDP), and the places of streams. */
import { expect, test } from 'vitest';
import { newCall } from '#shared/call/call.ts';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { makeAnswer, makeOffer } from '#shared/sip/offer-answer.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { CallDriver, type DrivenCall } from './call-driver.ts';

const sdp = (host: number, version: number, direction = 'sendrecv') =>
  `v=0\r\no=- ${host} ${version} IN IP4 10.0.0.${host}\r\ns=-\r\nc=IN IP4 10.0.0.${host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=${direction}\r\n`;

/** `10.0.0.9`, written by hand, calls `10.0.0.2` by a switch on `10.0.0.1`. */
async function talk(relay = false) {
  const world = new VirtualWorld({ seed: 1 });
  const [own, far, near] = [1, 2, 9].map((n) => world.host(`h${n}`, [`10.0.0.${n}`]));
  if (own === undefined || far === undefined || near === undefined) throw new Error('no host');
  const call: DrivenCall<Flow> & { flow?: Flow } = {
    ...{ id: 'a', state: newCall<Flow>(), handles: new Map(), versions: new Map(), due: NEVER },
  };
  const self: Agent = agent(own, {
    onOutput(output) {
      if (output.do === 'incoming') {
        driver.add(Object.assign(call, { flow: output.flow }), output.call);
        driver.feed(call, { on: 'invite', ...(output.offer === undefined ? {} : { sdp: output.offer }) });
      } else if ('call' in output) driver.take(output);
    },
  });
  const contact = 'sip:x@10.0.0.1';
  const driver = new CallDriver<Flow, DrivenCall<Flow>>({
    sip: {
      endpoint: self.endpoint,
      act: (run) => self.transport.act((now, out) => run(self.endpoint, now, out)),
      contact: () => contact,
    },
    ...{ clock: own.clock, log: own.log },
    hooks: {
      async route() {
        const to = await self.transport.flowTo({ protocol: 'udp', host: '10.0.0.2', port: 5060 });
        const targets = [{ leg: 'B', branches: [{ branch: 'b', to }] }];
        driver.feed(call, { on: 'routed', callerLeg: 'A', targets, ringFor: 60_000, relay });
      },
      moved: () => undefined,
      reroute: async () => {},
      media: async (_call, { want, sdp: said = '' }) => {
        const local = { address: { host: '10.0.0.1', port: 4000 }, sessionId: 1 };
        if (!relay) return { failed: 503 };
        return want === 'accept' ? {} : { sdp: want === 'offer' ? makeOffer(local) : (makeAnswer(said, local) ?? '') };
      },
      connect: async () => {},
      release: async () => {},
      report: async () => {},
      inviteOptions: (_call, { to, sdp: offer }) => ({
        ...{ uri: 'sip:b@x', from: '<sip:a@x>', to: '<sip:b@x>', flow: to, contact, sdp: offer },
      }),
      up: () => {},
      over: () => {},
    },
  });
  /** What the callee was offered in the call, and what it answers. */
  const offered: string[] = [];
  let answer = sdp(2, 1);
  const holds = () =>
    phone.transport.act((now, out) => phone.endpoint.reoffer(phoneCall, sdp(2, 2, 'sendonly'), now, out));
  let phoneCall = '';
  const phone: Agent = agent(far, {
    onOutput(output) {
      phone.transport.act((now, out) => {
        if (output.do === 'incoming') {
          phoneCall = output.call;
          phone.endpoint.answer(output.call, { sdp: answer, contact: 'sip:b@10.0.0.2' }, now, out);
        } else if (output.do === 'offer') {
          offered.push(output.sdp ?? '');
          phone.endpoint.acceptOffer(output.call, answer, now, out);
        }
      });
    },
  });
  await self.transport.bind({ udp: { host: '10.0.0.1', port: 5060 } });
  await phone.transport.bind({ udp: { host: '10.0.0.2', port: 5060 } });
  const heard: string[] = [];
  const socket = await near.net.udp({ host: '10.0.0.9', port: 5060 }, (data) => void heard.push(latin1(data)));
  let seq = 0;
  const send = (method: string, body: string) => {
    if (method === 'INVITE') seq++;
    const to = /^To: (.*)$/m.exec(heard.find((one) => one.startsWith('SIP/2.0 200')) ?? '')?.[1] ?? '<sip:b@x>';
    const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
    const head = `${method} sip:b@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK${method}${seq}\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=f\r\n`;
    const text = `${head}To: ${to}\r\nCall-ID: c\r\nCSeq: ${seq} ${method}\r\nContact: <sip:a@10.0.0.9>\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`;
    socket.send(fromLatin1(text), { host: '10.0.0.1', port: 5060 });
  };
  /** An INVITE and its ACK; the description that came in the 200. */
  async function invite(offer: string, ack = ''): Promise<string> {
    send('INVITE', offer);
    await world.run(500);
    const ok = heard.find((one) => one.startsWith('SIP/2.0 200') && one.includes(`CSeq: ${seq} INVITE`)) ?? '';
    send('ACK', ack);
    await world.run(500);
    return ok.slice(ok.indexOf('\r\n\r\n') + 4);
  }
  const answers = (next: string) => {
    answer = next;
  };
  /** Descriptions in the re-INVITEs that came from the switch. */
  const told = () =>
    heard.filter((one) => one.startsWith('INVITE')).map((one) => one.slice(one.indexOf('\r\n\r\n') + 4));
  return { world, invite, offered, answers, holds, told };
}

test('it is what the other phone said last, which hears of nothing', async () => {
  const { world, invite, offered } = await talk();
  expect(await invite(sdp(9, 1))).toBe(sdp(2, 1));
  expect(await invite('', sdp(9, 1))).toBe(sdp(2, 1));
  expect(offered).toEqual([]);
  world[Symbol.dispose]();
});

test('who held may resume by it: versions go on, and the other phone is told', async () => {
  const { world, invite, offered, answers } = await talk();
  await invite(sdp(9, 1));
  answers(sdp(2, 2, 'recvonly'));
  expect(await invite(sdp(9, 2, 'sendonly'))).toBe(sdp(2, 2, 'recvonly'));
  answers(sdp(2, 3));
  expect(await invite('', sdp(9, 3))).toBe(sdp(2, 3));
  expect(offered).toEqual([sdp(9, 2, 'sendonly'), sdp(9, 3)]);
  // The version that it was shown was not the other phone's own: later ones stay above it.
  expect(await invite(sdp(9, 4))).toBe(sdp(2, 4));
  world[Symbol.dispose]();
});

test('who offered two streams is offered two by our media, the refused one closed in its place (RFC 3264 section 8)', async () => {
  const { world, invite, holds, told } = await talk(true);
  const video = 'm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n';
  expect(await invite(sdp(9, 1) + video)).toContain('m=video 0 RTP/AVP 96\r\n');
  holds();
  await world.run(500);
  const streams = (one: string | undefined) => one?.match(/^m=.*$/gm)?.map((line) => line.trimEnd());
  expect(streams(told()[0])).toEqual(['m=audio 4000 RTP/AVP 8 0 101', 'm=video 0 RTP/AVP 96']);
  expect(told()[0]).toContain('a=sendonly');
  world[Symbol.dispose]();
});

test('who asks for an offer then gets two as well, and who offers one stream has one answered', async () => {
  const { world, invite } = await talk(true);
  await invite(`${sdp(9, 1)}m=video 4002 RTP/AVP 96\r\n`);
  const late = await invite('', `${sdp(9, 2)}m=video 0 RTP/AVP 96\r\n`);
  expect(late.match(/^m=/gm)).toHaveLength(2);
  // It should have kept the other (section 8), but an answer has as many as its offer (section 6).
  expect((await invite(sdp(9, 3))).match(/^m=/gm)).toHaveLength(1);
  world[Symbol.dispose]();
});
