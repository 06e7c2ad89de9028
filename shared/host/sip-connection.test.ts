/** Keep-alives of a peer that means no good (RFC 5626 section 3.5.1). */
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
