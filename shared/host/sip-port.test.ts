import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Address, Net, UdpOptions, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { portForBoth } from './sip-port.ts';

let virtual: VirtualWorld;
let host: World;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 3 });
  host = virtual.host('gateway', ['10.0.0.1']);
});
afterEach(() => virtual[Symbol.dispose]());

/** A net on which the first `taken` ports that UDP gets are in use over TCP. */
function crowded(net: Net, taken: number): Net & { readonly seen: number[] } {
  const seen: number[] = [];
  const udp = net.udp.bind(net);
  return Object.assign(net, {
    seen,
    async udp(options: UdpOptions, onMessage: (data: Uint8Array, from: Address) => void) {
      const socket = await udp(options, onMessage);
      seen.push(socket.local.port);
      if (seen.length <= taken) await net.listen({ host: options.host, port: socket.local.port }, () => {});
      return socket;
    },
  });
}
const any: Address = { host: '10.0.0.1', port: 0 };

test('a port that was asked for is taken as it is', async () => {
  expect(await portForBoth(host.net, { ...any, port: 5060 })).toEqual({ ...any, port: 5060 });
});

test('any port is one that is free for both, and is left free', async () => {
  const net = crowded(host.net, 3);
  const found = await virtual.settle(portForBoth(net, any));
  expect([net.seen.length, found.port]).toEqual([4, net.seen[3]]);
  await virtual.settle(host.net.udp(found, () => {}));
  await virtual.settle(host.net.listen(found, () => {}));
});

test('where none is free it gives up', async () => {
  await expect(virtual.settle(portForBoth(crowded(host.net, 99), any))).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
