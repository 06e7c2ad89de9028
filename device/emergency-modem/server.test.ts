import { afterEach, beforeEach, expect, it } from 'vitest';
import { Endpoint } from '#shared/face/face.ts';
import { virtualModem } from '#simulator/modem.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { type EmergencyModem, startEmergencyModem } from './server.ts';

const HOST = '192.168.1.1';
let world: VirtualWorld;
let modem: EmergencyModem;
let wire: ReturnType<typeof virtualModem>;

beforeEach(async () => {
  world = new VirtualWorld({ seed });
  const host = world.host('gateway', [HOST]);
  wire = virtualModem(host.clock, new Int16Array(160));
  const caller = () => ({ host: HOST, port: 5060 });
  modem = await world.settle(startEmergencyModem(host, wire.lines, { beside: HOST, caller }));
  await world.run(1_000);
});
afterEach(async () => {
  await world.settle(modem.stop());
  world[Symbol.dispose]();
});

/** Calls the modem's endpoint from there; gives the status that comes, or `up`. */
async function call(host: string, port: number, number: string): Promise<number | 'up'> {
  const way = modem.way();
  const endpoint = new Endpoint(world.host(host === HOST ? 'gateway' : host, [host]));
  await world.settle(endpoint.createTransport({ protocol: 'udp', host, port }));
  const account = endpoint.createAccount({ id: `sip:edge@${host}` });
  const made = await world.settle(account.makeCall(`sip:${number}@${way?.host}:${way?.port}`));
  if (!made.ok) throw new Error(made.fault.text);
  const up = await world.settle(made.value.answered());
  await world.settle(endpoint.destroy());
  return up.ok ? 'up' : (up.fault.status ?? 0);
}

it.each([
  ['the edge of this gateway', HOST, 5060, '112', 'up'],
  ['the edge, with a national code', HOST, 5060, '133', 'up'],
  ['the edge, with no code', HOST, 5060, '+43171100', 403],
  ['another program of this machine', HOST, 5070, '112', 403],
  ['a machine of the LAN, from the same port', '192.168.1.66', 5060, '112', 403],
])('%s', async (_name, host, port, number, outcome) => {
  expect(await call(host, port, number)).toBe(outcome);
  expect(wire.modem.commands.some((one) => one.startsWith('ATD'))).toBe(outcome === 'up');
});

it('is no way out while its line is closed, it is quiet, or in a call', async () => {
  expect(modem.way()).toMatchObject({ host: HOST, transport: 'udp' });
  wire.modem.manner = 'quiet';
  await world.run(60_000);
  expect([modem.way(), modem.report().state]).toEqual([undefined, 'silent']);
  wire.modem.manner = 'answer';
  await world.run(20_000);
  expect([modem.way()?.host, modem.report().state]).toEqual([HOST, 'ready']);
});

it('hangs up where the gateway stops', async () => {
  const way = modem.way();
  const endpoint = new Endpoint(world.host('gateway', [HOST]));
  await world.settle(endpoint.createTransport({ protocol: 'udp', host: HOST, port: 5060 }));
  const made = await world.settle(
    endpoint.createAccount({ id: `sip:edge@${HOST}` }).makeCall(`sip:112@${way?.host}:${way?.port}`),
  );
  await world.until(() => wire.modem.calling, 5_000, 'the modem to dial');
  await world.settle(modem.stop());
  await world.run(100);
  expect(wire.modem.calling).toBe(false);
  await world.settle(endpoint.destroy());
  expect(made.ok && made.value.state).toBe('disconnected');
});
