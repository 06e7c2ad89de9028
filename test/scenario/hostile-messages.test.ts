/** The whole softswitch under hostile messages, from a carrier that has lost its mind and from a stranger: it goes on, and stays quiet. */
import { afterEach, expect, test } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import { parse } from '#shared/sip/parse.ts';
import { carrier, trunkTo } from '#test/support/carrier.ts';
import { seeded } from '#test/support/mutate.ts';
import { seed } from '#test/support/seed.ts';
import { damaged } from '#test/support/sip-fuzz.ts';
import { OWN_MESSAGES } from '#test/support/sip-fuzz-corpus.ts';
import { Operator } from './operator.ts';

const CLOUD = { host: '10.0.0.2', port: 5060 };
/** More in the long suite. */
const MESSAGES = process.env.HEARTHLINE_LONG === '1' ? 50_000 : 3_000;

let operator: Operator | undefined;
afterEach(() => operator?.stop());

/** Somebody who sends such messages, each with names of its own and to a number of ours, and goes on in what is answered. */
async function sender(on: Operator, host: string, number: string, own: number) {
  const draw = seeded(own);
  const heard: string[] = [];
  let octets = 0;
  const socket = await on.world.settle(
    on.world.host(`hostile-${host}`, [host]).net.udp({ host, port: 5060 }, (data) => {
      heard.push(latin1(data));
      octets += data.length;
    }),
  );
  let [sent, asked] = [0, 0];
  const send = () => {
    const sound = OWN_MESSAGES[Math.floor(draw() * OWN_MESSAGES.length)] ?? '';
    const known = draw() < 0.4 ? heard[Math.floor(draw() * heard.length)] : undefined;
    const tag = /^To:.*;tag=([\w.]+)/m.exec(known ?? '')?.[1];
    const callId = /^Call-ID: (.*)\r$/m.exec(known ?? '')?.[1] ?? `h${own}-${sent}`;
    const named = sound
      .replace(/^(\w+) sip:bob@[^ ]*/, `$1 sip:${number}@${CLOUD.host}`)
      .replace(/branch=z9hG4bK[\w.]*/, `branch=z9hG4bKh${own}-${sent}`)
      .replace(/^Call-ID: .*$/m, `Call-ID: ${callId}`)
      .replace(/^(To: .*>)$/m, tag === undefined ? '$1' : `$1;tag=${tag}`);
    const text = draw() < 0.3 ? named : damaged(named, draw);
    sent++;
    asked += text.length;
    socket.send(fromLatin1(text), CLOUD);
  };
  return { send, heard, sums: () => ({ sent, asked, octets }) };
}

test(`${MESSAGES} of them do no harm (seed ${seed})`, { timeout: 600_000 }, async () => {
  const errors: string[] = [];
  const on = await Operator.start(
    73,
    undefined,
    (line) => void (line.includes('"level":"error"') && errors.push(line)),
  );
  operator = on;
  const a = await on.line(await on.home('home_1'), 1);
  const b = await on.line('home_1', 2);
  const alice = await on.ready(a);
  const bob = await on.ready(b);
  const mad = await sender(on, '10.5.0.1', a.number, seed);
  const stranger = await sender(on, '10.9.9.9', a.number, seed + 1);
  await on.ask('trunk.create', trunkTo(await carrier(on.world, '10.5.0.9')));
  await on.ask('trunk.create', {
    name: 'mad',
    host: '10.5.0.1',
    port: 5060,
    mode: 'address',
    probeEvery: 0,
    priority: 200,
  });
  for (let n = 0; n < MESSAGES; n++) {
    (n % 3 === 0 ? stranger : mad).send();
    await on.world.run(n % 10 === 0 ? 200 : 5);
    // A line has only so many calls at once.
    if (n % 20 === 0) for (const call of alice.calls) if (call.state !== 'ended') call.hangup();
  }
  expect(errors).toEqual([]);
  expect(alice.calls.length).toBeGreaterThan(MESSAGES / 100);
  // What came is readable, and to a stranger it is never more than it sent.
  for (const text of [...mad.heard, ...stranger.heard]) expect(parse(text).ok, text).toBe(true);
  const { sent, asked, octets } = stranger.sums();
  expect(stranger.heard.length).toBeLessThanOrEqual(sent);
  expect(octets).toBeLessThanOrEqual(1.5 * asked);
  expect(mad.heard.length).toBeGreaterThan(MESSAGES / 5);
  // Everything ends, and calls go through as ever.
  for (const call of alice.calls) call.hangup();
  await on.world.run(120_000);
  expect(alice.calls.filter(({ state }) => state !== 'ended')).toEqual([]);
  expect((await on.ask('trunk.list', {})).items.map(({ calls }) => calls)).toEqual([0, 0]);
  const call = await bob.dial(a.number);
  await on.world.until(() => call.state === 'up', 10_000, 'the answer');
  expect(errors).toEqual([]);
});
