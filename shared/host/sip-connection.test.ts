/** Keep-alives (RFC 5626 sections 3.5.1 and 4.4.1): ours, and those of a peer that means no good. */
import { expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { agent, optionsText } from '#test/support/sip-agent.ts';
import type { SipLimits } from './sip-guard.ts';

const PING = '\r\n\r\n';

async function connected(limits: Partial<SipLimits> = {}) {
  const world = new VirtualWorld({ seed: 3 });
  const { transport, closed } = agent(world.host('b', ['10.0.0.2']), { limits });
  const at = { host: '10.0.0.2', port: 5060 };
  await transport.bind({ tcp: at });
  const stream = await world.settle(world.host('a', ['10.0.0.1']).net.connect(at));
  let heard = '';
  stream.handle({ data: (data) => (heard += latin1(data)), close: () => {} });
  const send = (text: string) => stream.write(fromLatin1(text));
  /** What came after the answer to the first request. */
  const answers = () => heard.slice(heard.indexOf(PING) + PING.length);
  return { world, stream, send, closed, answers };
}

it('who asks and asks whether we live, and never reads an answer, is given up', async () => {
  const { world, stream, send, closed } = await connected({ unsent: 10_000, rate: 1e6, burst: 1e6 });
  send(optionsText('TCP'));
  stream.pause();
  for (let i = 0; i < 100; i++) {
    send(PING.repeat(2_000));
    await world.run(20);
  }
  expect(closed).toEqual(['reader too slow']);
});

it('they are read no faster than messages, and none is lost', async () => {
  const { world, send, answers } = await connected({ rate: 10, burst: 10 });
  send(optionsText('TCP') + PING.repeat(50));
  await world.run(100);
  expect(answers().length).toBeLessThan(24);
  await world.run(10_000);
  expect(answers()).toBe('\r\n'.repeat(50));
});

it('they do not stand for the first message', async () => {
  const { world, send, closed } = await connected();
  for (let i = 0; i < 25; i++) {
    send(PING);
    await world.run(1_000);
  }
  expect(closed).toEqual(['message not completed']);
});

it('ours come at 80 to 100 % of their time, each after another pause, so that many peers do not ask at once', async () => {
  const world = new VirtualWorld({ seed: 5 });
  const at = { host: '10.0.0.2', port: 5060 };
  const pings: number[] = [];
  let heard = '';
  const b = world.host('b', ['10.0.0.2']);
  await b.net.listen(at, (stream) => {
    const data = (octets: Uint8Array) => {
      heard += latin1(octets);
      pings.push(b.clock.mono());
      stream.write(fromLatin1('\r\n'));
    };
    stream.handle({ data, close: () => {} });
  });
  const { transport } = agent(world.host('a', ['10.0.0.1']));
  await world.settle(transport.flowTo({ protocol: 'tcp', ...at, keepAlive: 25_000 }));
  await world.run(600_000);
  const gaps = pings.slice(1).map((time, i) => time - (pings[i] ?? 0));
  expect(gaps.length).toBeGreaterThan(22);
  expect(Math.min(...gaps)).toBeGreaterThan(19_900);
  expect(Math.max(...gaps)).toBeLessThan(25_100);
  expect(new Set(gaps).size).toBeGreaterThan(15);
  // An answer is no question, nor are two of them.
  expect(heard).toBe(PING.repeat(pings.length));
});
