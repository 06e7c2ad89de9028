/** Why a phone stops ringing (RFC 3326), through the cloud and the gateway: who was only not the first to answer has missed no call. */
import { expect, it } from 'vitest';
import { Phone } from '#simulator/phone.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { twoHomes } from './two-homes.ts';
import { number, wordsOf } from './words.ts';

it.each([
  ['another line answers', true, ['SIP;cause=200;text="Call completed elsewhere"']],
  ['the caller gives up', false, ['SIP;cause=487']],
])('where %s', async (_what, answers, heard) => {
  const { stage, world } = await virtualStage({ seed: 84 });
  try {
    const { oak, a, b } = await twoHomes(stage);
    b.manner = answers ? 'answer' : 'ring';
    const { username, password = '', domain } = (await stage.line(oak)).sip;
    await world.run(500);
    const wire: string[] = [];
    const second = await world.settle(
      Phone.open({
        ...{ world: world.host('second', ['10.8.1.9']), host: '10.8.1.9', server: oak.gateway.status().sip.udp },
        ...{ domain, username, password, manner: 'ring' },
        trace: (direction, text) => void (direction === 'in' && wire.push(text)),
      }),
    );
    stage.phones.push(second);
    await world.settle(second.register());
    await wordsOf(() => stage).setFeatures(oak, { ringAlso: [number(oak, 1)] });
    const call = await world.settle(a.dial(number(oak)));
    await world.run(3_000);
    expect(call.state).toBe(answers ? 'up' : 'ringing');
    if (!answers) a.hangup(call);
    await world.run(500);
    const cancel = wire.find((text) => text.startsWith('CANCEL')) ?? '';
    expect([...cancel.matchAll(/^Reason: (.*)\r$/gm)].map(([, value]) => value)).toEqual(heard);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});
