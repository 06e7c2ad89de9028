/** A gateway's edge with a softswitch of the test's own: what joins a call of the house, what may not, and what is left. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { makeOffer } from '#shared/sip/offer-answer.ts';
import { readDialogName } from '#shared/sip/refer.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { Phone } from '#simulator/phone.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { JOIN_LIMIT } from './join.ts';
import { type SipEdge, startSipEdge } from './server.ts';

describe('the Join header', () => {
  it.each([
    ['c@h;to-tag=a;from-tag=b', { callId: 'c@h', toTag: 'a', fromTag: 'b' }],
    ['c ; From-Tag=b ; TO-TAG=a', { callId: 'c', toTag: 'a', fromTag: 'b' }],
    ['c;to-tag=a', undefined],
    [';to-tag=a;from-tag=b', undefined],
    ['', undefined],
  ] as const)('%s', (value, target) => {
    expect(readDialogName(value)).toEqual(target && { ...target, earlyOnly: false });
  });
});

const [DOMAIN, USER, PASSWORD] = ['example.net', 'u1', 'secret'];
const YEAR = 365 * 86_400_000;

describe('channels that join a call', () => {
  let world: VirtualWorld;
  let edge: SipEdge;
  let phone: Phone;
  let up: Flow | undefined;
  const seen: UserOutput[] = [];
  let endpoint: Endpoint;
  let softswitch: SipTransport;
  let engine: ReturnType<typeof localEngine>;

  beforeEach(async () => {
    world = new VirtualWorld({ seed: 5 });
    seen.length = 0;
    const cloud = world.host('cloud', ['10.0.0.1']);
    const wall = cloud.clock.wall();
    const times = { notBefore: wall - YEAR, notAfter: wall + YEAR };
    const key = await world.settle(cloud.crypto.createKey());
    const own = { subject: 'cloud', publicKey: key.publicKey, signer: key.privateKey, ...times };
    const certificate = await world.settle(cloud.crypto.issue({ ...own, use: 'server', names: ['10.0.0.1'] }));
    endpoint = new Endpoint({ random: cloud.random, hash: sipHash(cloud.crypto), supported: ['join'] });
    softswitch = new SipTransport(cloud, {
      endpoint,
      accept: (flow) => {
        up = flow;
        return true;
      },
      onOutput(output) {
        seen.push(output);
        if (output.do === 'request')
          softswitch.act((now, out) => endpoint.reply(output.transaction, 200, {}, now, out));
      },
    });
    const tls = { certificate, key: key.privateKey };
    await world.settle(softswitch.bind({ tls: { host: '10.0.0.1', port: 5061, tls } }));

    const gateway = world.host('elm', ['10.1.0.1']);
    engine = localEngine(gateway, { low: 20_000, high: 20_099 });
    edge = await world.settle(
      startSipEdge({
        world: gateway,
        engine,
        listen: { host: '10.1.0.1', port: 5060 },
        state: '/state/elm/sip',
        identity: () => ({ certificate, key: key.privateKey, ca: certificate }),
        report: async () => {},
        submit: async () => false,
        changed: () => {},
      }),
    );
    const hash = sipHash(gateway.crypto);
    const ha1 = {
      md5: digestHa1('MD5', USER, DOMAIN, PASSWORD, hash),
      sha256: digestHa1('SHA-256', USER, DOMAIN, PASSWORD, hash),
    };
    const line = { id: 'line_1', number: '+15550100001', username: USER, kind: 'phone' as const, ha1 };
    expect(edge.apply({ domain: DOMAIN, sips: '10.0.0.1:5061', lines: [line] })).toBeUndefined();
    phone = await world.settle(
      Phone.open({
        world: world.host('phone', ['10.1.0.2']),
        host: '10.1.0.2',
        server: edge.bound.udp,
        domain: DOMAIN,
        username: USER,
        password: PASSWORD,
        answerAfter: 300,
      }),
    );
    expect(await world.settle(phone.register())).toBe(200);
    await world.run(500);
  });

  afterEach(async () => {
    for (const call of phone.calls) phone.hangup(call);
    await world.run(1_000);
    await world.settle(phone.close());
    await world.settle(edge.stop());
    expect(await world.settle(engine.list())).toEqual([]);
    await world.settle(engine.close(true));
    await world.settle(softswitch.close());
    world[Symbol.dispose]();
  });

  function invite(headers: readonly (readonly [string, string])[] = [], sdp: string | undefined = offer()): CallHandle {
    const uri = `sip:${USER}@${DOMAIN}`;
    const options = { uri, from: '<sip:x@example.net>', to: `<${uri}>`, flow: up as Flow, contact: 'sip:s@10.0.0.1' };
    return softswitch.act((now, out) =>
      endpoint.invite({ ...options, headers, ...(sdp === '' ? {} : { sdp }) }, now, out),
    );
  }
  const offer = () => makeOffer({ address: { host: '10.0.0.1', port: 30_000 }, sessionId: 1 });
  const of = (call: CallHandle) => seen.filter((one) => 'call' in one && one.call === call);
  const status = (call: CallHandle) => {
    const failed = of(call).find((one) => one.do === 'failed');
    return failed?.do === 'failed' ? failed.status : of(call).some((one) => one.do === 'answered') ? 200 : 0;
  };
  const joining = (call: CallHandle): readonly (readonly [string, string])[] => {
    const id = endpoint.dialogId(call);
    // Written from the receiver's side: its own tag is the to-tag.
    return [['Join', `${id?.callId};to-tag=${id?.remoteTag};from-tag=${id?.localTag}`]];
  };
  async function talking(): Promise<CallHandle> {
    const call = invite();
    await world.run(1000);
    expect(status(call)).toBe(200);
    return call;
  }
  async function tried(headers: readonly (readonly [string, string])[], sdp?: string): Promise<number> {
    const call = invite(headers, sdp);
    await world.run(500);
    return status(call);
  }

  it('answers at once, without ringing; the phone knows of one call alone', async () => {
    const call = await talking();
    const channel = invite(joining(call));
    await world.run(200);
    expect(of(channel).map((one) => one.do)).toEqual(['answered']);
    expect(phone.calls).toHaveLength(1);
    expect(await world.settle(engine.list())).toHaveLength(3);
    // The channel alone ends.
    softswitch.act((now, out) => endpoint.hangup(channel, '', now, out));
    await world.run(200);
    expect(await world.settle(engine.list())).toHaveLength(2);
    expect(phone.calls[0]?.state).toBe('up');
  });

  it('refuses an unknown dialog, swapped tags, a header without tags and an offer that cannot be answered', async () => {
    const call = await talking();
    const id = endpoint.dialogId(call);
    expect(await tried([['Join', 'other;to-tag=a;from-tag=b']])).toBe(481);
    expect(await tried([['Join', `${id?.callId};to-tag=${id?.localTag};from-tag=${id?.remoteTag}`]])).toBe(481);
    expect(await tried([['Join', `${id?.callId};to-tag=a`]])).toBe(400);
    expect(await tried(joining(call), '')).toBe(488);
    expect(await tried(joining(call), offer().replace('RTP/AVP', 'RTP/SAVP'))).toBe(488);
    expect(await world.settle(engine.list())).toHaveLength(2);
  });

  it(`takes ${JOIN_LIMIT} channels and no more; all end with the call`, async () => {
    const call = await talking();
    const channels: CallHandle[] = [];
    for (let i = 0; i <= JOIN_LIMIT; i++) {
      channels.push(invite(joining(call)));
      await world.run(200);
    }
    expect(channels.map(status)).toEqual([200, 200, 200, 200, 486]);
    phone.hangup(phone.calls[0] ?? expect.fail('no call'));
    await world.run(1000);
    for (const one of [call, ...channels.slice(0, JOIN_LIMIT)])
      expect(of(one).some((output) => output.do === 'ended')).toBe(true);
    expect(await world.settle(engine.list())).toEqual([]);
  });

  it('a channel is offered anew: the description names the same address and a higher version', async () => {
    const call = await talking();
    const channel = invite(joining(call));
    await world.run(200);
    const first = of(channel).find((one) => one.do === 'answered');
    softswitch.act((now, out) => endpoint.reoffer(channel, offer(), now, out));
    await world.run(200);
    const again = of(channel).find((one) => one.do === 'reoffered');
    const [before, after] = [first, again].map((one) => (one !== undefined && 'sdp' in one ? (one.sdp ?? '') : ''));
    const origin = (sdp = '') => /^o=- (\d+) (\d+) (.*)$/m.exec(sdp);
    expect(origin(after)?.[1]).toBe(origin(before)?.[1]);
    expect(origin(after)?.[3]).toBe(origin(before)?.[3]);
    expect(Number(origin(after)?.[2])).toBeGreaterThan(Number(origin(before)?.[2]));
    expect(/^m=.*$/m.exec(after ?? '')?.[0]).toBe(/^m=.*$/m.exec(before ?? '')?.[0]);
  });

  it('the call and its channel end in the same moment: nothing is left', async () => {
    const call = await talking();
    const channel = invite(joining(call));
    softswitch.act((now, out) => endpoint.hangup(call, '', now, out));
    await world.run(1000);
    expect([0, 200, 480, 481, 486, 487, 503, 603]).toContain(status(channel));
    expect(await world.settle(engine.list())).toEqual([]);
  });
});
