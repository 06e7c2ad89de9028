import { expect, it } from 'vitest';
import type { Flow } from '#shared/sip/types.ts';
import { type Trunk, trunkInvite } from './trunk.ts';

const flow: Flow = {
  ...{ id: 'f', protocol: 'udp', local: { host: '10.0.0.1', port: 5060 }, remote: { host: '10.5.0.1', port: 5060 } },
  peer: { kind: 'none' },
};
const carrier: Trunk = {
  ...{ id: 'trk_1', settings: { name: 'x', host: '10.5.0.1', mode: 'address' }, domain: 'x', port: 5060 },
};
const caller = { number: '+15550100001' };
const by = { number: '+15550100002', reason: 'user-busy' } as const;

/** What a call says that the carrier may or may not be told: names of header fields, and whether the number stands anywhere. */
function told(trunk: Trunk, call: Omit<Parameters<typeof trunkInvite>[1], 'caller'>, number: string) {
  const way = { trunk, flow, called: '+442071838750', signed: ['signature'] };
  const { headers = [], from } = trunkInvite(way, { caller, ...call }, { hops: [], contact: 'sip:x@y', sdp: '' });
  const text = [from, ...headers.map((one) => JSON.stringify(one))].join();
  return [text.includes('Identity","signature'), text.includes(number)];
}

it.each([
  ['nothing withheld', {}, caller.number, [true, true], [true, true]],
  ['the caller', { hidden: true }, caller.number, [true, true], [false, false]],
  ['who sent it on', { diverted: [{ ...by, hidden: true }] }, by.number, [true, true], [false, false]],
  ['nobody who sent it on', { diverted: [by] }, by.number, [true, true], [true, true]],
])(
  '%s: whom the trust domain has not is told neither the number nor its signature',
  (_what, call, number, trusted, untrusted) => {
    expect(told(carrier, call, number)).toEqual(trusted);
    expect(told({ ...carrier, untrusted: true }, call, number)).toEqual(untrusted);
  },
);
