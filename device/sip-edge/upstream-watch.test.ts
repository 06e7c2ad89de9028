import { expect, test } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { DIALOGS_LIMIT, SUMMARY_LIMIT, UpstreamWatch, type Watched } from './upstream-watch.ts';

const flow: Flow = {
  ...{ id: 'f1', protocol: 'tls', local: { host: '10.0.0.9', port: 5061 } },
  ...{ remote: { host: '10.0.0.1', port: 5061 }, peer: { kind: 'none' } },
};

/** A watch of that event, and what it heard. */
function rig(event: Watched, type: string) {
  const world = new VirtualWorld({ seed: 1 }).host('gateway', ['10.0.0.9']);
  const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
  const sent: EndpointOutput[] = [];
  const changed: string[] = [];
  const watch = new UpstreamWatch({
    sip: {
      endpoint,
      act: (run) => run(endpoint, world.clock.mono(), sent),
      contact: () => 'sip:hl@10.0.0.9:5061',
    },
    ...{ world, upstream: () => flow, wanted: () => true, changed: (_event, line) => changed.push(line) },
    address: (line) => (line === 'line_1' ? 'sip:1@h' : undefined),
  });
  watch.watch(event, 'line_1');
  const [subscribe] = sent.flatMap((one) => (one.do === 'send' ? [one.message] : []));
  let n = 0;
  const hear = (body: string, as = type) => {
    const headers = [
      ['From', '<sip:1@h>;tag=theirs'],
      ['To', subscribe?.header('From') ?? ''],
      ['Call-ID', subscribe?.callId ?? ''],
      ['CSeq', `${++n} NOTIFY`],
      ['Contact', '<sip:switch@10.0.0.1>'],
      ['Event', event],
      ['Subscription-State', 'active;expires=600'],
      ['Content-Type', as],
    ] as const;
    watch.notified(`t${n}`, newRequest('NOTIFY', 'sip:hl@10.0.0.9:5061', headers, body));
  };
  return { watch, changed, hear };
}

test.each([
  ['message-summary', 'application/simple-message-summary', SUMMARY_LIMIT],
  ['dialog', 'application/dialog-info+xml', DIALOGS_LIMIT],
] as const)('%s: as much as may be is kept, one octet more is not, nor another type', (event, type, limit) => {
  const { watch, changed, hear } = rig(event, type);
  const most = 'x'.repeat(limit);
  hear(most);
  hear(`${most}x`);
  hear('<html/>', 'text/html');
  expect([watch.body(event, 'line_1') === most, changed]).toEqual([true, ['line_1']]);
  hear(most);
  expect(changed).toHaveLength(1);
  // Calls elsewhere are unknown without the flow, messages wait as they did.
  watch.flowLost();
  expect(watch.body(event, 'line_1') === undefined).toBe(event === 'dialog');
  expect(watch.body(event, 'line_2')).toBeUndefined();
  watch.stop();
});
