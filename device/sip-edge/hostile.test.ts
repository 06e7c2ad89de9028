/**
 * The gateway's edge among hostile peers on every side: a stranger of the LAN, a phone of the house, and the softswitch itself. Whatever
 * comes, nothing breaks, nobody is answered more than in proportion, the house goes on calling, and nothing is left.
 */
import { expect, it } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import type { Address, Stream } from '#shared/kernel/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { Phone } from '#simulator/phone.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seeded } from '#test/support/mutate.ts';
import { seed } from '#test/support/seed.ts';
import { type Draw, fitLength, joined, partsOf } from '#test/support/sip-fuzz.ts';
import { OWN_MESSAGES } from '#test/support/sip-fuzz-corpus.ts';
import { HostilePeer } from '#test/support/sip-fuzz-peer.ts';
import { startSipEdge } from './server.ts';

/** Hostile messages of one run. */
const CASES = Number(process.env.FUZZ_CASES ?? 1_500);
const [DOMAIN, PASSWORD, YEAR] = ['example.net', 'secret', 365 * 86_400_000];
const EDGE = '10.1.0.1';
/** A request may be repeated eleven times over UDP while nobody answers (RFC 3261 section 17.1). */
const REPEATED = 11;

const octets = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const latin = (data: Uint8Array) => Buffer.from(data).toString('latin1');

/** One side: what it sent and got. */
interface Side {
  readonly peer: HostilePeer;
  send(text: string): void;
  sent: number;
  got: number;
}

/** Our own names stand in about half of what a peer sends. */
function named(text: string, draw: Draw): string {
  const user = draw() < 0.5 ? 'u1' : 'u2';
  return text.replace(/sips?:\w+@[\w.]+/g, (uri) => (draw() < 0.5 ? `sip:${user}@${DOMAIN}` : uri));
}

async function rig(draw: Draw) {
  const errors: string[] = [];
  const world = new VirtualWorld({ seed: 5, log: (line) => errors.push(line), level: 'error' });
  const cloud = world.host('cloud', ['10.0.0.1']);
  const wall = cloud.clock.wall();
  const key = await world.settle(cloud.crypto.createKey());
  const own = { subject: 'cloud', publicKey: key.publicKey, signer: key.privateKey, use: 'server' as const };
  const times = { notBefore: wall - YEAR, notAfter: wall + YEAR };
  const certificate = await world.settle(cloud.crypto.issue({ ...own, ...times, names: ['10.0.0.1'] }));
  const peerAt = (them: string) => new HostilePeer(draw, OWN_MESSAGES, { us: EDGE, them });

  let stream: Stream | undefined;
  const above: Side = {
    ...{ peer: peerAt('10.0.0.1'), sent: 0, got: 0 },
    send(text) {
      const parts = partsOf(text);
      // Mostly whole, or the stream would end at each of them.
      if (draw() < 0.95) fitLength(parts);
      stream?.write(octets(joined(parts)));
    },
  };
  await world.settle(
    cloud.net.listen({ host: '10.0.0.1', port: 5061, tls: { certificate, key: key.privateKey } }, (opened) => {
      stream = opened;
      opened.handle({
        data(data) {
          for (const text of latin(data).split(/(?=^(?:SIP\/2\.0 \d|[A-Z]+ sips?:[^\r]* SIP\/2\.0\r\n))/m)) {
            above.got++;
            above.peer.heard(text);
            if (text.startsWith('REGISTER ') && draw() < 0.9) opened.write(octets(registered(text)));
          }
        },
        close: () => {
          if (stream === opened) stream = undefined;
        },
      });
    }),
  );

  const gateway = world.host('elm', [EDGE]);
  const engine = localEngine(gateway, { low: 20_000, high: 20_999 });
  const edge = await world.settle(
    startSipEdge({
      ...{ world: gateway, engine, listen: { host: EDGE, port: 5060 }, state: '/state/elm/sip' },
      identity: () => ({ certificate, key: key.privateKey, ca: certificate }),
      report: async () => {},
      submit: async () => false,
      changed: () => {},
    }),
  );
  const hash = sipHash(gateway.crypto);
  const lineOf = (n: number) => {
    const username = `u${n}`;
    const ha1 = {
      md5: digestHa1('MD5', username, DOMAIN, PASSWORD, hash),
      sha256: digestHa1('SHA-256', username, DOMAIN, PASSWORD, hash),
    };
    return { id: `line_${n}`, number: `+1555010000${n}`, username, kind: 'phone' as const, ha1 };
  };
  edge.apply({ domain: DOMAIN, sips: '10.0.0.1:5061', lines: [lineOf(1), lineOf(2)] });
  const phone = async (n: number) => {
    const host = `10.1.0.${n + 1}`;
    const at = { world: world.host(`phone${n}`, [host]), host, server: edge.bound.udp, domain: DOMAIN };
    const opened = await world.settle(Phone.open({ ...at, username: `u${n}`, password: PASSWORD, answerAfter: 300 }));
    expect(await world.settle(opened.register())).toBe(200);
    return opened;
  };
  /** Somebody who speaks UDP from that address. */
  const speaker = async (name: string, at: Address): Promise<Side & { close(): Promise<void> }> => {
    const side: Side = {
      peer: peerAt(at.host),
      send: (text) => socket.send(octets(text), edge.bound.udp),
      sent: 0,
      got: 0,
    };
    const socket = await world.settle(
      world.host(name, [at.host]).net.udp(at, (data) => {
        side.got++;
        side.peer.heard(latin(data));
      }),
    );
    return Object.assign(side, { close: () => socket.close() });
  };
  return { world, errors, engine, edge, above, phone, speaker };
}

/** The 200 of a REGISTER. */
function registered(text: string): string {
  const lines = text.split('\r\n').filter((line) => /^(?:via|from|to|call-id|cseq|contact)\s*:/i.test(line));
  return `SIP/2.0 200 OK\r\n${lines.join('\r\n')};expires=300\r\nContent-Length: 0\r\n\r\n`;
}

it(`${CASES} hostile messages from every side leave the house as it was`, { timeout: 600_000 }, async () => {
  const draw = seeded(seed);
  const { world, errors, engine, edge, above, phone, speaker } = await rig(draw);
  const first = await phone(1);
  const second = await phone(2);
  const { address } = second;
  await world.settle(second.close());
  const taken = await speaker('phone2', address);
  const stranger = await speaker('stranger', { host: '10.1.0.66', port: 5060 });
  const sides = [above, taken, stranger];
  for (let n = 0; n < CASES; n++) {
    const side = sides[Math.floor(draw() * sides.length)] ?? above;
    const text = named(side.peer.next(), draw);
    side.sent++;
    side.send(text);
    await world.run(Math.floor(draw() * 200));
    if (draw() < 0.03) void first.dial(draw() < 0.5 ? '+15550100002' : '+15550100009');
    if (draw() < 0.02) for (const call of first.calls) first.hangup(call);
  }
  // A stranger gets an answer to what it asks, and not one more.
  expect(stranger.got).toBeLessThanOrEqual(stranger.sent);
  expect(taken.got).toBeLessThanOrEqual(REPEATED * (taken.sent + above.sent + first.calls.length));
  for (const call of first.calls) first.hangup(call);
  await world.settle(taken.close());
  // Longer than any timer, any ringing, and any registration.
  await world.run(2_000_000);
  expect(errors).toEqual([]);
  expect([edge.status().calls, await world.settle(engine.list())]).toEqual([0, []]);
  expect(await world.settle(first.register())).toBe(200);
  const again = await phone(2);
  const call = await world.settle(first.dial('+15550100002'));
  await world.run(2_000);
  expect(call.state).toBe('up');
  again.hangup(again.calls[0] ?? expect.fail('no call'));
  await world.run(2_000);
  for (const one of [first, again]) await world.settle(one.close());
  await world.settle(stranger.close());
  await world.settle(edge.stop());
  await world.settle(engine.close(true));
  world[Symbol.dispose]();
});
