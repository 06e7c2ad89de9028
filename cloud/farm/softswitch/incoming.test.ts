import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import { Door } from '#shared/call/register.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { write } from '#shared/sip/write.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Access } from './access.ts';
import { Calls } from './calls.ts';
import { HoldMusic } from './hold-music.ts';
import { Incoming } from './incoming.ts';
import { Gateways, Lines } from './lines.ts';
import { Location } from './location.ts';
import type { Outside } from './outside.ts';
import { Reporter } from './reporter.ts';
import { Router } from './routing.ts';
import { Snapshots } from './snapshots.ts';

/** The softswitch's way in without its sockets: INVITEs of a gateway's flow go in, statuses come out. */
async function rig(limits: { most?: number; inSetup?: number }) {
  const world = new VirtualWorld({ seed: 1 });
  const { clock, log, crypto, random } = world.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  await store.commit([
    sql(
      "INSERT INTO gateway (id, home, key_hash, state, certificate_serial, claimed_at) VALUES ('gw_1', 'home_1', 'k', 'paired', 's', 0)",
    ),
    sql(
      "INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at) VALUES ('line_1', 'home_1', '+15550100001', 'u1', NULL, 'unmetered', 'phone', '', '', 0)",
    ),
  ]);
  const hash = (_name: string, text: string) => createHash('md5').update(text).digest('hex');
  const endpoint = new Endpoint({ random, hash });
  const statuses: number[] = [];
  const sent = (out: EndpointOutput[]) => {
    for (const one of out) if (one.do === 'send' && one.message.status > 100) statuses.push(one.message.status);
  };
  const sip: SipPort = {
    endpoint,
    act(run) {
      const out: EndpointOutput[] = [];
      const result = run(endpoint, clock.mono(), out);
      sent(out);
      return result;
    },
    contact: () => 'sip:x@10.0.0.1',
  };
  const bus = createBus({ log, clock });
  let n = 0;
  const newId = () => `chn_${n++}`;
  const [lines, location] = [new Lines(store), new Location()];
  const door = new Door({
    ...{ realm: 'x', secret: random.bytes(32), hash, salt: () => random.bytes(8) },
  });
  const access = new Access(lines, new Gateways(store), door, clock);
  const routing: (() => void)[] = [];
  const snapshots = new Snapshots(store, endpoint, { clock, log });
  const calls = new Calls({
    closeFlow: () => {},
    ...{ bus, clock, log, sip, domain: 'x' },
    isOurs: () => true,
    reporter: new Reporter({ bus, store, clock, log, newId }),
    snapshots,
    music: new HoldMusic({ bus, store, config: {}, log, snapshots }),
    // Routing waits until it is let go, so that calls stay in set-up.
    reroute: async () => {},
    flowGone() {},
    trunkHeard() {},
    route: (live) =>
      new Promise((resolve) => {
        routing.push(() => {
          calls.feed(live, { on: 'refused', status: 404, reason: 'callee_unknown' });
          resolve();
        });
      }),
  });
  const outside = {
    trunks: { of: () => undefined },
    emergency: { maybe: () => false },
  } as unknown as Outside;
  const seats = { countOf: () => 0, ensure: () => undefined };
  const router = new Router({ outside, bus, store, clock, crypto, lines, location, newId, ...seats });
  const incoming = new Incoming({
    ...{
      access,
      calls,
      router,
      sip,
      clock,
      newId,
      closeFlow() {},
      trust() {},
      isOurs: () => true,
      lines,
      outside,
      ...limits,
    },
  });
  const flow: Flow = {
    ...{ id: 'f', protocol: 'tls', local: { host: '10.0.0.1', port: 1 }, remote: { host: '10.0.0.2', port: 2 } },
    peer: { kind: 'certificate', subject: 'gw_1', keyHash: 'k', trusted: true, selfSigned: false, serial: 's' },
  };
  function invite(i: number, method = 'INVITE'): Promise<void> {
    const message = newRequest(method, 'sip:1@10.0.0.1', [
      ['Via', `SIP/2.0/TLS 10.0.0.2;branch=z9hG4bK${i}`],
      ['Max-Forwards', '70'],
      ['From', `<sip:u1@x>;tag=${i}`],
      ['To', '<sip:1@x>'],
      ['Call-ID', `call${i}`],
      ['CSeq', `1 ${method}`],
      ['Contact', '<sip:u1@10.0.0.2>'],
    ]);
    const out: EndpointOutput[] = [];
    endpoint.receive(write(message), flow, clock.mono(), out);
    sent(out);
    const taking: Soon<void>[] = [];
    for (const one of out) {
      if (one.do === 'incoming') taking.push(incoming.take(one));
      if (one.do === 'ended') incoming.ended(one.call);
    }
    return Promise.all(taking).then(() => undefined);
  }
  return { invite, statuses, calls, routing, done: () => world[Symbol.dispose]() };
}

test('a caller who gives up while we look who it is has made no call', async () => {
  const { invite, statuses, calls, done } = await rig({});
  const looking = invite(1);
  await invite(1, 'CANCEL');
  await looking;
  expect(calls.size).toBe(0);
  expect(statuses.sort()).toEqual([200, 487]);
  done();
});

describe('how many calls the softswitch takes on', () => {
  test.each([
    ['in set-up', { inSetup: 2 }],
    ['in all', { most: 2 }],
  ])('%s: one too many gets 503, and there is room again once one has ended', async (_name, limits) => {
    const { invite, statuses, calls, routing, done } = await rig(limits);
    for (const i of [1, 2, 3]) await invite(i);
    expect(statuses).toEqual([503]);
    expect(calls.size).toBe(2);
    routing.shift()?.();
    await invite(4);
    expect(statuses).toEqual([503, 404]);
    expect(calls.size).toBe(2);
    done();
  });
});
